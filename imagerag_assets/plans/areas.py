"""Where a question is about: a part of the scene, the surroundings of a thing, or a box in degrees.

A region is cut out of the question, so that what it names is not taken for what is asked about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import cast, get_args

from imagerag_assets.plans.numbers import LENGTHS, spelt
from imagerag_assets.plans.plan import (
    MAX_REGIONS,
    AllOf,
    Area,
    Around,
    Away,
    Between,
    Beyond,
    Outside,
    PartName,
    PartOfScene,
    Region,
    Single,
    landmarks_of,
)
from imagerag_assets.plans.regions import regions_of
from imagerag_assets.plans.scene_parts import COMPASS, part_in, parts_in, side_of
from imagerag_assets.plans.things import is_known, is_out_of_sight, thing_of, things_of

_NEAR_M = {"near": 500.0, "close to": 500.0, "around": 500.0, "in the vicinity of": 1000.0, "next to": 150.0,
           "over": 100.0, "across": 100.0, "spanning": 100.0, "span": 100.0, "cross": 100.0, "crosses": 100.0, "spans": 100.0, "crossing": 100.0,
           "beside": 150.0, "adjacent to": 150.0, "alongside": 150.0, "by": 150.0, "along": 150.0,
           "in": 100.0, "at": 100.0, "on": 100.0, "inside": 100.0, "within": 100.0, "parked in": 100.0}  # fmt: skip
"""What people mean by near, in metres; an answer says the number."""
_NUMBER = (
    r"(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:[.,]\d+)?|"
    r"(?:half a|a quarter of a|a couple of|a hundred|one hundred|two hundred|five hundred|a thousand|"
    r"a|one|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred)\b)"
)
_SPOKEN = {
    "half a": 0.5,
    "a quarter of a": 0.25,
    "a couple of": 2.0,
    "a": 1.0,
    "a hundred": 100.0,
    "one hundred": 100.0,
    "hundred": 100.0,
    "two hundred": 200.0,
    "five hundred": 500.0,
    "a thousand": 1000.0,
}
_THING = r"(?:(?:the|a|an|any|some|that|this)\s+)?(?P<thing>[a-z][\w' -]{1,60}?)"
_BESIDES = (
    r"(?:and|but|or) (?:(?:also|not|is|are|that|which|lies?|lying) )*(?:to the |on the |at the )?"
    r"(?:near|close to|next to|along|beside|adjacent to|within|inside|outside|away from|far from|more than|less than|"
    rf"(?:{COMPASS}|left|right) of|above|below|(?:in|on|at) the)"
)
"""Begins a second region: "near the river but not near the road"."""
_END = (
    rf"(?=\s*(?:[?.!,;]|$|\b(?:{_BESIDES}|near|next to|close to|than|are|is|was|were|do|does|did|can|could|have|has|how|what|where|and "
    r"(?:how|where|is|are|i|we|what|which|does|do|tell|show|give|say)|in the|on the|"
    r"at the|there|visible)\b|\s-\s))"
)
_REACH = (
    r"(?:within|inside|in|less than|(?:not|no) (?:more|further|farther) than|up to|closer than|nearer "
    r"than|under|at most|below|"
    r"at a distance of)"
)
_WITHIN = re.compile(
    rf"\b(?:(?:that|which) (?:is|are) )?(?P<reach>{_REACH})?\s*"
    rf"(?:(?:a|the)\s+(?:radius|distance|range|circle)\s+of\s+)?(?:about |around |roughly )?{_NUMBER}\s*"
    rf"(?P<unit>[a-z]+(?: miles?)?)\s+(?:radius\s+|or (?:less|closer)\s+)?(?:away\s+)?(?:of|from|to|"
    rf"around|off)\s+{_THING}{_END}"
)
_NEAR = re.compile(rf"(?<![\w-])(?P<how>{'|'.join(sorted(_NEAR_M, key=len, reverse=True))})\s+{_THING}{_END}")
_HOW = re.compile(rf"\b(?:{'|'.join(sorted(_NEAR_M, key=len, reverse=True))})\b")
_STANDS = r"(?:(?:located|situated|parked|moored|docked|anchored|lying|standing|sitting|found|placed|built|anywhere|directly|immediately|right) )?"
_LEAVE = (
    r"(?:(?:(?:and|but|if|when|then) )?(?:(?:please|you|we|i|to) )*(?:ignor(?:e|ing)|exclud(?:e|ing)|omit(?:ting)?|skip(?:ping)?|"
    r"disregard(?:ing)?|discount(?:ing)?|leav(?:e|ing) (?:out|aside)|(?:do not|don't) (?:count|include)|without(?: counting| including)?|"
    r"minus|barring))"
)
"""Before what is to be left out: "if you ignore the ones in the south"."""
_NOT_THERE = (
    rf"(?:,? ?{_LEAVE} (?:all |any )?(?:of )?(?:those |the ones |ones |what is |anything )|(?:,? ?but )?not (?:those |the ones |ones )?|(?:(?:that|which|who) )?(?:is|are|was|were|do|does)(?: not|n't) (?:lie |sit |stand )?|"
    r"(?:except|excluding|other than|apart from|aside from|besides)(?: for)? (?:those |the ones |ones |any )?)"
)
"""Before the surroundings of a thing that are left out: "that are not", "except those"."""
_FARTHER = re.compile(
    rf"\b(?:(?:that|which) (?:is|are|lies?) )?(?:(?<!not )(?<!no )(?:more|further|farther|greater) than|at least|beyond|"
    rf"outside(?: of)?|{_NOT_THERE}(?:within|closer than|nearer than|less than)|no (?:closer|nearer) than)\s+"
    rf"(?:(?:a|the)\s+(?:radius|distance|range|circle)\s+of\s+)?(?:about |around |roughly )?{_NUMBER}\s*"
    rf"(?P<unit>[a-z]+(?: miles?)?)\s+(?:away\s+)?(?:of|from|to|around|off)\s+{_THING}{_END}"
)
_OR_MORE = re.compile(
    rf"\b{_NUMBER}\s*(?P<unit>[a-z]+(?: miles?)?)\s+or (?:more|further|farther)\s+(?:away\s+)?(?:from|off)\s+{_THING}{_END}"
)
_NOT_NEAR = re.compile(
    rf"(?<![\w-])(?:{_NOT_THERE}{_STANDS}(?P<how>{'|'.join(sorted(_NEAR_M, key=len, reverse=True))})|"
    rf"(?:(?:that|which) (?:is|are|lies?) )?{_STANDS}(?P<far>outside(?: of)?|(?:far )?away from|far from|nowhere near))\s+{_THING}{_END}"
)
_SIDE = re.compile(
    rf"\b(?:(?:that|which) (?:is|are|lies?) )?(?:to the |on the |at the )?(?:(?P<way>{COMPASS}|left|right)(?:wards?)?(?:[ -]hand)?"
    rf"(?: (?:side|bank|shore))? of|(?P<vertical>above|below))\s+{_THING}{_END}"
)
_BETWEEN = re.compile(
    r"\b(?:(?:that|which) (?:is|are|lies?) |lying |sitting |located |situated )?(?:in )?between "
    r"(?:(?:the two|both|two) (?P<same>[a-z][\w' -]{1,60}?)"
    rf"|(?:(?:the|an?|any|this|that|my|our) )?(?P<one>[a-z][\w' -]{{1,40}}?) and {_THING}){_END}"
)
_OF_TWO = re.compile(
    r"\b(?:distances?|far|gap|space|separat\w+|compar\w*|differen\w+|chang\w*|more|fewer|less|larger|bigger|smaller|"
    r"close|choose|direction|bearing|met(?:er|re)s|k(?:ilo)?m(?:et(?:er|re)s)?|miles|feet|yards|how long)\b"
)
"""Asks of two things, and not of what lies between them: "the distance between the dam and the bridge"."""
_IS_KNOWN = re.compile(
    r"\b(?:the|this|that|these|those|they|it) (?:[a-z' -]+ )?(?:is|are|lies?|lying|sits?|stands?|located|situated)\b"
)
"""Begins a sentence about one thing, whose place is what is asked: "is it true that the dam is north of the lake?"."""
_ABOUT_ONE = re.compile(r"(?:do|does|did|can|could|will|would|is|are) (?!there\b).*\bthe [a-z' -]+$")
_SOUGHT = re.compile(
    r"\b(?:how many|number of|count|tally|enumerate|any|are there|is there|show|find|list|what|where are)\b"
)
_SOME_OF = re.compile(r"\b(?:any|some|all|most|each|none|one|which) of\b")
_ANYTHING = re.compile(
    r"^(?:(?:(?:is|are) there|list|show|name|describe|find|tell|give)(?: me| us)? )?(?:what(?!ever| kind| type| colou?r)|anything|something|everything|things|objects)\b"
)
_LONGEST_NAME = 3
"""Words of an unknown name at most; more are a part of the sentence."""
_DIRECTION = re.compile(rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center)\b")
_NO_PLACE = re.compile(
    r"(?:least\b|most\b|all\b|first\b|once\b|to|one|which|what|where|how|order|case|total|(?:photo|picture|image|scene|frame|view|shot|tile)\b)"
)
_BOX = re.compile(
    r"(?:\b(?:with)?in(?:side)? )?(?:the |an? )?(?:\b(?:bounding box|bbox|box|rectangle|extent|area)(?: of)?:? ?)?[\[(]?\s*"
    + r"\s*[,; ]\s*".join([r"(-?\d{1,3}(?:\.\d+)?)"] * 4)
    + r"\s*[\])]?"
)
_BUT_NOT = re.compile(
    rf"(?:^|,? )(?:(?:{_LEAVE}(?= (?:all |any )?(?:of )?(?:the |those |any )?(?:ones?|those|that|them|what|anything|everything) )|except(?:ing)?(?: for)?|excluding|(?:any|every|else)where (?:else )?(?:but|than)|other than|apart from|"
    r"aside from|besides|(?:,? ?but )?not (?:counting|including)|but not|(?:(?:that|which) )?(?:(?:is|are|lies?) )?"
    r"outside(?: of)?|(?:that|which) (?:(?:is|are|do|does)(?: not|n't)(?: lie)?))(?: located| situated)?)"
    r"(?: (?:(?:the|those|any|all|of) )*(?P<again>(?!(?:in|on|at|to|the)\b)[a-z]+)(?: (?:that|which) (?:is|are|lie))?)??"
    r" (?=(?:(?:in|on|at|to|towards?|inside|within) )?(?:the )?(?:far |very )?"
    rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|cent(?:re|er)|central)\b)"
)
"""Before a part of the scene that is left out: "apart from those in the upper left"."""
_PRONOUNS = frozenset(("it", "them", "that", "this", "those"))
_AGAIN = frozenset(("one", "ones", "those", "that", "them", "any", "what", "anything", "everything"))
_OPPOSITE = {"upper": "lower", "left": "right", "north": "south", "east": "west"}
_OPPOSITE |= {other: one for one, other in _OPPOSITE.items()}
_OR = re.compile(
    r"\bor (?:near|next to|close to|beside|within|inside|outside|in|on|at|north|south|east|west|left|right|above|below)\b"
)
_JOINING = re.compile(r"[\s,]*\b(?:and|but|yet|or)(?: (?:also|is|are|that|which|lies?|lying))*\s*$")
_PLACE_NOUNS = r"\s+(?:edge|border|margin|rim|boundary|third)$"


@dataclass(frozen=True)
class Place:
    """The region of a question, and the question without it."""

    region: Region | None
    rest: str
    notes: tuple[str, ...] = ()
    unknown_unit: str | None = None
    """A unit of length that there is not."""
    others: tuple[Region, ...] = ()
    """Further parts of the scene, of each of which the same is asked: "in the north and in the south"."""


def box_of(text: str) -> tuple[tuple[float, float, float, float], re.Match[str]] | None:
    """Return the box in degrees (west, south, east, north) that a text names, and where."""
    found = _BOX.search(text)
    if found is None:
        return None
    west, south, east, north = (float(value) for value in found.groups())
    fits = -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90
    return ((west, south, east, north), found) if fits else None


def reach_of(text: str, name: str) -> tuple[str, float]:
    """Return the word of nearness that stands before a thing in a text, and the metres that it means: "next to", 150.

    Args:
        text: In lower case.
        name: Of the thing, in the singular.
    """
    before = text.partition(name.split()[-1].removesuffix("y"))[0]
    said = list(_HOW.finditer(before))[-1:]
    return (said[0][0], _NEAR_M[said[0][0]]) if said else ("near", _NEAR_M["near"])


def place_of(text: str, *, near: bool) -> Place:
    """Return the region that a clause names; where it names several for one thing, that in which they overlap.

    Args:
        text: In lower case.
        near: Whether "near the pier" is a region, and not what is asked.
    """
    place = _one_place(text, near=near)
    if place.region is None or place.others:
        return place
    found: list[Single] = [cast(Single, place.region)]
    notes = list(place.notes)
    while len(found) < MAX_REGIONS:
        more = _one_place(place.rest, near=near)
        asked = things_of(more.rest) or _ANYTHING.search(more.rest)
        if more.region is None or more.others or more.region in found or not asked:
            break
        found.append(_of_it(cast(Single, more.region), found[0]))
        notes += more.notes
        place = more
    either = _OR.search(text) is not None or all(
        isinstance(each, Around) and each.metres == _NEAR_M["in"] for each in found
    )
    if len(found) == 1 or either:  # "cars on the bridge and in the car park" are in one of them
        return replace(place, region=found[0], others=tuple(found[1:]), notes=tuple(notes))
    return replace(place, region=AllOf(of=tuple(found)), notes=tuple(notes))


def _of_it(region: Single, before: Single) -> Single:
    """Return a region with the landmark of the one before for "it": "outside the harbour but within 1 km of it"."""
    if isinstance(region, Around | Away | Beyond) and region.thing.name in _PRONOUNS and (of := landmarks_of(before)):
        return region.model_copy(update={"thing": of[0]})
    return region


def _one_place(text: str, *, near: bool) -> Place:
    """Return the first region that a clause names; see :func:`place_of`."""
    box = box_of(text)
    if box is not None:
        return Place(Area(bbox=box[0]), _without(text, box[1]))
    away = _away(text, near=near)
    if away is not None:
        return away
    within = _WITHIN.search(text)
    if within is not None:
        unit, metres = within["unit"], _metres(within["number"], within["unit"])
        if metres is None and within["reach"] in (None, "in", "under", "below", "up to"):
            within = None
        elif metres is None:
            return Place(None, text, unknown_unit=unit)
        else:
            return Place(Around(thing=thing_of(within["thing"]), metres=metres), _without(text, within))
    between = _between(text)
    if between is not None:
        one, other = between["same"] or between["one"], between["same"] or between["thing"]
        return Place(Between(thing=thing_of(one), other=thing_of(other)), _without(text, between))
    side = _side(text) if near and _SOUGHT.search(text) else None
    if side is not None:
        region = Beyond.model_validate(
            {"thing": thing_of(side["thing"]), "side": side_of(side["way"] or side["vertical"])}
        )
        return Place(region, _without(text, side))
    close = _near(text) if near else None
    if close is not None:
        metres = _NEAR_M[close["how"]]
        note = f"{close['how']!r} is taken as within {metres:,.0f} m"
        first, *others = (Around(thing=thing_of(each), metres=metres) for each in _either(close["thing"]))
        return Place(first, _without(text, close), (note,), others=tuple(others))
    outside = _outside(text)
    if outside is not None:
        return outside
    part = part_in(text)
    if part is not None:
        return Place(PartOfScene(name=part[0]), part[1])
    several = parts_in(text)
    if several is not None:
        part_of_scene, *more = (PartOfScene(name=name) for name in several[0])
        return Place(part_of_scene, several[1], others=tuple(more))
    regions = regions_of(text)
    if len(regions) > 1:
        names = ", ".join(region.name for region in regions)
        return Place(None, text, (f"Several parts of the scene are named ({names}): all of it is looked at",))
    if regions:
        name = re.sub(_PLACE_NOUNS, "", regions[0].name)
        if name in get_args(PartName):
            return Place(PartOfScene.model_validate({"name": name}), text)
    return Place(None, text)


def _away(text: str, *, near: bool) -> Place | None:
    """Return what lies outside the surroundings of a thing."""
    farther = _FARTHER.search(text) or _OR_MORE.search(text)
    if farther is not None and _may_be_centre(farther["thing"]):
        metres = _metres(farther["number"], farther["unit"])
        if metres is None:
            return Place(None, text, unknown_unit=farther["unit"])
        return Place(Away(thing=thing_of(farther["thing"]), metres=metres), _without(text, farther))
    for found in _NOT_NEAR.finditer(text) if near else ():
        before, how = text[: found.start()], found["how"] or found["far"]
        asked = things_of(before) or _ANYTHING.search(before)
        one = not _SOME_OF.search(before) and (_IS_KNOWN.search(before) or _ABOUT_ONE.match(before))
        if asked and not one and _may_be_centre(found["thing"]) and not _NO_PLACE.match(found["thing"]):
            metres = _NEAR_M.get(how, _NEAR_M["in" if how.startswith("outside") else "near"])
            said = how if found["far"] else f"not {how}"
            note = f"{said!r} is taken as more than {metres:,.0f} m from it"
            return Place(Away(thing=thing_of(found["thing"]), metres=metres), _without(text, found), (note,))
    return None


def leaves_part_out(text: str) -> bool:
    """Return whether a text in lower case asks of what lies outside of a part of the scene."""
    return _outside(text) is not None


def _outside(text: str) -> Place | None:
    """Return what lies outside of a part of the scene; what lies outside of a half is the other half."""
    found = _BUT_NOT.search(text)
    again = found["again"] if found is not None else None
    if found is None or (again and again not in _AGAIN and again not in text[: found.start()].split()):
        return None
    part = part_in(text[found.end() :])
    if part is None:
        return None
    rest = f"{text[: found.start()]} {part[1]}".strip()
    opposite = _OPPOSITE.get(part[0])
    return Place(PartOfScene.model_validate({"name": opposite}) if opposite else Outside(name=part[0]), rest)


def _between(text: str) -> re.Match[str] | None:
    """Return where a question is about what lies between two things, and not about how far they are apart."""
    found = _BETWEEN.search(text)
    if found is None or _OF_TWO.search(text) or not all(map(_may_be_centre, filter(None, found.groups()))):
        return None
    before = text[: found.start()]
    return found if things_of(before) or _ANYTHING.match(before) else None


def _side(text: str) -> re.Match[str] | None:
    """Return where a side of a thing is named, after what is asked about."""
    for found in _SIDE.finditer(text):
        before = text[: found.start()]
        asked = things_of(before) or _ANYTHING.match(before)
        one = _IS_KNOWN.search(before) or _ABOUT_ONE.match(before)
        if asked and not one and _may_be_centre(found["thing"]):
            return found
    return None


def _near(text: str) -> re.Match[str] | None:
    """Return where the surroundings of a thing are named, after what is asked about: a thing, or "what is"."""
    for found in _NEAR.finditer(text):
        before = text[: found.start()]
        agent = found["how"] == "by" and re.search(
            r"(?<!surround)(?<!border)(?<!flank)(?:ed|en|up|wn)\s*$", text[: found.start()]
        )
        part = _DIRECTION.match(found["thing"]) and part_in(f"in the {found['thing']}")
        if agent or part or _NO_PLACE.match(found["thing"]):
            continue  # "in the north half near the river"
        if all(map(_may_be_centre, _either(found["thing"]))) and (things_of(before) or _ANYTHING.search(before)):
            return found
    return None


def _either(text: str) -> list[str]:
    """Return the names of a text that names either of several known things: "the road or the river"."""
    names = re.split(r" or (?:near )?(?:(?:the|an?|any) )?", text)
    return names if all(is_known(thing_of(name)) for name in names) else [text]


def _may_be_centre(text: str) -> bool:
    """Return whether a text is the name of a thing that others may be near to."""
    if not things_of(text):
        return False
    thing = thing_of(text)
    may_be = not is_out_of_sight(thing) and len(text.split()) <= _LONGEST_NAME and not _DIRECTION.match(text)
    return is_known(thing) or may_be  # "does the river in the west flow north?"


def _metres(number: str, unit: str) -> float | None:
    if unit not in LENGTHS:
        return None
    word = number.strip()
    grouped = re.fullmatch(r"\d{1,3}(?:,\d{3})+", word)
    if grouped:
        value = float(word.replace(",", ""))
    elif word in _SPOKEN:
        value = _SPOKEN[word]
    elif word[0].isdigit():
        value = float(word.replace(",", "."))
    else:
        value = float(spelt(word) or 1)
    return value * LENGTHS[unit] or None


def _without(text: str, match: re.Match[str]) -> str:
    """Return a text without a region, and without the "and" that joined it to what stands before."""
    before = _JOINING.sub("", text[: match.start()])
    return f"{before} {text[match.end() :]}".strip()
