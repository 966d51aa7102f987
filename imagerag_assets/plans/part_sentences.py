"""The sentence of each operation of a plan, as `sentence.py` puts them together."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from imagerag_assets.plans.comparison_sentence import comparison
from imagerag_assets.plans.contradictions import is_name, kept
from imagerag_assets.plans.lexicon import EXTENDED
from imagerag_assets.plans.pair_sentences import UNSURE, distance, nearest, relative
from imagerag_assets.plans.plan import (
    Compare,
    Count,
    Exists,
    Part,
    Plan,
    Thing,
    Which,
    landmarks_of,
)
from imagerag_assets.plans.result import (
    AttributeResult,
    ChangeResult,
    CompareResult,
    CountResult,
    DensityResult,
    DescribeResult,
    ExistsResult,
    Listed,
    ListResult,
    Outcome,
    Place,
    Result,
    ShareResult,
    WhichResult,
)
from imagerag_assets.plans.same_things import SameThing, same_thing
from imagerag_assets.plans.whereabouts import Whereabouts, part, region
from imagerag_assets.plans.wording import article, counted, is_mass, joined, number, plural, singular, was

_HEDGED = ("which", "compare", "nearest", "distance", "share", "density", "list")
"""Results whose first sentence says "possibly" where it is unsure; others say it in their own way."""
_NO_CHANGE = "No place was found that differs much more than the others do"
"""Of two dates; where all of it changed alike, no place stands out."""
DENSE = 20
"""From here on a number with an interval is "about" so many."""


class Teller:
    """Say what was found for the parts of one plan."""

    def __init__(
        self,
        plan: Plan,
        results: tuple[Result, ...],
        scenes: Mapping[str, str],
        *,
        one_scene: bool,
        same_thing: SameThing = same_thing,
        in_general: Collection[str] = (),
        too_small: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Take what is told.

        Args:
            plan: What was asked.
            results: One for each part.
            scenes: Scene key to title, of all scenes in scope.
            one_scene: Whether the question is about one scene.
            same_thing: How surely two names mean the same thing.
            in_general: Phrases that stand for a kind of what they name: that one was found is no "yes".
            too_small: Phrases that are too small for every scene, with the metres that a pixel covers.
        """
        self.plan = plan
        self._in_general = in_general
        self._too_small = too_small
        self._same_thing = same_thing
        self.results = tuple(
            result if result.where else result.model_copy(update={"where": region(part.region)})
            for part, result in zip(plan.parts, results, strict=True)
        )
        self.where = Whereabouts(scenes, one_scene=one_scene)
        self._of: dict[str, Callable[[Any, Any], list[str]]] = {
            "exists": self._found_things,
            "count": self._found_things,
            "where": self._found_things,
            "which": self._which,
            "compare": self._compare,
            "nearest": functools.partial(nearest, self.where),
            "distance": functools.partial(distance, self.where),
            "relative": functools.partial(relative, self.where),
            "share": self._share,
            "density": self._density,
            "list": self._list,
            "describe": self._describe,
            "attribute": self._attribute,
            "change": self._change,
        }

    def part(self, index: int) -> list[str]:
        """Return the sentences of one part."""
        asked, result = self.plan.parts[index], self.results[index]
        if result.skipped:
            return self._skipped(index)
        if result.outcome != "found" and result.kind not in ("which", "compare"):
            sentences = self._nothing(asked, result)
        else:
            sentences = list(self._of[result.kind](asked, result))
            unsure = result.confidence is not None and result.confidence < UNSURE
            if (
                unsure
                and result.kind in _HEDGED
                and not sentences[0].lower().startswith(("no ", "what looked", "i cannot"))
            ):
                sentences[0] = f"possibly {sentences[0].removeprefix('Yes: ').removeprefix('No: ')}"
            told = " ".join(sentences).lower()
            for name, outcome in self._missing(asked, result).items():
                if not any(words in told for words in (f"no {name} ".lower(), f"recognise '{name}'".lower())):
                    sentences.append(self._no(name, outcome, result))
        if result.searched is not None and len(result.missing) > 1 and "looked at" not in " ".join(sentences):
            sentences.append(_looked_at(result.searched))
        return _with_surroundings(asked, sentences)

    def group(self, indices: Sequence[int]) -> list[str]:
        """Return one sentence for parts that ask whether, how many and where of the same thing."""
        told = [(self.plan.parts[index], self.results[index]) for index in indices if not self.results[index].skipped]
        asked, result = told[0]
        if result.outcome == "found":
            return _with_surroundings(asked, self._found(asked.things[0], [each for _, each in told]))
        best = max((each for _, each in told), key=lambda each: (each.best is not None, each.searched is not None))
        return _with_surroundings(asked, self._nothing(asked, best))

    # What was not found

    def _no(self, name: str, outcome: Outcome, result: Result, *, negated: bool = False, where: str = "") -> str:
        if outcome == "unrecognised":
            phrase = next((thing.phrase for thing in self.plan.things if thing.name == name), name)
            if (metres := self._too_small.get(phrase)) is not None:
                coarse = f"a pixel covers {number(metres)} m, which is too coarse"
                return f"I cannot recognise '{name}' in this imagery: {coarse}"
            return f"I cannot recognise '{name}' in this imagery; example pictures of it would help"
        if outcome == "rejected":
            places: Sequence[Place] = getattr(result, "places", ())
            at = f" {self.where.one(places[0])}" if len(places) == 1 else ""
            told = f"What looked like {article(name)}{at} did not hold on a closer look"
            return f"{told}: no {name} {was(name)} found{where}"
        scope = where or (f" {self.where.everywhere()}" if self.where.everywhere() else "")
        notes = []
        alone = result.outcome == outcome and len(result.missing) <= 1  # else it is not this thing's
        if result.searched is not None and alone:
            notes.append(_looked_at(result.searched))
        if result.best is not None and alone:
            notes.append(f"the best candidate has a confidence of {result.best:.2f}")
        noted = f" ({'; '.join(notes)})" if notes else ""
        told = f"no {name} {was(name)} found{scope}{noted}"
        return f"{told}, which does not rule it out" if negated else told

    def _nothing(self, asked: Part, result: Result) -> list[str]:
        where = _after(result.where)
        things = [thing.name for thing in asked.things]
        if not things or (not _own(asked) and not result.missing):
            what = {"change": _NO_CHANGE, "describe": "No description could be made"}
            return [what.get(asked.op, f"Nothing was found{where} that I can name")]
        missing = self._missing(asked, result) or {thing.name: result.outcome for thing in _looked_for(asked)}
        negated = bool(getattr(asked, "negated", False)) and isinstance(asked, Exists)
        around = {landmark.name for landmark in landmarks_of(asked.region)}
        if around & missing.keys():  # then nothing could lie near it
            missing = {name: each for name, each in missing.items() if name in around or each != "not_found"}
        told = [
            self._no(name, outcome, result, negated=negated, where="" if name in around else where)
            for name, outcome in missing.items()
        ]
        others = [name for name in things if name not in missing and name not in around and name not in " ".join(told)]
        if others:
            told.append(f"so the question about {joined(map(plural, others))} stays open")
            return [", ".join(told)] if len(told) == 2 and not re.search(r"[(;]", told[0]) else told
        return told

    def _skipped(self, index: int) -> list[str]:
        asked = self.plan.parts[index]
        earlier = {thing for each in self.plan.parts[:index] for thing in each.things}
        new = [thing.name for thing in asked.things if thing not in earlier]
        if not new:
            return []
        because = ""
        if asked.when is not None and not self.results[asked.when].skipped:
            condition = self.plan.parts[asked.when].things[0].name
            found = self.results[asked.when].outcome == "found"
            because = f"as {article(condition) if found else f'no {condition}'} {was(condition)} found, "
        return [f"{because}I did not look for {joined(map(plural, new))}"]

    def _missing(self, asked: Part, result: Result) -> dict[str, Outcome]:
        return {self._name(asked, phrase): outcome for phrase, outcome in result.missing.items()}

    # What was found

    def _found_things(self, asked: Part, result: Result) -> list[str]:
        return self._found(asked.things[0], [result])

    def _found(self, thing: Thing, results: Sequence[Result]) -> list[str]:
        """Return the sentence of results that say whether, how many and where."""
        name = thing.name
        exists = next((each for each in results if isinstance(each, ExistsResult)), None)
        count = next((each for each in results if isinstance(each, CountResult) and each.value is not None), None)
        places: tuple[Place, ...] = max((getattr(each, "places", ()) for each in results), key=len)
        known = next((each.where for each in results if each.where), None)
        elsewhere = None if count else self._counted_elsewhere(thing, known)
        total = count.value if count and count.value is not None else len(places) if elsewhere is None else 0
        sites = count.in_places if count is not None else None
        several = f" in {counted('place', sites)}" if sites else ""
        marked = several + self.where.several(places, sites or total or elsewhere or 0, known=known)
        best = max((each.confidence for each in places), default=None)
        confidence = exists.confidence if exists else count.confidence if count else best
        unsure = confidence is not None and confidence < UNSURE
        doubtful = unsure or (count is not None and count.low == 0)
        if total:
            about = "about " if count and total >= DENSE and _spread(count) else ""
            what = f"{about}{_in_places(thing, total)}{_interval(count)}"
            verb = "was" if total == 1 else "were"
        else:
            what, verb = (article(name) if elsewhere in (None, 1) else plural(name)), was(name, elsewhere or 1)
        general = thing.phrase in self._in_general
        lead = "" if general and exists else self._lead(exists, unsure)
        if count is not None and _asks_for_a_number(self.plan, thing) and not general:
            answer = "yes" if count.holds else "no" if count.holds is False else "possibly"
            told = f"{answer}: {what} {verb} found{_after(known)}{marked}"
        elif lead is None and isinstance(results[0], CountResult):
            told = f"found {what}{_after(known)}{marked}"
        elif unsure:
            told = f"possibly {what} {verb} found{_after(known)}{marked}"
        else:
            told = f"{lead or ''}{what} {verb} found{_after(known)}{marked}"
        if doubtful and confidence is not None:
            told += f" (confidence {confidence:.2f})"
        rest = self.where.without(places)
        return [f"{told}; no {name} {was(name)} found {rest}" if rest else told]

    def _lead(self, exists: ExistsResult | None, unsure: bool) -> str | None:
        if exists is None:
            return "" if unsure else None
        if exists.negated and not self.where.one_scene:
            return ""  # of "are there scenes without ships?" neither yes nor no is the answer; the scenes are
        return "No: " if exists.negated else "Yes: "

    def _counted_elsewhere(self, thing: Thing, where: str | None) -> int | None:
        """Return the number that another part gives of the same thing, which this part then does not repeat."""
        for asked, result in zip(self.plan.parts, self.results, strict=True):
            if not isinstance(result, CountResult) or result.skipped or not result.value:
                continue
            if asked.things[0] == thing and result.where == where:
                return result.value
        return None

    def _which(self, asked: Which, result: WhichResult) -> list[str]:
        among = [thing.name for thing in asked.among]
        values = {self._name(asked, value) for value in result.values}
        missing = self._missing(asked, result)
        otherwise: Outcome = "not_found" if result.outcome == "found" else result.outcome
        found = [name for name in among if name not in missing and ((name in values) != result.negated)]
        absent = {name: missing.get(name, otherwise) for name in among if name not in found}
        told = [self._no(name, outcome, result, where=_after(result.where)) for name, outcome in absent.items()]
        if not found:
            return told
        positive = f"{joined(map(article, found))} {'was' if len(found) == 1 else 'were'} found{_after(result.where)}"
        return [*told, positive] if result.negated else [positive, *told]

    def _compare(self, asked: Compare, result: CompareResult) -> list[str]:
        names = [thing.name for thing in asked.among]
        missing = self._missing(asked, result)
        where = _after(result.where)
        otherwise: Outcome = "not_found" if result.outcome == "found" else result.outcome
        found = [
            (name, value)
            for name, value in zip(names, result.values, strict=False)
            if name not in missing and value > 0
        ]
        absent = {name: missing.get(name, otherwise) for name in names if name not in [known for known, _ in found]}
        no = {name: self._no(name, outcome, result, where=where) for name, outcome in absent.items()}
        if not found:
            return list(no.values())
        known = "unrecognised" not in absent.values()
        return comparison(result, found, no, known=known, measure=asked.measure, times=asked.times)

    def _share(self, asked: Part, result: ShareResult) -> list[str]:
        name = asked.things[0].name
        if result.value is None:
            return [f"how much is covered by {plural(name)} could not be measured"]
        verb = "covers" if is_mass(name) else "cover"
        return [
            f"{plural(name)} {verb} about {number(result.value)} % of the ground that was looked at"
            f"{_after(result.where)}"
        ]

    def _density(self, asked: Part, result: DensityResult) -> list[str]:
        name = asked.things[0].name
        if result.value is None:
            found = f"{counted(name, result.count)} {was(name, result.count)} found, but " if result.count else ""
            return [f"{found}how many {plural(name)} there are per km² is unknown without a known scale"]
        base = ""
        if result.count is not None and result.area_km2 is not None:
            base = f" ({counted(name, result.count)} in {number(result.area_km2)} km²)"
        return [f"about {number(result.value)} {plural(name)} per km² were found{_after(result.where)}{base}"]

    def _list(self, asked: Part, result: ListResult) -> list[str]:
        if not result.values:
            return [f"Nothing was found{_after(result.where)} that I can name"]
        if result.things:
            return [_inventory(result.things, result.where)]
        verb = "was" if len(result.values) == 1 else "were"
        return [f"{joined(map(article, result.values))} {verb} found{_after(result.where)}"]

    # What a model saw

    def _kept(self, text: str) -> str:
        return kept(text, self.plan, self.results, same_thing=self._same_thing)

    def _describe(self, asked: Part, result: DescribeResult) -> list[str]:
        text = self._kept(result.text or "")
        text = "" if re.fullmatch(r"\W*\w*\W*", text) else text  # "Yes." describes nothing
        names = [thing.name for thing in asked.things] if _own(asked) else []
        if result.things:
            return [*([text] if text else []), _inventory(result.things, result.where)]
        if text and not names and is_name(text):
            guess = re.sub(r"^(?:an?|the) ", "", text.rstrip(".").lower())
            text = f"it may be {article(guess)}"
        if not text:
            return [f"No description of {joined(f'the {name}' for name in names)} could be made"
                    if names else "No description could be made"]  # fmt: skip
        if any(name.lower() not in text.lower() for name in names):
            return [f"{joined(f'the {name}' for name in names)}: {text}"]
        return [text]

    def _attribute(self, asked: Part, result: AttributeResult) -> list[str]:
        name = asked.things[0].name
        value = self._kept(result.value or "").rstrip(". ")
        of = f"the {result.name} {'around' if result.around else 'of'} the {result.instead or name}"
        lost = [f"no {name} was found by itself at the {result.instead}"] if result.instead else []
        if not value:
            return [*lost, f"{of} could not be seen"]
        return [*lost, f"{of}: {value}" if len(value.split()) > 6 else f"{of} is {value}"]

    def _change(self, asked: Part, result: ChangeResult) -> list[str]:
        told: list[str] = []
        name = asked.things[0].name if asked.things else None
        if name and result.before is not None and result.after is not None:
            before, after = (
                f"{_in_places(asked.things[0], count)} {was(name, count)}" if count else f"no {name} {was(name)}"
                for count in (result.before, result.after)
            )
            difference = result.after - result.before
            more = f", {abs(difference)} {'more' if difference > 0 else 'fewer'}" if difference else ", no difference"
            told.append(f"{before} found at the earlier date and {after} found at the later date{more}")
        text = self._kept(result.text or "")
        if text:
            told.append(text)
        if not told and result.places:
            number_of = counted("place", len(result.places))
            told = [f"{number_of} {was('place', len(result.places))} found where the two dates differ most"
                    f"{self.where.several(result.places, len(result.places))}"]  # fmt: skip
        return told or [_NO_CHANGE]

    def _name(self, asked: Part, phrase: str) -> str:
        """Return the question's own word for a phrase that was looked for."""
        for thing in (*asked.things, *self.plan.things):
            if phrase == thing.name:
                return phrase
        return next((thing.name for thing in (*asked.things, *self.plan.things) if thing.phrase == phrase), phrase)


