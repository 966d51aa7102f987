"""What a clause asks about two things: distance, the nearest one, comparison, and where one is from the other."""

from __future__ import annotations

import re
from typing import Any

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.clause import Clause, Parts, any_of, says_no
from imagerag_assets.plans.numbers import spelt
from imagerag_assets.plans.scene_parts import COMPASS, side_of
from imagerag_assets.plans.things import is_out_of_sight, things_of

_NEAR = (
    r"next to|near(?:by)?(?: to)?|beside|close (?:to|by)|adjacent to|alongside|along|by|in the vicinity of|around|at|"
    r"bordering|touching|facing|opposite|not far from|on the (?:edge|shore|bank)s? of|over|across|spanning|off"
)
_INSIDE = r"inside(?: of)?|within|surrounded by|enclosed by|in the middle of|on top of|in|on|part of"
_RELATION = re.compile(
    rf"\b(?:(?:to |on |in |at )?(?:the )?(?P<compass>{COMPASS})(?:wards?)?(?: (?:side|end|edge|bank|shore))? (?:of|from)"
    rf"|(?:to |on |at )?(?:the )?(?P<side>left|right)(?:[ -]hand)?(?: side)? (?:of|from)"
    rf"|(?:further|farther|more)(?: to the)? (?P<than>{COMPASS}|left|right) than"
    rf"|(?P<vertical>above|below|beneath|underneath|under|higher than|lower than|higher up than|lower down than)"
    rf"|(?P<far>(?:far )?away from|far from|nowhere near)|(?P<outside>outside(?: of)?)"
    rf"|(?P<near>{_NEAR})|(?P<inside>{_INSIDE}))\s+(?=(?:the|a|an|any|some|that|this|one)\b|\w)"
)
_YES_NO = re.compile(
    r"^(?:is|are|was|were|isn't|aren't|does|do|did|has|have|can|could|will|whether)\b|^(?:any|there (?:is|are))\b"
)
_DISTANCE = any_of(
    r"\bhow (?:far|close|near|distant)\b",
    r"\bdistances?\b",
    r"\bfar apart\b",
    r"\b(?:gap|space) between\b",
    r"\bhow many (?:met(?:er|re)s|m|kms?|kilomet(?:er|re)s|miles|feet|yards|ft|mi)\b",
    r"\bhow long (?:a |of a |is the )?(?:walk|drive|way|trip|ride)\b",
    r"\bhow long (?:would|does|will|might) it take\b",
    r"\bseparat(?:es?|ion)\b",
    r"\b(?:met(?:er|re)s?|km|kilomet(?:er|re)s?|miles?|feet|yards?)\b.*\b(?:from|between)\b.*\b(?:to|and)\b",
)
_OF_KIND = re.compile(r"\b(?:between the|two|both|together|apart|each other|one another|neighbou?ring|separation)\b")
_TRAVEL = re.compile(r"\b(?:walk|drive|way|trip|ride|gap|separation)\b")
_MORE = any_of(
    r"\bmore\b",
    r"\bmost\b",
    r"\b(?:higher|larger|greater|bigger|highest|largest|greatest) (?:numbers?|counts?|totals?)\b",
    r"\brank\b",
    r"\b(?:beats?|ahead|leads?|ahead of|comes? out on top)\b",
    r"\boutnumber\w*",
    r"\bexceed\w*",
    r"\bmajority\b",
    r"\bpredomina\w+\b",
    r"\bdomina\w+\b",
    r"\bcommon(?:er)?\b",
    r"\bprevail\w*\b",
    r"\bwins?\b",
)
_FEWER = any_of(
    r"\b(?:fewer|fewest|less|(?<!at )least|rarer|scarcer|smaller|smallest|lower|narrower|shorter)\b",
    r"\boutnumbered by\b",
)
_EQUAL = any_of(
    r"\bas (?:many|much|common|large|big|numerous)\b",
    r"\b(?:same|identical) (?:number|amount|area|size)s?\b",
    r"\bnumbers?\b.*\b(?:same|identical)\b",
    r"\bequal\w*\b",
)
_SIZE = any_of(
    r"\b(?:larger|bigger|smaller|greater|largest|biggest|smallest|wider|extensive)\b",
    r"\b(?:area|space|ground|land|room|size|surface|big|large)\b",
    r"\b(?:covers?|tak(?:e|es) up|occup(?:y|ies))\b",
    r"\b(?:square (?:k?m|met(?:er|re)s|kilomet(?:er|re)s|miles|feet)|hectares|acres)\b",
)
_SCENE = re.compile(
    r"\b(?:this|the|that|our|my|your|whole|entire|here) (?:area|place|land|ground|space|surface)\b(?! (?:of|covered|taken|under)\b)"
)
_NUMBERS = re.compile(r"\b(?:number|numbers|many|fewer|count|common|numerous)\b")
_COMPARED = any_of(
    r"\bcompar\w*",
    r"\brank\b",
    r"\bbeats?\b",
    r"\bor of\b",
    r"\bversus\b",
    r"\bagainst\b",
    r"\bvs\b",
    r"\bor\b",
    r"\bthan\b",
    r"\boutnumber\w*\b",
    r"\bexceed\w*\b",
    r"\bas (?:many|much|common|large|big|numerous)\b",
    r"\bsame\b",
    r"\bequal\w*\b",
    r"\b(?:most|fewest)\b",
    r"\bratio\b",
    r"\bminus\b",
    r"\bdifference (?:between|in|of) (?:the )?(?:numbers?|counts?|totals?|amounts?)\b",
    r"\b(?:twice|double|times)\b",
    r"^which\b",
    r"^what\b",
)
_MEASURES = {
    "difference": re.compile(
        r"\bhow many (?:more|fewer)\b|\bby how (?:many|much|large)\b|\bdifference (?:between|in|of)\b|\bmargin\b|\bsurplus\b|\bminus\b"
        r"|\bhow much more\b"
    ),
    "ratio": re.compile(r"\bratio\b|\bhow many times\b"),
}
_TIMES = re.compile(
    r"\b(?:(?P<word>twice|double|triple|half)|(?P<number>\d+(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten|twenty) times) "
    r"(?:as (?:many|numerous)|the (?:number|amount|count))\b"
)
_SEEN_FROM = (
    r"standing (?:at|by|in|on|near)|starting (?:at|from|out from)|if (?:i|we|you|one) (?:stand|stood|start|started) (?:at|by|in|from)|"
    r"relative to|compared (?:to|with)|in relation to|related to|with (?:respect|regard|reference) to|as seen "
    r"from|seen from|"
    r"viewed from|looking from|from the (?:perspective|viewpoint|point of view) of"
)
_REFERENCE = re.compile(rf"\b(?:{_SEEN_FROM}|from|(?:side|direction|end|perspective) of)\s+(.*)")
_DIRECTION = re.compile(
    r"\b(?:direction|bearing|heading)s? (?:from|to|of)\b|\b(?:which|what) (?:compass )?(?:direction|side|way|bearing)\b"
)


