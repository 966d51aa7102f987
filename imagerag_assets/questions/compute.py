"""Compute a plan from the objects that were found: numbers, places and truths, never generated.

Parts that need looking (describe, attribute) get a result without a value here; `reply.py` asks a model for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import shapely

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.regions import region_named
from imagerag_assets.plans.whereabouts import region as in_words
from imagerag_assets.questions.coverage import area_of
from imagerag_assets.questions.measures import away, direction, distance_m, distance_px, holds, is_near
from imagerag_assets.questions.objects import Evidence, Sighting
from imagerag_assets.questions.sureness import all_real, numbers, present, ranked

Keep = Callable[[r.Place], bool]
_INTERVAL = 0.95
"""Of the truth, in the interval of objects that were counted one by one."""


def compute(plan: p.Plan, evidence: Evidence) -> tuple[r.Result, ...]:
    """Return one result for each part of a plan."""
    done: list[r.Result] = []
    for part in plan.parts:
        result = _COMPUTED[type(part)](part, _Found(evidence, part))
        if part.when is not None and done[part.when].outcome != "found":
            result = result.model_copy(update={"skipped": True})
        done.append(result)
    return tuple(done)


class _Found:
    """The objects that one part of a plan is about."""

    def __init__(self, evidence: Evidence, part: p.Part) -> None:
        self.evidence = evidence
        self.region = part.region
        self._keep = _keeper(evidence, part.region)

    def of(self, thing: p.Thing) -> tuple[Sighting, ...]:
        return _picked(self.evidence.of(thing.phrase, self._keep), thing.pick)

    def all(self) -> tuple[Sighting, ...]:
        """Return everything that was found in the region, but for the thing that the region lies around."""
        own = self.region.thing.phrase if isinstance(self.region, p.Around) else None
        phrases = dict.fromkeys(each.phrase for each in self.evidence.sightings if each.phrase != own)
        return tuple(each for phrase in phrases for each in self.evidence.of(phrase, self._keep))

    def places(self, thing: p.Thing) -> tuple[r.Place, ...]:
        return tuple(each.place for each in self.of(thing))

    def without_centre(self) -> dict[str, r.Outcome]:
        """Return the thing that the region lies around, with its outcome, if it was not found."""
        if not isinstance(self.region, p.Around):
            return {}
        centre = self.region.thing
        outcome = self.evidence.outcome(centre.phrase, self.evidence.of(centre.phrase))
        return {} if outcome == "found" else {centre.name: outcome}

    def sure(self, *things: p.Thing) -> list[list[float]]:
        """Return the confidences of the objects of each thing."""
        return [[place.confidence for place in self.places(thing)] for thing in things]

    def counted(self, thing: p.Thing) -> float | None:
        """Return how probable a number is: that it lies in its interval, where objects were counted one by one."""
        (sure,) = self.sure(thing)
        if not sure:
            return None
        if thing.phrase in self.evidence.tallies and self.region is None and thing.pick is None:
            return _INTERVAL * present(sure)
        return all_real(sure, self.evidence.others.get(thing.phrase, 1.0))

    def number(self, thing: p.Thing) -> tuple[int, int, int]:
        """Return how many there are, with an interval."""
        tally = self.evidence.tallies.get(thing.phrase)
        everywhere = self.region is None and thing.pick is None
        if tally is not None and everywhere and thing.phrase not in self.evidence.unsure:
            return tally.value, tally.low, tally.high
        return number_of([each.place.confidence for each in self.of(thing)])

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
        best = [self.evidence.best[thing.phrase] for thing in lacking if thing.phrase in self.evidence.best]
        return {
            "outcome": "found" if enough else next(iter(lacking.values())),
            "cues": tuple(dict.fromkeys(place.cue for thing in things for place in self.places(thing))),
            "confidence": round(sure, 4) if there and enough else None,
            "where": in_words(self.region),
            "missing": {thing.name: outcome for thing, outcome in lacking.items()} | self.without_centre(),
            "best": max(best, default=None),
            "searched": self.evidence.searched if lacking else None,
        }


def number_of(confidences: Sequence[float]) -> tuple[int, int, int]:
    """Return how many of some objects are real, and an interval of 95 %, by the Poisson binomial distribution."""
    if not confidences:
        return 0, 0, 0
    below = np.cumsum(numbers(confidences))
    low, high = (int(np.searchsorted(below, tail)) for tail in (0.025, 0.975))
    return len(confidences), min(low, len(confidences)), max(min(high, len(confidences)), len(confidences))


def _keeper(evidence: Evidence, region: p.Region | None) -> Keep | None:
    if region is None:
        return None
    if isinstance(region, p.PartOfScene):
        part = region_named(region.name)
        return lambda place: place.share is not None and part.holds(*place.share)
    if isinstance(region, p.Around):
        centres = [each.place for each in _picked(evidence.of(region.thing.phrase), region.thing.pick)]
        return lambda place: any(_within(place, centre, region.metres) for centre in centres)
    area = area_of(region.bbox)
    return lambda place: place.lonlat is not None and bool(shapely.intersects_xy(area, *place.lonlat))


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


def _within(place: r.Place, centre: r.Place, metres: float) -> bool:
    """Return whether a place lies in the surroundings of another one, measured from the edge of that one."""
    apart = distance_m(place, centre)
    if apart is None:  # without a size on the ground only what is next to it is known to be near
        return is_near(place, centre) is True
    own = max(centre.size_m) / 2 if centre.size_m else 0.0
    return apart <= metres + own


def _exists(part: p.Exists, found: _Found) -> r.Result:
    places = found.places(part.thing)
    return r.ExistsResult(
        **found.common(part.thing),
        phrase=part.thing.phrase,
        value=True if places else None,
        negated=part.negated,
        places=places,
    )


def _count(part: p.Count, found: _Found) -> r.Result:
    value, low, high = found.number(part.thing)
    area = sum(found.evidence.areas_km2.values()) if found.region is None else None
    return r.CountResult(
        **found.common(part.thing, sure=found.counted(part.thing)),
        phrase=part.thing.phrase,
        value=value or None,
        low=low if value else None,
        high=high if value else None,
        area_km2=area or None,
        places=found.places(part.thing),
        holds=_holds(part, value, low, high),
    )


def _holds(part: p.Count, value: int, low: int, high: int) -> bool | None:
    """Return whether there are so many as a part asks for; not found is not absent, so none holds nothing."""
    if (part.at_least is None and part.at_most is None) or not value:
        return None
    least, most = part.at_least or 0, math.inf if part.at_most is None else part.at_most
    if least <= value <= most:
        return True
    return False if high < least or low > most else None


def _where(part: p.Where, found: _Found) -> r.Result:
    (sure,) = found.sure(part.thing)
    places = found.places(part.thing)
    return r.WhereResult(**found.common(part.thing, sure=all_real(sure)), phrase=part.thing.phrase, places=places)


def _which(part: p.Which, found: _Found) -> r.Result:
    there = [thing.name for thing in part.among if found.of(thing)]
    missing = [thing.name for thing in part.among if not found.of(thing)]
    return r.WhichResult(
        **found.common(*part.among),
        phrases=tuple(thing.phrase for thing in part.among),
        values=tuple(missing if part.negated else there),
        negated=part.negated,
    )


def _compare(part: p.Compare, found: _Found) -> r.Result:
    if part.by == "count":
        values = [float(found.number(thing)[0]) for thing in part.among]
    else:
        values = [_area(found.places(thing)) for thing in part.among]
    most = max(values)
    winners = [thing.name for thing, value in zip(part.among, values, strict=True) if value == most]
    sure = _ranked(values, found.sure(*part.among)) if part.by == "count" else None
    return r.CompareResult(
        **found.common(*part.among, sure=sure),
        phrases=tuple(thing.phrase for thing in part.among),
        values=tuple(values),
        by=part.by,
        wanted=part.wanted,
        more=winners[0] if len(winners) == 1 and most > 0 else None,
    )


def _ranked(values: Sequence[float], sure: Sequence[Sequence[float]]) -> float | None:
    """Return how probable it is that the first of two kinds has more, or as many, as was found; None: not two."""
    if len(values) != 2:
        return None
    first = 0 if values[0] >= values[1] else 1
    return ranked(sure[first], sure[1 - first], lead=int(values[0] != values[1]))


def _area(places: Sequence[r.Place]) -> float:
    """Return the ground of places in square metres, or in square pixels without a size on the ground."""
    shapes = [shapely.box(*place.window) for place in places]
    pixels = float(shapely.union_all(shapes).area) if shapes else 0.0
    sized = next((place for place in places if place.size_m), None)
    if sized is None or sized.size_m is None:
        return pixels
    x0, y0, x1, y1 = sized.window
    return pixels * sized.size_m[0] * sized.size_m[1] / max(1, (x1 - x0) * (y1 - y0))


def _nearest(part: p.Nearest, found: _Found) -> r.Result:
    pairs = list(product(found.places(part.thing), found.places(part.to)))
    best: tuple[r.Place, r.Place] | None = None
    if pairs and part.farthest:
        ends = {one: min((other for other in found.places(part.to)), key=lambda o: away(one, o)) for one, _ in pairs}
        one = max(ends, key=lambda each: away(each, ends[each]))
        best = one, ends[one]
    elif pairs:
        best = min(pairs, key=lambda pair: away(*pair))
    return r.NearestResult(
        **_both(part, found, best),
        phrases=(part.thing.phrase, part.to.phrase),
        place=best[0] if best else None,
        to=best[1] if best else None,
        metres=_metres(best),
        farthest=part.farthest,
    )


def _distance(part: p.Distance, found: _Found) -> r.Result:
    pairs = [pair for pair in product(found.places(part.thing), found.places(part.to)) if pair[0] != pair[1]]
    best = min(pairs, key=lambda pair: away(*pair), default=None)
    return r.DistanceResult(
        **_both(part, found, best),
        phrases=(part.thing.phrase, part.to.phrase),
        metres=_metres(best),
        pixels=distance_px(*best) if best and _metres(best) is None else None,
        ends=best,
    )


def _relative(part: p.Relative, found: _Found) -> r.Result:
    """Compare every pair; the truth is that of most of them, weighted by confidence."""
    pairs = list(product(found.places(part.thing), found.places(part.to)))
    best = max(pairs, key=lambda pair: pair[0].confidence * pair[1].confidence, default=None)
    value = None
    if part.relation is not None:
        told = [(holds(part.relation, *pair), pair[0].confidence * pair[1].confidence) for pair in pairs]
        known = [(truth, weight) for truth, weight in told if truth is not None]
        if part.relation in ("near", "inside"):
            value = any(truth for truth, _ in known) if known else None
        elif known:
            value = 2 * sum(weight for truth, weight in known if truth) >= sum(weight for _, weight in known)
    there = direction(*best) if best else None
    return r.RelativeResult(
        **_both(part, found, best),
        phrases=(part.thing.phrase, part.to.phrase),
        relation=part.relation or there,
        value=value if part.relation is not None else (True if there else None),
        asked=part.relation is not None,
        found=there,
        negated=part.negated,
        ends=best,
    )


def _share(part: p.Share, found: _Found) -> r.Result:
    places = found.places(part.thing)
    whole = sum(width * height for width, height in found.evidence.sizes.values())
    shapes: dict[str, list[Any]] = {}
    for place in places:
        shapes.setdefault(place.scene, []).append(shapely.box(*place.window))
    covered = sum(float(shapely.union_all(own).area) for own in shapes.values())
    value = round(100 * covered / whole, 2) if places and whole else None
    return r.ShareResult(**found.common(part.thing), phrase=part.thing.phrase, value=value)


def _density(part: p.Density, found: _Found) -> r.Result:
    number, area = found.number(part.thing)[0], sum(found.evidence.areas_km2.values())
    return r.DensityResult(
        **found.common(part.thing),
        phrase=part.thing.phrase,
        value=number / area if number and area else None,
        count=number or None,
        area_km2=area or None,
    )


def _list(part: p.ListThings, found: _Found) -> r.Result:
    things, common = _listed(found)
    return r.ListResult(values=tuple(each.phrase for each in things), things=things, **common)


def _describe(part: p.Describe, found: _Found) -> r.Result:
    if part.thing is not None:
        return r.DescribeResult(text=None, **found.common(part.thing))
    things, common = _listed(found)
    outcome = "not_found" if common["missing"] else "found"  # a model may see what nobody looked for
    return r.DescribeResult(text=None, things=things, **common | {"outcome": outcome})


def _listed(found: _Found) -> tuple[tuple[r.Listed, ...], dict[str, Any]]:
    """Return everything that was found, what takes most ground first, and what the result says."""
    of: dict[str, list[r.Place]] = {}
    for each in found.all():
        of.setdefault(each.phrase, []).append(each.place)
    things = [
        r.Listed(
            phrase=phrase,
            number=len(places),
            parts=tuple(name for name, _ in Counter(place.name for place in places).most_common()),
        )
        for phrase, places in sorted(of.items(), key=lambda item: -_area(item[1]))
    ]
    sure = [present([place.confidence for place in places]) for places in of.values()]
    return tuple(things), {
        "outcome": "found" if things else "not_found",
        "cues": tuple(place.cue for places in of.values() for place in places),
        "confidence": round(min(sure), 4) if sure else None,
        "where": in_words(found.region),
        "missing": found.without_centre(),
    }


def _attribute(part: p.Attribute, found: _Found) -> r.Result:
    return r.AttributeResult(**found.common(part.thing), phrase=part.thing.phrase, name=part.name, value=None)


def _change(part: p.Change, found: _Found) -> r.Result:
    phrases = (part.thing.phrase,) if part.thing else ()
    return r.ChangeResult(outcome="not_found", phrases=phrases, where=in_words(part.region))


def _both(
    part: p.Nearest | p.Distance | p.Relative, found: _Found, ends: tuple[r.Place, r.Place] | None
) -> dict[str, Any]:
    sure = all_real([each.confidence for each in ends]) if ends else None
    return found.common(part.thing, part.to, needs_all=True, sure=sure)


def _metres(ends: tuple[r.Place, r.Place] | None) -> float | None:
    metres = distance_m(*ends) if ends else None
    return None if metres is None else round(metres, 1)


_COMPUTED: dict[type, Callable[[Any, _Found], r.Result]] = {
    p.Exists: _exists,
    p.Count: _count,
    p.Where: _where,
    p.Which: _which,
    p.Compare: _compare,
    p.Nearest: _nearest,
    p.Distance: _distance,
    p.Relative: _relative,
    p.Share: _share,
    p.Density: _density,
    p.ListThings: _list,
    p.Describe: _describe,
    p.Attribute: _attribute,
    p.Change: _change,
}