def _inventory(things: Sequence[Listed], where: str | None) -> str:
    """Return what was found, with where most of it is: "a ship in the upper left; houses in the upper right"."""
    told = []
    for each in things:
        # Of so many things only the best places were looked at closely, so that their number says nothing.
        name = article(each.phrase) if each.number == 1 else plural(each.phrase)
        names = [part(name) for name in each.parts[:2]]
        told.append(f"{name} {joined(names)}{' and elsewhere' if len(each.parts) > len(names) else ''}")
    return f"what was found{_after(where)}: {'; '.join(told)}"


def _in_places(thing: Thing, number_of: int) -> str:
    """Return a number with its noun; of what is no object a number of places, as one river is seen in many."""
    if number_of > 1 and thing.phrase in EXTENDED and not is_mass(thing.name):
        return f"{number_of} places with {article(singular(thing.name))}"
    return counted(thing.name, number_of)


def _asks_for_a_number(plan: Plan, thing: Thing) -> bool:
    """Return whether the question names a number of a thing: "are there more than two ships?"."""
    return any(
        isinstance(each, Count) and each.thing == thing and (each.at_least, each.at_most) != (None, None)
        for each in plan.parts
    )


def _looked_at(searched: float) -> str:
    share = f"{number(100 * searched)} %" if searched < 0.9995 else "all"
    return f"{share} of the area was looked at"