_ROOFS = frozenset(("bridge", "overpass", "viaduct", "tree", "roof", "canopy", "line", "pylon", "cloud"))
"""Last words of phrases of what stands over the ground, and lets things be under it."""
_SIDES = r"(?:north|south|east|west|left|right)"
_RANKED = re.compile(
    rf"\b(?:more|further|farther|furthest|farthest|most)(?: to the| towards? the)? ?{_SIDES}(?:er|ern|erly|wards?)?\b(?! (?:of|than)\b)"
    rf"|^(?:which|what|who)(?: one| of (?:them|these|those|the two|the three|both))?(?:'s| is| are| lies?| sits?| stands?)? "
    rf"(?:more |further |farther )?(?:on|to|at|in|towards) the {_SIDES}(?: side)?$"
    r"|\b(?:who|which|what|one)(?:'s| is| are| lies?| sits?)? (?:the )?(?:higher|lower|further|farther)(?: up| down)?\b(?! (?:of|than|number|count))"
)


def ranks_places(text: str) -> bool:
    """Return whether a clause asks which of several things lies farther one way: "which is more to the west?"."""
    return _RANKED.search(text) is not None


_FRAGMENT = re.compile(
    r"(?!(?:how|where|what|which|who|show|find|count|list|describe|number|tell|give)\b)(?:the )?[\w' -]+$"
)
"""A clause without a verb in front, "airport west of the lake?"."""


