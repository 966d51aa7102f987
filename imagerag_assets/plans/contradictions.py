"""Whether a sentence that a model wrote contradicts what was computed, or speaks of the inside of the system.

Such sentences are dropped before a person reads them: numbers, places and presence come from evidence alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagerag_assets.plans.choice_meaning import blanked, mentions
from imagerag_assets.plans.directions import Direction, Frame, directions, directions_in, spelt_out
from imagerag_assets.plans.numbers import Quantity, quantities
from imagerag_assets.plans.plan import Part, Plan
from imagerag_assets.plans.result import (
    CompareResult,
    CountResult,
    DescribeResult,
    ListResult,
    NearestResult,
    Outcome,
    Place,
    Result,
    WhichResult,
)
from imagerag_assets.plans.same_things import SameThing, same_thing

_INTERNAL = re.compile(
    r"\bcues?\b|\bpatch(?:es)?[ _]?(?:id|\d)|\bphrases?\b|\bprompt\b|\boverview image\b|\bbounding box"
    r"|\bbox(?:es)?\s*[:=\[(<]|<\|?/?\w+\|?>|\[\s*\d+(?:\.\d+)?(?:\s*,\s*\d+(?:\.\d+)?){3}\s*\]"
    r"|\(\s*\d+\s*,\s*\d+\s*\)\s*,\s*\(|^\s*found:|\bembedding|\bretriev(?:al|ed)\b"
    r"|\b[\w.-]+:\w+:\d+:\d+:\d+\b|\bas an ai\b",
    re.IGNORECASE | re.MULTILINE,
)
_DENIED = re.compile(
    r"\b(?:no|not|none|never|without|neither|nor|absent|lacks?|missing|cannot|nothing|zero|nowhere|free of|devoid of)\b"
    r"|n't\b"
)
_ABSENCE = re.compile(
    r"\b(?:does not|doesn't|do not|don't) (?:show|contain|include|have|depict)\b"
    r"|\b(?:is|are) (?:not|none)\b.{0,20}\b(?:present|visible|there|in the)\b"
    r"|\bthere (?:is|are) (?:no|none|not)\b|\bthere (?:isn't|aren't)\b|\babsent\b"
)
_NAME = re.compile(
    r"(?:an? |the )?[\w'-]+"
    r"(?: (?!(?:with|and|or|of|in|on|at|by|near|is|are|has|have|was|were|shows|can)\b)[\w'-]+){0,2}\W*"
)
_COORDINATES = re.compile(r"-?\d+\.\d{3,}\s*°?\s*[NSEW]?\b")
_MARGIN = 0.1
"""Below this share of agreement a place named is not where the thing was found."""


@dataclass(frozen=True)
class _Known:
    """What results say of one thing."""

    names: tuple[str, ...]
    outcome: Outcome
    low: float | None = None
    high: float | None = None
    places: tuple[Place, ...] = ()
    everywhere: bool = True
    """Whether it was looked for in all of the scope, and not in a region only."""


def contradicts(text: str, plan: Plan, results: Sequence[Result], *, same_thing: SameThing = same_thing) -> str | bool:
    """Return what in a text contradicts the results, in one line, or False.

    Args:
        text: One or several sentences.
        plan: What was asked.
        results: One for each part, in their order.
        same_thing: How surely two names mean the same thing, 0 to 1.
    """
    internal = _INTERNAL.search(text)
    if internal:
        return f"it speaks of the inside of the system: {internal.group()!r}"
    known = _known(plan, results)
    for sentence in sentences(text):
        reason = _sentence(sentence, known, same_thing)
        if reason:
            return reason
    return False


def unsupported(text: str, results: Sequence[Result]) -> str | bool:
    """Return why what a model said of a scene is a mere guess, in one line, or False.

    A name alone ("A river.") describes nothing: beside things that were found it repeats one of them, or says another
    that nobody found.  So does a form ("Open sea: none.").
    """
    described = [result for result in results if isinstance(result, DescribeResult)]
    if re.search(r":\s*(?:none|yes|no|\d+)\W*$", text.lower()):
        return f"it is no sentence: {text[:60]!r}"
    if is_name(text) and any(result.things for result in described):
        return f"it only names what the scene may be: {text.strip()[:60]!r}"
    return False


def is_name(text: str) -> bool:
    """Return whether a text is nothing but a short name: "An overpass."."""
    return _NAME.fullmatch(text.strip().lower()) is not None


def kept(text: str, plan: Plan, results: Sequence[Result], *, same_thing: SameThing = same_thing) -> str:
    """Return a text without the sentences that contradict the results."""
    return " ".join(
        sentence for sentence in sentences(text) if not contradicts(sentence, plan, results, same_thing=same_thing)
    )


def sentences(text: str) -> Iterator[str]:
    """Return the sentences of a text; a full stop inside a number ends none."""
    for each in re.split(r"(?<=[.!?])\s+(?=[A-Z\d\"'(<\[])|\n+", text):
        if each.strip():
            yield " ".join(each.split())


def _known(plan: Plan, results: Sequence[Result]) -> list[_Known]:
    known: list[_Known] = []
    for part, result in zip(plan.parts, results, strict=True):
        if result.skipped:
            continue
        for number, thing in enumerate(part.things):
            names = tuple(dict.fromkeys((thing.name, thing.phrase)))
            outcome = result.missing.get(thing.name) or result.missing.get(thing.phrase) or result.outcome
            everywhere = part.region is None
            if isinstance(result, WhichResult):
                among = bool({thing.name, thing.phrase} & set(result.values))
                outcome = result.missing.get(thing.name, "found" if among != result.negated else "not_found")
            low, high = _interval(result, number)
            if outcome == "found" or result.kind in ("exists", "count", "where", "which"):
                known.append(_Known(names, outcome, low, high, _places(part, result, number), everywhere))
        if isinstance(result, ListResult):
            known += [_Known((value,), "found") for value in result.values]
    return known


def _interval(result: Result, number: int) -> tuple[float | None, float | None]:
    """Return the least and the largest number that may be said of a part's thing."""
    if isinstance(result, CountResult) and result.value is not None and number == 0:
        return (
            result.low if result.low is not None else result.value,
            result.high if result.high is not None else result.value,
        )
    if isinstance(result, CompareResult) and result.by == "count" and number < len(result.values):
        value = result.values[number]
        return (value, value) if value else (None, None)
    return None, None