def _with_surroundings(asked: Part, sentences: list[str]) -> list[str]:
    """Return sentences with one more, if none of them names what the region of the part is described by."""
    told = " ".join(sentences).lower()
    if any(landmark.name.lower() not in told for landmark in landmarks_of(asked.region)):
        return [*sentences, f"this is about what lies {region(asked.region)}"]
    return sentences


def _looked_for(asked: Part) -> tuple[Thing, ...]:
    """Return the things whose absence is the outcome; the surroundings of a region come last and only in its words."""
    return _own(asked) or asked.things


def _own(asked: Part) -> tuple[Thing, ...]:
    """Return the things that are asked about, without those that the region is described by."""
    return tuple(thing for thing in asked.things if thing not in landmarks_of(asked.region))


def _after(where: str | None) -> str:
    return f" {where}" if where else ""


def _spread(count: CountResult) -> bool:
    return count.low is not None and count.high is not None and count.low < count.high


def _interval(count: CountResult | None) -> str:
    if count is None:
        return ""
    notes = []
    if _spread(count) and (count.low or count.high != count.value):  # that there may be none is said by the confidence
        notes = [f"{count.low} to {count.high}" if count.low else f"up to {count.high}"]
    if count.area_km2:
        notes.append(f"{number(count.area_km2)} km² looked at")
    return f" ({'; '.join(notes)})" if notes else ""
