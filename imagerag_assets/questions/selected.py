"""The objects that one part of a plan is about: those of its things, in its region, and how sure they make it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import shapely

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.regions import region_named
from imagerag_assets.plans.whereabouts import region as in_words
from imagerag_assets.questions.coverage import area_of
from imagerag_assets.questions.measures import away, distance_m, holds, is_between, is_near
from imagerag_assets.questions.objects import Evidence, Sighting, Tally
from imagerag_assets.questions.sureness import all_real, number_of, present

Keep = Callable[[r.Place], bool]
_INTERVAL = 0.95
"""Of the truth, in the interval of objects that were counted one by one."""


class Selected:
    """The objects that one part of a plan is about."""

    def __init__(self, evidence: Evidence, part: p.Part) -> None:
        self.evidence = evidence
        self.region = part.region
        self._of_places = isinstance(part, p.Count) and part.places
        self._keep = _keeper(evidence, part.region)

    def of(self, thing: p.Thing) -> tuple[Sighting, ...]:
        return _picked(self.evidence.of(thing.phrase, self._keep), thing.pick)

    def all(self) -> tuple[Sighting, ...]:
        """Return everything that was found in the region, but for what the region is described by."""
        own = {landmark.phrase for landmark in p.landmarks_of(self.region)}
        phrases = dict.fromkeys(each.phrase for each in self.evidence.sightings if each.phrase not in own)
        return tuple(each for phrase in phrases for each in self.evidence.of(phrase, self._keep))

    def places(self, thing: p.Thing) -> tuple[r.Place, ...]:
        return tuple(each.place for each in self.of(thing))

    def without_centre(self) -> dict[str, r.Outcome]:
        """Return the things that the region is described by and that were not found, with their outcomes."""
        landmarks = p.landmarks_of(self.region)
        outcomes = {each.name: self.evidence.outcome(each.phrase, self.evidence.of(each.phrase)) for each in landmarks}
        return {name: outcome for name, outcome in outcomes.items() if outcome != "found"}

    def sure(self, *things: p.Thing) -> list[list[float]]:
        """Return the confidences of the objects of each thing."""
        return [[place.confidence for place in self.places(thing)] for thing in things]

    def counted(self, thing: p.Thing) -> float | None:
        """Return how probable a number is: that it lies in its interval, where objects were counted one by one."""
        (sure,) = self.sure(thing)
        if not sure:
            return None
        if self.tally(thing) is not None:
            return _INTERVAL * present(sure)
        return all_real(sure, self.evidence.others.get(thing.phrase, 1.0))

    def number(self, thing: p.Thing) -> tuple[int, int, int]:
        """Return how many there are, with an interval."""
        if (tally := self.tally(thing)) is not None:
            return tally.value, tally.low, tally.high
        return number_of(*self.sure(thing))

    def tally(self, thing: p.Thing) -> Tally | None:
        """Return how many were counted within patches, which is known of everything in scope only."""
        everywhere = (
            self.region is None
            and thing.pick is None
            and not self._of_places
            and thing.phrase not in self.evidence.unsure
        )
        return self.evidence.tallies.get(thing.phrase) if everywhere else None

    def common(self, *things: p.Thing, needs_all: bool = False, sure: float | None = None) -> dict[str, Any]:
        """Return what every result says.

        Args:
            things: What it is about.
            needs_all: Nothing is found unless all of them are.
            sure: How probable it is that the result is right; default: that each thing that was found is there.
        """
        outcomes = {thing: self.evidence.outcome(thing.phrase, self.of(thing)) for thing in things}
        there = [thing for thing, outcome in outcomes.items() if outcome == "found"]
        enough = len(there) == len(outcomes) if needs_all else bool(there)
        lacking = {thing: outcome for thing, outcome in outcomes.items() if outcome != "found"}
        if sure is None:
            sure = math.prod(present(each) for each in self.sure(*there))
        # What was found outside of the region is no candidate in it, however sure.
        nowhere = [thing.phrase for thing in lacking if self._keep is None or not self.evidence.of(thing.phrase)]
        best = [self.evidence.best[phrase] for phrase in nowhere if phrase in self.evidence.best]
        return {
            "outcome": "found" if enough else next(iter(lacking.values())),
            "cues": tuple(dict.fromkeys(place.cue for thing in things for place in self.places(thing))),
            "confidence": round(sure, 4) if there and enough else None,
            "where": in_words(self.region),
            "missing": {thing.name: outcome for thing, outcome in lacking.items()} | self.without_centre(),
            "best": max(best, default=None),
            "searched": self.evidence.searched if lacking else None,
        }


def _keeper(evidence: Evidence, region: p.Region | None) -> Keep | None:
    keepers = [_keeper_of_one(evidence, each) for each in p.regions_in(region)]
    return (lambda place: all(keep(place) for keep in keepers)) if keepers else None


def _keeper_of_one(evidence: Evidence, region: p.Single) -> Keep:
    if isinstance(region, p.PartOfScene):
        part = region_named(region.name)
        return lambda place: place.share is not None and part.holds(*place.share)
    if isinstance(region, p.Outside):
        left_out = region_named(region.name)
        return lambda place: place.share is not None and not left_out.holds(*place.share)
    if isinstance(region, p.Around):
        centres = _places_of(evidence, region.thing)
        return lambda place: any(_within(place, centre, region.metres) for centre in centres)
    if isinstance(region, p.Away):
        left_alone = _places_of(evidence, region.thing)  # without one nothing is known to be far from it
        return lambda place: bool(left_alone) and all(_is_apart(place, each, region.metres) for each in left_alone)
    if isinstance(region, p.Beyond):
        landmarks = _places_of(evidence, region.thing)
        return lambda place: _is_beyond(place, landmarks, region.side)
    if isinstance(region, p.Between):
        ones, others = _places_of(evidence, region.thing), _places_of(evidence, region.other)
        return lambda place: _is_between(place, ones, others)
    area = area_of(region.bbox)
    return lambda place: place.lonlat is not None and bool(shapely.intersects_xy(area, *place.lonlat))


def _places_of(evidence: Evidence, landmark: p.Thing) -> list[r.Place]:
    return [each.place for each in _picked(evidence.of(landmark.phrase), landmark.pick)]


def _is_beyond(place: r.Place, landmarks: list[r.Place], side: p.Side) -> bool:
    """Return whether a place lies on one side of the nearest of some landmarks."""
    nearest = min(landmarks, key=lambda each: away(place, each), default=None)
    return nearest is not None and holds(side, place, nearest) is True


def _is_between(place: r.Place, ones: list[r.Place], others: list[r.Place]) -> bool:
    """Return whether a place lies between the nearest of each kind."""
    one = min(ones, key=lambda each: away(place, each), default=None)
    rest = [each for each in others if each != one]  # "between the two bridges"
    other = min(rest, key=lambda each: away(place, each), default=None)
    return one is not None and other is not None and is_between(place, one, other) is True


def _picked(found: tuple[Sighting, ...], end: p.End | None) -> tuple[Sighting, ...]:
    """Return the one that lies farthest one way; all without `end`, or where only names of parts are known."""
    known = [each for each in found if each.place.lonlat is not None or each.place.share is not None]
    if end is None or not known:
        return found
    return (max(known, key=lambda each: _towards(each.place, end)),)


def _towards(place: r.Place, end: p.End) -> float:
    if place.lonlat is not None and end in ("north", "south", "east", "west"):
        value = place.lonlat[1 if end in ("north", "south") else 0]
        return value if end in ("north", "east") else -value
    x, y = place.share or (0.5, 0.5)
    value = y if end in ("north", "south", "top", "bottom") else x
    return value if end in ("south", "bottom", "east", "right") else -value


def _is_apart(place: r.Place, centre: r.Place, metres: float) -> bool:
    """Return whether a place is known to lie outside the surroundings of another one, or in another scene."""
    if place.scene != centre.scene or distance_m(place, centre) is not None:
        return not _within(place, centre, metres)
    return is_near(place, centre) is False


def _within(place: r.Place, centre: r.Place, metres: float) -> bool:
    """Return whether a place lies in the surroundings of another one, measured from the edge of that one."""
    apart = distance_m(place, centre)
    if apart is None:  # without a size on the ground only what is next to it is known to be near
        return is_near(place, centre) is True
    own = max(centre.size_m) / 2 if centre.size_m else 0.0
    return apart <= metres + own