_WAY = rf"(?:{COMPASS}|left|right|above|below|over|under)(?:[ -]?hand)?(?: side)?(?: of)?"
_ONE_OF_WAYS = re.compile(rf"\b{_WAY},? or (?:rather |is it |are they )?(?:to |on )?(?:the )?{_WAY}\b")
"""Asks which of several ways a thing lies: "north or south of the railway"."""


def distance(clause: Clause) -> Parts:
    """Read "how far is the dam from the bridge?"."""
    things = [thing for thing in clause.things if not _TRAVEL.search(thing.name)]
    if len(things) == 1 and _DISTANCE.search(clause.text) and _OF_KIND.search(clause.text):
        return [p.Distance(thing=things[0], to=things[0])]
    if len(things) < 2 or not _DISTANCE.search(clause.text):
        return []
    return [p.Distance(thing=things[0], to=things[1])]


def asks_distance(text: str) -> bool:
    """Return whether a clause asks how far apart two things are."""
    return (
        re.search(r"\bhow (?:far|close|near)\b(?: are they)?(?: apart| from each other)?$|\bdistance\b", text)
        is not None
    )


def nearest(clause: Clause) -> Parts:
    """Read "which ship is nearest to the pier?", and "is the dam or the lake closer to the town?"."""
    text, things = clause.text, clause.things
    if ranks_places(text):
        return []
    found = re.search(
        r"\b(nearest|closest|farthest|furthest|most distant|remotest)\b|^which\b.*\b(closer|nearer|farther|further)\b",
        text,
    )
    if found is None and len(things) == 3:
        found = re.search(r"()\b(closer|nearer)\b", text)
    if found is None or len(things) < 2:
        return []
    than = re.search(r"\b(?:closer|nearer) to (.+) than (?:to )?(.+)", text)
    if than is not None and (before := things_of(text[: than.start()])):
        return [p.Distance(thing=before[0], to=to) for end in than.groups() for to in things_of(end)[:1]]
    word = found[1] or found[2]
    one, other = things[:2]
    # "what is closest to the pier, a ship": the thing after the word is the one that it is near to.
    rest = text[found.end() :]
    after = re.match(r"(?: away)?(?: one)? ?(?:to|from|of)\s+(.*)", rest) or re.match(r" (the\b.*)", rest)
    goal = things_of(after[1])[:1] if after is not None else ()
    if len(things) == 3:
        to = goal[0] if goal else things[-1]
        return [p.Distance(thing=thing, to=to) for thing in things if thing != to]
    if (goal and goal[0].phrase == one.phrase) or re.match(r"(?:as seen |seen )?(?:from|to|for)\b", text):
        one, other = other, one
    return [
        p.Nearest(
            thing=one,
            to=other,
            farthest=word in ("farthest", "furthest", "most distant", "remotest", "farther", "further"),
        )
    ]


_COURSE = re.compile(r"(?:from )?(.+?) to (.+?)\s*[-:,–]+\s*(?:what |which )?(?:heading|bearing|direction|course)$")
_WHICH_PART = re.compile(r"(?:in |at |on )?(?:which|what) (?:end|part|side|corner|half|quarter|area|edge)\b")


def compare(clause: Clause) -> Parts:
    """Read "are there more ships than cars?", and "which is larger, the lake or the forest?"."""
    text, things = clause.text, clause.things
    if len(things) < 2 or re.search(
        r"\b(?:more|further|farther) (?:to the )?(?:north|south|east|west|left|right)", text
    ):
        return []
    if _WHICH_PART.match(text):
        return []  # "which end of the basin are most of the ships at?"
    more, fewer, equal = (pattern.search(text) for pattern in (_MORE, _FEWER, _EQUAL))
    size = _SIZE.search(_SCENE.sub(" ", text))
    plain = re.search(r"\bcompare\b|\bversus\b|\bvs\b|\bcomparison\b|\bagainst\b", text)
    sized = re.search(r"\b(?:larger|bigger|smaller|greater|largest|biggest|smallest|wider)\b", text)
    measured = _TIMES.search(text) is not None or any(words.search(text) for words in _MEASURES.values())
    if not _COMPARED.search(text) or not (more or fewer or equal or sized or plain or measured):
        return []
    covers = all(thing.phrase in lexicon.COVERS for thing in things)
    by = "area" if (size or covers) and not _NUMBERS.search(text) else "count"
    if re.match(r"(?:when )?(?:compared|in comparison) (?:to|with)\b", text):
        things = (things[1], things[0], *things[2:])
    both = re.search(r"\b(?:more|larger|bigger) or (?:fewer|less|smaller)\b", text)
    times = _times(text)
    equal = None if times or re.search(r"\bat least as (?:many|much)\b", text) else equal
    wanted = "equal" if equal else "fewer" if fewer and not both else "more"
    measure = (
        next((name for name, words in _MEASURES.items() if words.search(text)), None) if len(things) == 2 else None
    )
    return [
        p.Compare.model_validate(
            {"among": things[: p.MAX_THINGS], "by": by, "wanted": wanted, "measure": measure, "times": times}
        )
    ]


