"""Judge a free answer: by what was computed (``result`` of its record) and by the sentence that a person reads.

An answer is right if it says everything that was asked, by a name that people know, and nothing wrong beside it.  Of a
thing that is not there it may neither say that it is, nor, as a fact, that it is not: not found is not absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagerag_assets.evaluation import said
from imagerag_assets.evaluation.truth import (
    AttributeFact,
    CompareFact,
    CountFact,
    DistanceFact,
    ExistsFact,
    Fact,
    NothingFact,
    RelativeFact,
    Truth,
    WhereFact,
    WhichFact,
)

Row = Mapping[str, Any]
_OPPOSITE = {
    "north": "south", "south": "north", "east": "west", "west": "east", "above": "below", "below": "above",
    "left": "right", "right": "left",
}  # fmt: skip
_AS = {"above": "north", "below": "south", "left": "west", "right": "east", "beneath": "south", "under": "south"}
_SIDES = re.compile(
    r"\b(north|south)(?:ern)?(?:[\s-]?(east|west)(?:ern)?)?|\b(east|west)(?:ern)?\b|\b(above|below|left|right|beneath|under)\b",
    re.IGNORECASE,
)
_METRES = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(km|kilomet(?:re|er)s?|m|metres?|meters?)\b", re.IGNORECASE)
_MORE = re.compile(r"\b(more|most|outnumbers?|outnumbered|greater|larger|bigger)\b", re.IGNORECASE)
_FEWER = re.compile(r"\b(fewer|fewest|less|least|smaller)\b", re.IGNORECASE)
_EQUAL = re.compile(r"\b(equal(?:ly)?|same|as many|as much|tie|neither)\b", re.IGNORECASE)


@dataclass(frozen=True)
class FreeVerdict:
    """What a free answer is worth."""

    wrong: tuple[str, ...]
    """What is wrong with it, a line each; empty: it is right."""
    facts: int
    """Number of facts that it had to say."""
    facts_right: int
    """Number of them that it says rightly."""
    presence_asserted: bool | None = None
    """Of things that are not there: whether it says that one is there; None: all things are there."""
    absence_asserted: bool | None = None
    """Of things that are not there: whether it says so as a fact; None: all things are there."""

    @property
    def right(self) -> bool:
        """Whether everything that it says is right, and nothing is missing."""
        return not self.wrong


def judge_free(truth: Truth, answer: Row) -> FreeVerdict:
    """Judge an answer.

    Args:
        truth: What it must say.
        answer: Its record, or any object with ``answer``.  Without ``result`` (a model's words alone) only the sentence
            is judged.
    """
    text = str(answer.get("answer") or "").strip()
    if not text:
        return _silent(truth)
    result = [each for each in answer.get("result") or () if not each.get("skipped")]
    judged = _Judged(truth, text, result)
    wrong: list[str] = []
    right = 0
    for fact in truth.facts:
        found = list(judged.faults(fact))
        right += not found
        wrong += found
    wrong += [f"does not name {thing}" for thing in truth.things if not said.names_any(text, truth.names_of(thing))]
    wrong += [f"internal words: {word}" for word in said.forbidden_words(text)]
    gone = list(_not_there(truth))
    return FreeVerdict(
        tuple(dict.fromkeys(wrong)),
        len(truth.facts),
        right,
        presence_asserted=any(judged.present(thing) for thing in gone) if gone else None,
        absence_asserted=any(said.asserts_absence(judged.about(thing)) for thing in gone) if gone else None,
    )


def _silent(truth: Truth) -> FreeVerdict:
    gone = False if any(_not_there(truth)) else None
    return FreeVerdict(("no answer",), len(truth.facts), 0, gone, gone)


def _not_there(truth: Truth) -> Iterator[str]:
    """Yield the things that are not there, as far as the truth says."""
    for fact in truth.facts:
        if isinstance(fact, (ExistsFact, CountFact)) and not fact.value:
            yield fact.thing
        if isinstance(fact, WhichFact):
            yield from (thing for thing in fact.among if thing not in fact.values)


class _Judged:
    """One answer beside its truth."""

    def __init__(self, truth: Truth, text: str, result: Sequence[Row]) -> None:
        self.truth, self.text, self.result = truth, text, result
        self._faults: dict[type, Callable[[Any], Iterator[str]]] = {
            ExistsFact: self._exists,
            CountFact: self._count,
            WhereFact: self._where,
            WhichFact: self._which,
            CompareFact: self._compare,
            RelativeFact: self._relative,
            DistanceFact: self._distance,
            AttributeFact: self._attribute,
            NothingFact: self._nothing,
        }

    def faults(self, fact: Fact) -> Iterator[str]:
        """Yield what is wrong with what the answer says of a fact."""
        return self._faults[type(fact)](fact)

    def about(self, thing: str) -> str:
        """Return the part of the text that is about a thing."""
        others = [self.truth.names_of(other) for other in self.truth.things if other != thing]
        return said.about(self.text, self.truth.names_of(thing), others)

    def present(self, thing: str) -> bool:
        """Return whether the answer says that a thing is there: its sentence, or its result."""
        return self._said_present(thing) or any(_found(each, thing, self.truth) for each in self.result)

    def _said_present(self, thing: str, *, negated: bool = False) -> bool:
        """Return whether the sentence says so; `negated`: it was asked the other way round, so "no" does too."""
        own = self.about(thing)
        return bool(own) and not said.is_negative(own) and (negated or said.lead(own) != "no")

    # Presence and number

    def _exists(self, fact: ExistsFact) -> Iterator[str]:
        yield from self._there(fact.thing, fact.value, negated=fact.negated)

    def _there(self, thing: str, value: bool, *, negated: bool = False) -> Iterator[str]:
        if not value:
            if self.present(thing):
                yield f"says that there is {thing}, which is not there"
            own = self.about(thing)
            absent = said.asserts_absence(said.without_lead(own) if negated else own)
            if absent:
                yield f"says as a fact that there is no {thing}"
            return
        if self.result and not any(_found(each, thing, self.truth) for each in self.result):
            yield f"{thing}: not found"
        if not self._said_present(thing, negated=negated):
            yield f"does not say that there is {thing}"

    def _count(self, fact: CountFact) -> Iterator[str]:
        if fact.value == 0:
            yield from self._there(fact.thing, False)
            return
        counted = self._counted(fact.thing)
        if self.result and not any(_near(number, fact) for number in counted):
            yield f"{fact.thing}: counted {_told(counted)}, not {fact.value}"
        own = said.numbers(self.about(fact.thing))
        of_parts = {number for number, _ in own.of_parts}
        right = [number for number in own.values if _near(number, fact)]
        others = {other.value for other in self.truth.facts if isinstance(other, CountFact) and other is not fact}
        wrong = [number for number in own.values if not _near(number, fact) and number not in others | of_parts]
        if not right:
            yield f"does not say that there are {fact.value} of {fact.thing}"
        if wrong:
            yield f"{fact.thing}: says {_told(wrong)} too"
        for number, part in own.of_parts:
            inside = sum(part.holds(*place) for place in fact.places) if fact.places else fact.value
            if number > inside * (1 + fact.within):
                yield f"{fact.thing}: says {number:g} in the {part.words}, not {inside}"
        for low, high in own.ranges:
            if not low * (1 - fact.within) <= fact.value <= high * (1 + fact.within):
                yield f"{fact.thing}: says {low:g} to {high:g}"

    def _counted(self, thing: str) -> list[float]:
        return [number for each in self.result for number in _counts(each, thing, self.truth)]

    def _which(self, fact: WhichFact) -> Iterator[str]:
        for thing in fact.among:
            yield from self._there(thing, thing in fact.values)

    # Places

    def _where(self, fact: WhereFact) -> Iterator[str]:
        if self.result and not any(_found(each, fact.thing, self.truth) for each in self.result):
            yield f"{fact.thing}: not found"
        own = self.about(fact.thing)
        parts = said.parts_of_scene(own)
        if said.is_negative(own) and not parts:
            yield f"does not say where {fact.thing} is"
            return
        for part in parts:
            if not any(part.holds(*place) for place in fact.places):
                yield f"{fact.thing}: says {part.words}, where there is none"
        for x, y in fact.places:
            if not any(part.holds(x, y) for part in parts):
                yield f"{fact.thing}: does not say that one is at {x:.2f}, {y:.2f} of the scene"

    def _relative(self, fact: RelativeFact) -> Iterator[str]:
        told = [each for each in self.result if each.get("kind") == "relative"]
        own, relation = self.text, fact.relation
        if fact.asked:
            if self.result and not any(each.get("value") is fact.value for each in told):
                yield f"{relation}: computed {[each.get('value') for each in told]}, not {fact.value}"
            answer = said.lead(own)
            if answer is None:
                answer = self._agrees(fact)
            if answer != ("yes" if fact.value else "no"):
                yield f"does not say that it is {'' if fact.value else 'not '}{relation}"
            return
        sides = [_sides(str(each.get("found") or each.get("relation") or "")) for each in told]
        if self.result and not any(_fit(_sides(relation), each) for each in sides):
            yield f"computed {sides}, not {relation}"
        if not _fit(_sides(relation), self._said_sides(fact)):
            yield f"does not say that it is {relation}"

    def _agrees(self, fact: RelativeFact) -> str | None:
        """Return whether a sentence without yes or no says that the relation holds."""
        if fact.relation in ("near", "inside"):
            near = re.search(r"\b(near|close|next to|beside|inside|within|in)\b", self.text, re.IGNORECASE)
            return None if not near else "no" if said.is_negative(self.text) else "yes"
        sides = self._said_sides(fact)
        if not sides:
            return None
        if said.is_negative(self.text):
            return "no"
        return "yes" if _fit(_sides(fact.relation), sides) else "no"

    def _said_sides(self, fact: RelativeFact) -> frozenset[str]:
        """Return the directions that the text says of the first thing, seen from the second."""
        first, second = (self.truth.names_of(thing) for thing in fact.things)
        for match in _SIDES.finditer(self.text):
            after = self.text[match.end() :]
            prepositions = ("above", "below", "beneath", "under")
            if not re.match(r"\s+(?:of|from)\b", after) and match[0].lower() not in prepositions:
                continue
            sides = _sides(match[0])
            before = self.text[: match.start()]
            turned = said.names_any(after[:60], first) and not said.names_any(after[:60], second)
            if turned and said.names_any(before, second):
                return frozenset(_OPPOSITE[side] for side in sides)
            return sides
        return frozenset()

    def _distance(self, fact: DistanceFact) -> Iterator[str]:
        measured = [each for each in self.result if each.get("kind") in ("distance", "nearest")]
        told = [each["metres"] for each in measured if each.get("metres")]
        if self.result and not any(abs(metres - fact.metres) <= fact.within * fact.metres for metres in told):
            yield f"measured {told}, not {fact.metres:.0f} m"
        lengths = [
            float(number.replace(",", "")) * (1000 if unit.lower().startswith("k") else 1)
            for number, unit in _METRES.findall(self.text)
        ]
        if not any(abs(metres - fact.metres) <= fact.within * fact.metres for metres in lengths):
            yield f"does not say that it is {fact.metres:.0f} m"

    # Comparison and looks

    def _compare(self, fact: CompareFact) -> Iterator[str]:
        told = [each for each in self.result if each.get("kind") == "compare"]
        counts = [self._counted(thing) for thing in fact.things]
        if self.result:
            computed = [_more(each, fact, self.truth) for each in told]
            if not told and all(counts):
                computed = [fact.larger(max(counts[0]), max(counts[1]))]
            if fact.more not in computed:
                yield f"computed more of {computed}, not of {fact.more}"
        if self._said_more(fact) != (fact.more or "equal"):
            yield f"does not say that there is more of {fact.more}" if fact.more else "does not say that they are equal"

    def _said_more(self, fact: CompareFact) -> str | None:
        """Return the thing of which the text says that there is more, "equal", or None."""
        for word, turned in ((_MORE, False), (_FEWER, True)):
            for match in word.finditer(self.text):
                first = self._first_named(self.text[match.end() :], fact) or self._first_named(self.text, fact)
                outnumber = match[0].lower().startswith("outnumber")
                if outnumber:
                    first = self._first_named(self.text[: match.start()], fact)
                if first is not None:
                    other = next(thing for thing in fact.things if thing != first)
                    return other if turned else first
        if _EQUAL.search(self.text):
            return "equal"
        one, two = (said.number_of(self.text, self.truth.names_of(thing)) for thing in fact.things)
        if one is not None and two is not None:
            return fact.larger(one, two) or "equal"
        absent = [said.is_negative(self.about(thing)) for thing in fact.things]
        if sum(absent) == 1 and all(self.about(thing) for thing in fact.things):
            return fact.things[absent.index(False)]
        return None

    def _first_named(self, text: str, fact: CompareFact) -> str | None:
        ends = {}
        for thing in fact.things:
            words = text.split()
            for end in range(1, len(words) + 1):
                if said.names_any(" ".join(words[:end]), self.truth.names_of(thing)):
                    ends[thing] = end
                    break
        return min(ends, key=lambda thing: ends[thing]) if ends else None

    def _attribute(self, fact: AttributeFact) -> Iterator[str]:
        words = self.text.lower()
        if not any(re.search(rf"\b{re.escape(value.lower())}\b", words) for value in fact.values):
            yield f"does not say {fact.values[0]}"
        for other in fact.others:
            if re.search(rf"\b{re.escape(other.lower())}\b", words):
                yield f"says {other}"

    def _nothing(self, _: NothingFact) -> Iterator[str]:
        if any(each.get("outcome") == "found" for each in self.result):
            yield "answers what cannot be answered"


# Results of a record


def _found(each: Row, thing: str, truth: Truth) -> bool:
    """Return whether a result says that a thing was found."""
    if each.get("outcome") not in (None, "found"):
        return False
    names, kind = truth.names_of(thing), each.get("kind")
    if any(said.same_name(missing, names) for missing in each.get("missing") or ()):
        return False
    if kind in ("which", "list"):
        among = [value for value in each.get("values") or () if said.same_name(str(value), names)]
        if kind == "which" and each.get("negated"):
            return not among and _is_about(each, names)
        return bool(among)
    if kind == "compare":
        pairs = zip(each.get("phrases") or (), each.get("values") or (), strict=False)
        return any(said.same_name(phrase, names) and value > 0 for phrase, value in pairs)
    if kind in ("exists", "count", "share", "density"):
        return _is_about(each, names) and bool(each.get("value"))
    return _is_about(each, names)


def _is_about(each: Row, names: Sequence[str]) -> bool:
    phrases = [each.get("phrase"), *(each.get("phrases") or ())]
    return any(said.same_name(str(phrase), names) for phrase in phrases if phrase)


def _counts(each: Row, thing: str, truth: Truth) -> Iterator[float]:
    """Yield the numbers of a thing that a result says."""
    names, kind = truth.names_of(thing), each.get("kind")
    if kind == "compare" and each.get("by") == "count":
        pairs = zip(each.get("phrases") or (), each.get("values") or (), strict=False)
        yield from (float(value) for phrase, value in pairs if said.same_name(phrase, names))
    elif not _is_about(each, names):
        return
    elif kind == "count" and each.get("value") is not None:
        yield float(each["value"])
    elif kind == "density" and each.get("count") is not None:
        yield float(each["count"])
    elif kind in ("exists", "where"):
        yield float(len(each.get("places") or ()))


def _told(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers) or "nothing"


def _near(number: float, fact: CountFact) -> bool:
    return abs(number - fact.value) <= fact.within * fact.value


def _more(each: Row, fact: CompareFact, truth: Truth) -> str | None:
    """Return the thing of which a comparison says that there is more; None: equally many."""
    more = each.get("more")
    return next((thing for thing in fact.things if more and said.same_name(str(more), truth.names_of(thing))), None)


def _sides(words: str) -> frozenset[str]:
    found = re.findall(r"north|south|east|west|above|below|left|right|beneath|under", words.lower())
    return frozenset(_AS.get(side, side) for side in found)


def _fit(wanted: frozenset[str], told: frozenset[str]) -> bool:
    """Return whether directions agree: at least one is the same, and none is the opposite."""
    return bool(wanted & told) and not any(_OPPOSITE[side] in told for side in wanted)
