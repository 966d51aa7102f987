"""Plans and results for the tests of sentences, choices and contradictions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.plan import Count, Exists, Part, Plan, Thing, Where
from imagerag_assets.plans.result import CountResult, ExistsResult, Place, Result, WhereResult

PARTS = (
    *("upper left", "upper middle", "upper right", "middle left", "centre", "middle right"),
    *("lower left", "lower middle", "lower right"),
)
NAMES = ("ship", "storage tank", "bus", "bridge", "tennis court", "aircraft", "person", "field of wheat", "water")


def place(name: str = "upper left", share: tuple[float, float] | None = None, **more: Any) -> Place:
    """Return a place in scene "a"."""
    return Place(
        **{"scene": "a", "window": (0, 0, 64, 64), "confidence": 0.9, "cue": 1, **more}, name=name, share=share
    )


def exists(name: str, *places: Place, negated: bool = False, **more: Any) -> tuple[Part, Result]:
    """Return a part and its result: found if there are places, else not."""
    more.setdefault("outcome", "found" if places else "not_found")
    value = True if more["outcome"] == "found" else None
    return (
        Exists(thing=Thing(name=name), negated=negated),
        ExistsResult(phrase=name, value=value, places=places, negated=negated, **more),
    )


def count(name: str, value: int | None, *places: Place, **more: Any) -> tuple[Part, Result]:
    """Return a part and its result."""
    more.setdefault("outcome", "found" if value else "not_found")
    return Count(thing=Thing(name=name)), CountResult(phrase=name, value=value, places=places, **more)


def where(name: str, *places: Place, **more: Any) -> tuple[Part, Result]:
    """Return a part and its result."""
    more.setdefault("outcome", "found" if places else "not_found")
    return Where(thing=Thing(name=name)), WhereResult(phrase=name, places=places, **more)


def planned(*pairs: tuple[Part, Result], **more: Any) -> tuple[Plan, list[Result]]:
    """Return a plan of parts, and their results."""
    return Plan(parts=tuple(part for part, _ in pairs), **more), [result for _, result in pairs]


shares = st.floats(0.01, 0.99)
confidences = st.floats(0.0, 1.0)


@st.composite
def places(draw: st.DrawFn, scenes: tuple[str, ...] = ("a",)) -> Place:
    """Draw a place."""
    on_the_ground = draw(st.booleans())
    x, y = draw(shares), draw(shares)
    return place(
        PARTS[3 * int(3 * y) + int(3 * x)],
        draw(st.sampled_from((None, (x, y)))),
        scene=draw(st.sampled_from(scenes)),
        lonlat=draw(st.tuples(st.floats(-180, 180), st.floats(-90, 90))) if on_the_ground else None,
        size_m=draw(st.tuples(st.floats(0.5, 900), st.floats(0.5, 900))) if on_the_ground else None,
        confidence=draw(confidences),
    )


@st.composite
def simple_parts(draw: st.DrawFn, scenes: tuple[str, ...] = ("a",)) -> tuple[Part, Result]:
    """Draw whether, how many or where, with its result."""
    name = draw(st.sampled_from(NAMES))
    found = draw(st.lists(places(scenes), max_size=30))
    more: dict[str, Any] = {"confidence": draw(st.none() | confidences)}
    if not found:
        more["outcome"] = draw(st.sampled_from(("not_found", "unrecognised", "rejected")))
        more["best"] = draw(st.none() | confidences)
        more["searched"] = draw(st.none() | confidences)
    match draw(st.sampled_from(("exists", "count", "where"))):
        case "exists":
            return exists(name, *found, negated=draw(st.booleans()), **more)
        case "count":
            value = len(found) + draw(st.integers(0, 300)) if found else None
            if value is not None and draw(st.booleans()):
                more |= {"low": draw(st.integers(1, value)), "high": value + draw(st.integers(0, 90))}
            return count(name, value, *found, **more)
        case _:
            return where(name, *found, **more)


def _things(draw: st.DrawFn, count: int) -> list[Thing]:
    return [Thing(name=name) for name in draw(st.permutations(NAMES))[:count]]


@st.composite
def other_parts(draw: st.DrawFn) -> tuple[Part, Result]:
    """Draw a part of another operation than `simple_parts`, with a result that could be its."""
    first, second, third = _things(draw, 3)
    outcome = draw(st.sampled_from(("found", "not_found", "unrecognised", "rejected")))
    found = outcome == "found"
    names = (first.name, second.name)
    missing = {} if found else {draw(st.sampled_from(names)): outcome}
    around = draw(st.none() | st.just(p.Around(thing=third, metres=500)))
    both: dict[str, Any] = {"outcome": outcome, "phrases": names, "missing": missing}
    ends = (draw(places()), draw(places())) if found and draw(st.booleans()) else None
    match draw(st.sampled_from(("which", "compare", "nearest", "distance", "relative", "share", "density", "change"))):
        case "which":
            absent = {} if found and draw(st.booleans()) else {first.name: "not_found" if found else outcome}
            absent |= {} if found else {second.name: outcome}
            negated = draw(st.booleans())
            values = tuple(name for name in names if (name in absent) == negated)
            more = {"outcome": outcome, "phrases": names, "values": values, "negated": negated, "missing": absent}
            return p.Which(among=(first, second), negated=negated, region=around), r.WhichResult(**more)
        case "compare":
            values = tuple(float(draw(st.integers(1, 40))) if found and name not in missing else 0.0 for name in names)
            wanted, by = draw(st.sampled_from(("more", "fewer", "equal"))), draw(st.sampled_from(("count", "area")))
            result = r.CompareResult(**both, values=values, more=None, wanted=wanted, by=by)
            return p.Compare(among=(first, second), wanted=wanted, by=by, region=around), result
        case "nearest":
            place_, to = ends or ((draw(places()), None) if found else (None, None))
            metres = draw(st.none() | st.floats(1, 99_000)) if found else None
            return p.Nearest(thing=first, to=second), r.NearestResult(**both, place=place_, to=to, metres=metres)
        case "distance":
            metres = draw(st.none() | st.floats(1, 99_000)) if found else None
            return p.Distance(thing=first, to=second), r.DistanceResult(**both, metres=metres, pixels=70, ends=ends)
        case "relative":
            asked = draw(st.booleans())
            value = draw(st.booleans()) if found and asked else None
            relation = draw(st.sampled_from(("north", "left", "near", "inside", "south-west")))
            more = {"relation": relation, "value": value, "asked": asked, "found": relation if found else None}
            part = p.Relative(thing=first, to=second, relation=relation if asked else None)
            return part, r.RelativeResult(**both, **more, ends=ends, confidence=draw(st.none() | confidences))
        case "share":
            value = draw(st.floats(0.1, 100)) if found else None
            return p.Share(thing=first, region=around), r.ShareResult(outcome=outcome, phrase=first.name, value=value)
        case "density":
            value = draw(st.none() | st.floats(0.1, 100)) if found else None
            result = r.DensityResult(outcome=outcome, phrase=first.name, value=value, count=5 if found else None)
            return p.Density(thing=first, region=around), result
        case _:
            before, after = (draw(st.integers(0, 9)) if found else None for _ in range(2))
            return p.Change(thing=first), r.ChangeResult(
                outcome=outcome, phrases=(first.name,), before=before, after=after
            )
