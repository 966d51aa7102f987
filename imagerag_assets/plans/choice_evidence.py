"""How well a claim agrees with what was computed: the probability that the claim is true, given the results.

Degrees everywhere: a count has an interval, a place has neighbours, and not found is weak evidence of absence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from imagerag_assets.plans.choice_meaning import Claim
from imagerag_assets.plans.directions import Frame, alignment, directions, middle
from imagerag_assets.plans.likelihood import above, alike, equal, larger, near, spread, times_as_many
from imagerag_assets.plans.numbers import Quantity
from imagerag_assets.plans.plan import Compare, Distance, Nearest, Part, Plan, Relative
from imagerag_assets.plans.result import (
    AttributeResult,
    ChangeResult,
    CompareResult,
    CountResult,
    DensityResult,
    DistanceResult,
    ExistsResult,
    ListResult,
    NearestResult,
    Outcome,
    Place,
    RelativeResult,
    Result,
    ShareResult,
    WhereResult,
    WhichResult,
)
from imagerag_assets.plans.wording import counted, plural

FOUND = 0.9
"""Presence of a thing that was found, if the result does not say how sure it is."""
MOST_ABSENT = 0.85
LEAST_ABSENT = 0.4
REJECTED_ABSENT = 0.75
"""How far not finding a thing, and rejecting what looked like it, speak for its absence: never certainty."""


SITES = 0.4
"""How far the number of places may be meant where a number of objects is asked."""


@dataclass
class Grounds:
    """What a score stands on, gathered while claims are weighed."""

    notes: list[str] = field(default_factory=list)
    strong: bool = False
    """Whether something that was found is among it."""

    @property
    def weak(self) -> bool:
        """Whether it stands only on things that were not found, or hardly."""
        return bool(self.notes) and not self.strong

    def add(self, note: str, *, weak: bool = False) -> None:
        """Note one ground, once."""
        self.strong = self.strong or not weak
        if note not in self.notes:
            self.notes.append(note)


class Evidence:
    """The results of a plan as an answer to claims."""

    def __init__(self, plan: Plan, results: Sequence[Result], frame: Frame) -> None:
        self.pairs: list[tuple[Part, Result]] = [
            (part, result) for part, result in zip(plan.parts, results, strict=True) if not result.skipped
        ]
        self.frame = frame
        self.grounds = Grounds()

    @property
    def things(self) -> list[str]:
        """Names of all things that are spoken of."""
        names = [thing.name for part, _ in self.pairs for thing in part.things]
        listed = [value for _, result in self.pairs if isinstance(result, ListResult) for value in result.values]
        return list(dict.fromkeys([*names, *listed]))

    def claim(self, claim: Claim) -> float | None:
        """Return how probable a claim is; None: the results do not speak of it."""
        thing = claim.things[0] if claim.things else None
        told: list[float | None] = []
        if claim.answer is not None:
            told.append(self._answer(claim.answer))
        placed: float | None = None
        if claim.more is not None:
            placed = self._more(claim, thing)
        elif claim.quantity is not None:
            placed = self._number(claim.quantity, thing, within=claim if claim.places else None)
            if placed is None and claim.places:
                placed = self._places(claim, thing)
        elif claim.places:
            placed = self._places(claim, thing)
        if claim.present is False and placed is not None and claim.quantity is None:
            placed = 1 - placed  # "not in the north", "not the same number"
        told.append(placed)
        told.append(self._coloured(claim))
        if claim.absent or (claim.present and claim.quantity is None and not claim.places and claim.more is None):
            present = self.present(thing)
            told.append(present if claim.present or present is None else 1 - present)
        if claim.only:
            told += [self._named(name) for name in claim.things]
        known = [each for each in told if each is not None]
        return math.prod(known) if known else None

    def present(self, thing: str | None) -> float | None:
        """Return how probable it is that a thing is there; None for the thing: the first one asked about."""
        for part, result in self._about(thing):
            name = thing or (part.things[0].name if part.things else None)
            outcome = self._outcome(part, result, name)
            if outcome == "found":
                sure = _sure(result)
                self.grounds.add(f"{name or 'it'} found", weak=sure < 0.5)
                return sure
            if outcome in ("not_found", "rejected"):
                absent = _absent(result) if outcome == "not_found" else REJECTED_ABSENT
                self.grounds.add(f"{name or 'it'} {'not found' if outcome == 'not_found' else 'rejected'}", weak=True)
                return 1 - absent
        return None

    def none_present(self, names: Sequence[str]) -> float | None:
        """Return how probable it is that none of these is there."""
        known = [each for each in (self.present(name) for name in names) if each is not None]
        return math.prod(1 - each for each in known) if known else None

    # One claim each

    def _answer(self, yes: bool) -> float | None:
        for part, result in self.pairs:
            probable: float | None = None
            if isinstance(result, ExistsResult):
                present = self.present(part.things[0].name)
                probable = None if present is None else 1 - present if result.negated else present
            elif isinstance(result, RelativeResult) and result.value is not None and result.asked:
                sure = max(0.55, result.confidence if result.confidence is not None else FOUND)
                probable = sure if result.value != result.negated else 1 - sure
                one, other = _pair(part)
                self.grounds.add(f"seen from the {other}, the {one} is {result.found}")
            elif isinstance(result, CompareResult):
                first = part.things[0].name
                probable = self._ranked(part, result, None if result.wanted == "equal" else first, result.wanted)
                if isinstance(part, Compare) and part.times and min(result.values[:2]) > 0:
                    probable = times_as_many(result.values[0], result.values[1], (part.times, part.times))
            elif isinstance(result, ChangeResult) and result.before is not None and result.after is not None:
                probable = 1 - equal(result.before, result.after)
                self.grounds.add(f"{result.before} before, {result.after} after")
            elif isinstance(result, (CountResult, WhereResult)):
                probable = self.present(part.things[0].name)
            if probable is not None:
                return probable if yes else 1 - probable
        return None

    def _number(self, quantity: Quantity, thing: str | None, within: Claim | None = None) -> float | None:
        for part, result in self._about(thing):
            measured = self._measured(quantity, part, result)
            if measured is not None:
                return measured
        if quantity.unit:
            return None
        counts = [pair for pair in self._about(thing) if isinstance(pair[1], CountResult)]
        others = [
            pair for pair in self._about(thing) if isinstance(pair[1], (ExistsResult, WhereResult, CompareResult))
        ]
        for part, result in (*counts, *others):
            probable = self._count(quantity, part, result, thing, within)
            if probable is not None:
                return probable
        return None

    def _measured(self, quantity: Quantity, part: Part, result: Result) -> float | None:
        """Return how a quantity with a unit, or a density, agrees with what was measured."""
        apart = isinstance(result, DistanceResult) or (isinstance(result, NearestResult) and quantity.unit == "m")
        metres: float | None = getattr(result, "metres", None) if apart else None
        if metres is not None and quantity.unit in ("m", ""):
            self.grounds.add(f"the distance is {metres:.0f} m")
            return near(math.log(max(metres, 1)), _log(quantity), 0.12)
        if isinstance(result, DistanceResult) and quantity.unit == "px" and result.pixels is not None:
            self.grounds.add(f"the distance is {result.pixels:.0f} pixels")
            return near(math.log(max(result.pixels, 1)), _log(quantity), 0.12)
        if isinstance(result, ShareResult) and result.value is not None and quantity.unit in ("%", ""):
            self.grounds.add(f"the share is {result.value:.0f} %")
            return near(result.value, (quantity.low, quantity.high), 3 + 0.1 * result.value)
        if isinstance(result, DensityResult) and result.value is not None and not quantity.unit:
            self.grounds.add(f"the density is {result.value:.1f} per km²")
            return near(math.log(max(result.value, 1e-3)), _log(quantity), 0.15)
        if isinstance(result, CompareResult) and isinstance(part, Compare) and not quantity.unit and part.measure:
            one, other = result.values[:2]
            if part.measure == "ratio":
                return times_as_many(one, other, (quantity.low, quantity.high)) if min(one, other) > 0 else None
            self.grounds.add(f"the difference is {abs(one - other):.0f}")
            return near(abs(one - other), (quantity.low, quantity.high), 0.6 + 0.1 * abs(one - other))
        if isinstance(result, ChangeResult) and not quantity.unit and None not in (result.before, result.after):
            difference = abs((result.after or 0) - (result.before or 0))
            self.grounds.add(f"the difference is {difference}")
            return near(difference, (quantity.low, quantity.high), 0.6 + 0.1 * difference)
        return None

    def _count(
        self, quantity: Quantity, part: Part, result: Result, thing: str | None, within: Claim | None
    ) -> float | None:
        name = thing or part.things[0].name
        outcome = self._outcome(part, result, name)
        if outcome in (None, "unrecognised"):
            return None
        present = self.present(name)
        if present is None:
            return None
        zero = (1 - present) if quantity.low <= 0 else 0.0
        if outcome != "found":
            low, high = max(1.0, quantity.low), quantity.high
            return zero + (present * (0.5 ** (low - 1) - 0.5**high) if high >= low else 0.0)
        value, sigma = self._counted(part, result, name)
        if value is None:
            return None
        if within is not None:
            places: Sequence[Place] = getattr(result, "places", ())
            if not places:
                return None
            shares = [max(self.frame.membership(place, each) for each in within.places) for place in places]
            sigma = max(0.4, sigma * math.fsum(shares) / len(places))
            value = value * math.fsum(shares) / len(places)
            self.grounds.add(f"{value:.1f} {plural(name)} in the part named", weak=present < 0.5)
        else:
            self.grounds.add(f"{counted(name, round(value))} counted", weak=present < 0.5)
        low, high = max(0.0 if within else 1.0, quantity.low), quantity.high
        sites = getattr(result, "in_places", None)
        if sites and within is None and high >= low:
            # "How many tanks?" may mean the tanks, or the places that have some: the choices tell which.
            either = (1 - SITES) * near(value, (low, high), sigma) + SITES * near(sites, (low, high), spread(sites))
            return zero + present * either
        return zero + (present * near(value, (low, high), sigma) if high >= low else 0.0)

    def _counted(self, part: Part, result: Result, name: str) -> tuple[float | None, float]:
        """Return a number of objects and its standard deviation."""
        if isinstance(result, CountResult) and result.value is not None:
            sigma = None if result.low is None or result.high is None else (result.high - result.low) / 3.92
            return float(result.value), max(0.4, spread(result.value) if sigma is None else sigma)
        if isinstance(result, CompareResult) and result.by == "count":
            names = [thing.name for thing in part.things]
            if name in names[: len(result.values)]:
                value = result.values[names.index(name)]
                return value, spread(value)
            return None, 0.0
        places: Sequence[Place] = getattr(result, "places", ())
        return (float(len(places)), spread(len(places))) if places else (None, 0.0)

    def _places(self, claim: Claim, thing: str | None) -> float | None:
        for part, result in self._about(thing):
            if isinstance(result, RelativeResult) and result.outcome == "found":
                vector = _vector(result)
                if vector is not None:
                    one, other = _pair(part)
                    self.grounds.add(f"seen from the {other}, it is {result.found or result.relation}")
                    if claim.things[:2] == (other, one) != (one, other):  # told the other way round
                        vector = (-vector[0], -vector[1])
                    return max(alignment(vector, each) for each in claim.places)
        for part, result in self._about(thing):
            places = self._where(part, result, thing)
            if places:
                shares = [[self.frame.membership(place, each) for each in claim.places] for place in places]
                weights = [max(place.confidence, 1e-3) for place in places]
                fit = math.fsum(map(math.prod, zip(weights, map(max, shares), strict=True))) / math.fsum(weights)
                named = min(max(row[column] for row in shares) for column in range(len(claim.places)))
                names = dict.fromkeys(place.name for place in places)
                present = self.present(thing) or FOUND
                self.grounds.add(f"in the {' and '.join(names)}", weak=present < 0.5)
                return fit * (named if len(claim.places) > 1 else 1) * present
        return None

    def _where(self, part: Part, result: Result, thing: str | None) -> Sequence[Place]:
        if isinstance(result, NearestResult):
            one, other = _pair(part)
            if thing is not None and thing == other != one:
                return [result.to] if result.to else []
            return [result.place] if result.place else []
        if isinstance(result, (DistanceResult, RelativeResult)) and result.ends and thing is not None:
            return [result.ends[0] if thing == _pair(part)[0] else result.ends[1]]
        return getattr(result, "places", ()) if result.outcome == "found" else ()

    def _coloured(self, claim: Claim) -> float | None:
        """Return the share of the colours that a claim names, where a colour was asked and measured."""
        for _, result in self.pairs:
            if claim.colours and isinstance(result, AttributeResult) and result.colours:
                self.grounds.add(f"the {result.name} is {result.value}")
                return math.fsum(result.colours.get(name, 0.0) for name in claim.colours)
        return None

    def _more(self, claim: Claim, thing: str | None) -> float | None:
        for part, result in self.pairs:
            if isinstance(result, CompareResult):
                if claim.more == "equal":
                    return self._ranked(part, result, None, "equal")
                return self._ranked(part, result, thing or part.things[0].name, claim.more or "more")
            if isinstance(result, ChangeResult) and result.before is not None and result.after is not None:
                same, up = equal(result.before, result.after), above(result.after, result.before)
                self.grounds.add(f"{result.before} before, {result.after} after")
                return {"equal": same, "more": up, "fewer": 1 - same - up}[claim.more or "equal"]
        return None

    def _ranked(self, part: Part, result: CompareResult, thing: str | None, wanted: str) -> float | None:
        """Return how probable it is that there is most, or least, of a thing, or as much of all."""
        names = [each.name for each in part.things[: len(result.values)]]
        outcomes = [self._outcome(part, result, name) for name in names]
        if "unrecognised" in outcomes or not any(outcome == "found" for outcome in outcomes):
            return None
        told = ", ".join(f"{name} {value:.0f}" for name, value in zip(names, result.values, strict=False))
        self.grounds.add(f"compared: {told}")
        same, over = (equal, above) if result.by == "count" else (alike, larger)
        if wanted == "equal":
            return math.prod(same(result.values[0], value) for value in result.values[1:])
        if thing not in names:
            return None
        own = result.values[names.index(thing)]
        others = [value for name, value in zip(names, result.values, strict=False) if name != thing]
        return math.prod(over(own, value) if wanted == "more" else over(value, own) for value in others)

    def _named(self, name: str) -> float | None:
        """Return how probable it is that a thing is what is asked for, where the choice is just its name."""
        for part, result in self.pairs:
            names = [thing.name for thing in part.things]
            if isinstance(result, CompareResult) and name in names:
                return self._ranked(part, result, name, "fewer" if result.wanted == "fewer" else "more")
            if isinstance(result, ListResult) and name in result.values:
                self.grounds.add(f"{name} was found")
                return _sure(result)
            if isinstance(result, WhichResult) and name in names:
                present = self.present(name)
                return None if present is None else 1 - present if result.negated else present
            if isinstance(result, ExistsResult) and name in names:
                present = self.present(name)
                return None if present is None else 1 - present if result.negated else present
        return self.present(name)

    def _about(self, thing: str | None) -> list[tuple[Part, Result]]:
        if thing is None:
            return self.pairs
        return [
            (part, result)
            for part, result in self.pairs
            if any(each.name == thing for each in part.things)
            or (isinstance(result, ListResult) and thing in result.values)
        ]

    def _outcome(self, part: Part, result: Result, name: str | None) -> Outcome | None:
        thing = next((each for each in part.things if each.name == name), None)
        missing = result.missing.get(name or "") or (result.missing.get(thing.phrase) if thing else None)
        if missing is not None:
            return missing
        if isinstance(result, WhichResult) and thing is not None:
            among = {name, thing.phrase}
            return "found" if bool(among & set(result.values)) != result.negated else "not_found"
        if isinstance(result, CompareResult) and thing is not None and thing in part.things[: len(result.values)]:
            return "found" if result.values[part.things.index(thing)] > 0 else "not_found"
        return result.outcome


def _pair(part: Part) -> tuple[str, str]:
    """Return the names of the two things of a part; they may be the same."""
    assert isinstance(part, (Nearest, Distance, Relative))
    return part.thing.name, part.to.name


def _sure(result: Result) -> float:
    places: Sequence[Place] = getattr(result, "places", ())
    if places:
        return min(0.99, max(place.confidence for place in places))
    return min(0.99, FOUND if result.confidence is None else result.confidence)


def _absent(result: Result) -> float:
    """Return how far not finding a thing speaks for its absence: by the best candidate and what was looked at."""
    unlike = 1 - result.best if result.best is not None else 0.75
    looked = result.searched if result.searched is not None else 1.0
    return min(MOST_ABSENT, max(LEAST_ABSENT, unlike * (0.4 + 0.6 * looked)))


def _log(quantity: Quantity) -> tuple[float, float]:
    return math.log(max(quantity.low, 1e-3)), math.log(quantity.high) if quantity.high > 0 else -7.0


_COMPASS = {"above": "north", "below": "south"}


def _vector(result: RelativeResult) -> tuple[float, float] | None:
    if result.ends and all(end.share is not None for end in result.ends):
        one, two = (middle(end) or (0.0, 0.0) for end in result.ends)
        # In pixels, as the scene need not be square.
        (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = (end.window for end in result.ends)
        x, y = ax0 + ax1 - bx0 - bx1, ay0 + ay1 - by0 - by1
        return (x, y) if (x, y) != (0, 0) else (one[0] - two[0], one[1] - two[1])
    word = result.found or (result.relation if result.value or not result.asked else None)
    known = directions(_COMPASS.get(word, word)) if word else []
    return known[0].vector if known else None
