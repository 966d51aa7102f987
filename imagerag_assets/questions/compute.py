"""Compute a plan from the objects that were found: numbers, places and truths, never generated.

Parts that need looking (describe, attribute) get a result without a value here; `reply.py` asks a model for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import shapely

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.attribute_operations import COLOUR_NAMES
from imagerag_assets.plans.whereabouts import region as in_words
from imagerag_assets.questions.measures import away, direction, distance_m, distance_px, holds
from imagerag_assets.questions.objects import Evidence
from imagerag_assets.questions.selected import Selected
from imagerag_assets.questions.sureness import all_real, present, ranked


def compute(plan: p.Plan, evidence: Evidence) -> tuple[r.Result, ...]:
    """Return one result for each part of a plan."""
    done: list[r.Result] = []
    for part in plan.parts:
        result = _COMPUTED[type(part)](part, Selected(evidence, part))
        if part.when is not None and not _met(part, plan.parts[part.when], done[part.when]):
            result = result.model_copy(update={"skipped": True})
        done.append(result)
    return tuple(done)


def _met(part: p.Part, condition: p.Part, result: r.Result) -> bool:
    """Return whether a part is to be answered.

    "If there is no bridge, is there a ferry?" waits for no bridge; "aren't there any bridges? if so, where?" for one.
    """
    waits_for_none = isinstance(condition, p.Exists) and condition.negated and condition.thing not in part.things
    return (result.outcome == "found") != waits_for_none


def _exists(part: p.Exists, found: Selected) -> r.Result:
    places = found.places(part.thing)
    return r.ExistsResult(
        **found.common(part.thing),
        phrase=part.thing.phrase,
        value=True if places else None,
        negated=part.negated,
        places=places,
    )


def _count(part: p.Count, found: Selected) -> r.Result:
    value, low, high = found.number(part.thing)
    places = found.places(part.thing)
    area = sum(found.evidence.areas_km2.values()) if found.region is None else None
    tally = found.tally(part.thing)
    return r.CountResult(
        **found.common(part.thing, sure=found.counted(part.thing)),
        phrase=part.thing.phrase,
        value=value or None,
        low=low if value else None,
        high=high if value else None,
        area_km2=area or None,
        places=places,
        in_places=len(places) or None if tally is not None and tally.places else None,
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


def _where(part: p.Where, found: Selected) -> r.Result:
    (sure,) = found.sure(part.thing)
    places = found.places(part.thing)
    return r.WhereResult(**found.common(part.thing, sure=all_real(sure)), phrase=part.thing.phrase, places=places)


def _which(part: p.Which, found: Selected) -> r.Result:
    there = [thing.name for thing in part.among if found.of(thing)]
    missing = [thing.name for thing in part.among if not found.of(thing)]
    return r.WhichResult(
        **found.common(*part.among),
        phrases=tuple(thing.phrase for thing in part.among),
        values=tuple(missing if part.negated else there),
        negated=part.negated,
    )


def _compare(part: p.Compare, found: Selected) -> r.Result:
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


def _nearest(part: p.Nearest, found: Selected) -> r.Result:
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


def _distance(part: p.Distance, found: Selected) -> r.Result:
    pairs = [pair for pair in product(found.places(part.thing), found.places(part.to)) if pair[0] != pair[1]]
    best = min(pairs, key=lambda pair: away(*pair), default=None)
    return r.DistanceResult(
        **_both(part, found, best),
        phrases=(part.thing.phrase, part.to.phrase),
        metres=_metres(best),
        pixels=distance_px(*best) if best and _metres(best) is None else None,
        ends=best,
    )


def _relative(part: p.Relative, found: Selected) -> r.Result:
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


def _share(part: p.Share, found: Selected) -> r.Result:
    places = found.places(part.thing)
    whole = sum(width * height for width, height in found.evidence.sizes.values())
    shapes: dict[str, list[Any]] = {}
    for place in places:
        shapes.setdefault(place.scene, []).append(shapely.box(*place.window))
    covered = sum(float(shapely.union_all(own).area) for own in shapes.values())
    value = round(100 * covered / whole, 2) if places and whole else None
    return r.ShareResult(**found.common(part.thing), phrase=part.thing.phrase, value=value)


def _density(part: p.Density, found: Selected) -> r.Result:
    number, area = found.number(part.thing)[0], sum(found.evidence.areas_km2.values())
    return r.DensityResult(
        **found.common(part.thing),
        phrase=part.thing.phrase,
        value=number / area if number and area else None,
        count=number or None,
        area_km2=area or None,
    )


def _list(part: p.ListThings, found: Selected) -> r.Result:
    things, common = _listed(found)
    return r.ListResult(values=tuple(each.phrase for each in things), things=things, **common)


def _describe(part: p.Describe, found: Selected) -> r.Result:
    if part.thing is not None:
        return r.DescribeResult(text=None, **found.common(part.thing))
    things, common = _listed(found)
    outcome = "not_found" if common["missing"] else "found"  # a model may see what nobody looked for
    return r.DescribeResult(text=None, things=things, **common | {"outcome": outcome})


def _listed(found: Selected) -> tuple[tuple[r.Listed, ...], dict[str, Any]]:
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


def _attribute(part: p.Attribute, found: Selected) -> r.Result:
    told: dict[str, Any] = {"phrase": part.thing.phrase, "name": part.name, "value": None, "around": part.around}
    if part.name in COLOUR_NAMES and isinstance(part.region, p.Around) and not found.of(part.thing):
        whole = p.Where(thing=part.region.thing)  # "what colour is the water in the harbour?"
        landmark = Selected(found.evidence, whole)
        if landmark.of(whole.thing):
            return r.AttributeResult(**landmark.common(whole.thing), **told, instead=whole.thing.name)
    return r.AttributeResult(**found.common(part.thing), **told)


def _change(part: p.Change, found: Selected) -> r.Result:
    phrases = (part.thing.phrase,) if part.thing else ()
    return r.ChangeResult(outcome="not_found", phrases=phrases, where=in_words(part.region))


def _both(
    part: p.Nearest | p.Distance | p.Relative, found: Selected, ends: tuple[r.Place, r.Place] | None
) -> dict[str, Any]:
    sure = all_real([each.confidence for each in ends]) if ends else None
    return found.common(part.thing, part.to, needs_all=True, sure=sure)


def _metres(ends: tuple[r.Place, r.Place] | None) -> float | None:
    metres = distance_m(*ends) if ends else None
    return None if metres is None else round(metres, 1)


_COMPUTED: dict[type, Callable[[Any, Selected], r.Result]] = {
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