def _places(part: Part, result: Result, number: int) -> tuple[Place, ...]:
    if isinstance(result, NearestResult):
        return (result.to,) if number == 1 and result.to else ()
    ends: tuple[Place, ...] = getattr(result, "ends", None) or ()
    if ends:
        return (ends[number],) if number < 2 else ()
    places: tuple[Place, ...] = getattr(result, "places", ())
    return places if number == 0 and result.outcome == "found" else ()


def _sentence(sentence: str, known: Sequence[_Known], same_thing: SameThing) -> str | None:
    low = re.sub(r"^\W*(?:yes|no)\s*[:,]", " ", spelt_out(_COORDINATES.sub(" ", sentence)))
    places, numbers = directions_in(low), quantities(low)
    spans = [(each.start, each.end) for each in places] + [(each.start, each.end) for each in numbers]
    named = _named(blanked(low, spans), known, same_thing)
    if not named:
        return _about_nothing(low, known, numbers)
    for number, (start, end, things) in enumerate(named):
        # The words that speak of this thing reach from the one before it to the next one.
        first = named[number - 1][1] if number else 0
        last = named[number + 1][0] if number + 1 < len(named) else len(low)
        before = low[first:start]
        cut = max(before.rfind(mark) for mark in (",", ";", " but ", " while ", " and ")) if number else -1
        denied = _DENIED.search(before[max(cut, 0) :]) or _DENIED.search(_until_comma(low[end:last]))
        counts = [each for each in numbers if first <= each.start and each.end <= start and _close(low, each, start)]
        spots = [each for each in places if _speaks_of(low, each, start, end, last, first)]
        for thing in things:
            reason = _presence(thing, low, denied is not None)
            if reason is None and not denied:
                reason = _number(thing, counts[-1] if counts else None) or _place(thing, spots)
            if reason:
                return reason
    return None


def _about_nothing(low: str, known: Sequence[_Known], numbers: Sequence[Quantity]) -> str | None:
    """Return what contradicts in a sentence that names no thing, such as "There are 5 of them."."""
    if _ABSENCE.search(low) and known:
        return "it says that something is not there"
    counted = [each for each in known if each.low is not None]
    if len(counted) != 1 or not numbers or numbers[0].unit:
        return None
    after = low[numbers[0].end :]
    alone = re.match(r"\W*$|\s+(?:of (?:them|these|those)|in (?:total|all)|altogether)\b", after)
    return _number(counted[0], numbers[0]) if alone else None


def _presence(thing: _Known, low: str, denied: bool) -> str | None:
    name = thing.names[0]
    if thing.outcome == "found":
        return f"it denies {name}, which was found" if denied and thing.everywhere else None
    if denied:
        return f"it says that there is no {name}; it was only not found" if _ABSENCE.search(low) else None
    hedged = re.search(r"\b(?:no|not|found|might|could|unclear|whether|if|recognis|looked like)\b", low)
    return None if hedged else f"it speaks of {name}, which was not found"


def _number(thing: _Known, number: Quantity | None) -> str | None:
    if number is None or number.unit or thing.low is None or thing.high is None or not thing.everywhere:
        return None
    if number.high >= thing.low and number.low <= thing.high:
        return None
    return f"it gives another number of {thing.names[0]} than was found"


def _place(thing: _Known, places: Sequence[Direction]) -> str | None:
    if not thing.places or not places:
        return None
    frame = Frame([*places, *(each for place in thing.places for each in directions(place.name))])
    for direction in places:
        if max(frame.membership(place, direction) for place in thing.places) < _MARGIN:
            return f"it puts {thing.names[0]} where none was found"
    return None


def _named(low: str, known: Sequence[_Known], same_thing: SameThing) -> list[tuple[int, int, list[_Known]]]:
    """Return where things are named, from left to right, each with all that is known of it."""
    names = list(dict.fromkeys(name for thing in known for name in thing.names))
    return [
        (start, end, [thing for thing in known if name in thing.names])
        for start, end, name in mentions(low, names, same_thing)
    ]


def _until_comma(text: str) -> str:
    return re.split(r"[,;]|\b(?:and|but|while|whereas|with)\b", text, maxsplit=1)[0]


def _close(low: str, number: Quantity, start: int) -> bool:
    """Return whether a number belongs to the noun after it: at most three words lie between them."""
    between = low[number.end : start]
    return len(between.split()) <= 3 and not re.search(r"[,;]", between)


def _speaks_of(low: str, each: Direction, start: int, end: int, last: int, first: int) -> bool:
    """Return whether a direction tells where a thing is, and not that it is "north of" something else."""
    if re.match(r"\s*of\b", low[each.end :]) and not re.match(r"\s*of the (?:image|picture|scene)", low[each.end :]):
        return False
    after = end <= each.start and each.end <= last
    leading = first == 0 and each.end <= start and re.match(r"\W*(?:in|on|at|to|towards?|near)\b", low) is not None
    return after or leading