def _times(text: str) -> float | None:
    """Return how many times as many a clause asks for: "twice as many", "three times the number"."""
    found = _TIMES.search(text)
    if found is None:
        return None
    if found["word"]:
        return {"twice": 2.0, "double": 2.0, "triple": 3.0, "half": 0.5}[found["word"]]
    said = found["number"]
    value = float(said) if said[0].isdigit() else spelt(said)
    return float(value) if value else None


def compares(text: str) -> bool:
    """Return whether a clause asks which of several things there is more or less of: "which are in the majority?"."""
    ranked = any(pattern.search(text) for pattern in (_MORE, _FEWER, _EQUAL))
    return ranked and re.match(r"(?:which|what|who|is there more|are there more)\b", text) is not None


def relative(clause: Clause) -> Parts:
    """Read "where is the pier relative to the lighthouse?", and "is the pier north of the lighthouse?"."""
    text, things = clause.text, clause.things
    if (course := _COURSE.match(text)) is not None:
        start, goal = things_of(course[1]), things_of(course[2])
        return [p.Relative(thing=goal[0], to=start[0])] if start and goal else []
    if ranks_places(text) and len(things) > 1:
        two = len(things) == 2
        return [p.Relative(thing=things[0], to=things[1])] if two else [p.Where(thing=thing) for thing in things]
    open_ = re.search(rf"\b(?:{_SEEN_FROM})\b", text) or _DIRECTION.search(text)
    if open_ and len(things) >= 2:
        return [_seen_from(text, things)]
    found = next((each for each in _RELATION.finditer(text) if things_of(text[each.end() :])), None)
    if found is None or not (_YES_NO.search(text) or _FRAGMENT.match(text)):
        return []
    # "over to the left of": what says a direction counts before what only says that it is near.
    for each in sorted(_RELATION.finditer(text), key=lambda each: bool(each["near"] or each["inside"])):
        before, after = things_of(text[: each.start()]), things_of(text[each.end() :])
        if before and after and before[-1] != after[0] and not is_out_of_sight(after[0]):
            if _ONE_OF_WAYS.search(text):
                return [p.Relative(thing=before[-1], to=after[0])]
            opposite = bool(each["far"] or each["outside"])  # "far from" is not near
            negated = says_no(f"{text[: each.start()]} {text[each.end() :]}") is not opposite
            relation: Any = "near" if _is_roofed(each, after[0]) else _relation(each)
            return [p.Relative(thing=before[-1], to=after[0], relation=relation, negated=negated)]
    return []


def _is_roofed(found: re.Match[str], to: p.Thing) -> bool:
    """Return whether "under" is said of what something can be underneath of, and not of the picture: "under the bridge"."""
    return found["vertical"] in ("under", "underneath", "beneath", "below") and to.phrase.split()[-1] in _ROOFS


def _seen_from(text: str, things: tuple[p.Thing, ...]) -> p.Relative:
    if re.search(r"\bfrom (?:it|them|there|that|those)\b", text):
        return p.Relative(thing=things[1], to=things[0])
    reference = _REFERENCE.search(text)
    named = things_of(reference[1]) if reference is not None else ()
    to = next((thing for thing in things if named and thing.phrase == named[0].phrase), things[1])
    one = next((thing for thing in things if thing != to), things[0])
    return p.Relative(thing=one, to=to)


def _relation(found: re.Match[str]) -> Any:
    side = found["compass"] or found["than"] or found["side"]
    if side:
        return side_of(side)
    if found["vertical"]:
        return "above" if found["vertical"] in ("above", "higher than", "higher up than") else "below"
    return "near" if found["near"] or found["far"] else "inside"
