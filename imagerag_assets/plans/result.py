"""What was computed for each part of a plan: numbers, places and truths, with the cues that they stand on.

Only the form, as a record keeps it.  `questions/` computes it; `sentence.py` says it; `choices.py` compares it with
choices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagerag_assets.plans.plan import Relation

Outcome = Literal["found", "not_found", "unrecognised", "rejected"]
"""Found; looked for and not found; not recognisable by the encoder; found, but rejected on a closer look."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


WHOLE = "whole scene"
"""Name of a place that is nearly all of its scene, and so lies in no part of it."""


class Place(_Plain):
    """Where one object is."""

    scene: str
    name: str
    """Part of the scene: "upper left"; or `WHOLE`."""
    window: tuple[int, int, int, int]
    """x0, y0, x1, y1 in native pixels."""
    share: tuple[float, float] | None = None
    """x, y of its middle as shares of the scene's width and height, 0 to 1, y down; None: only the name is known."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees; None: the scene has no place on the ground."""
    lonlat: tuple[float, float] | None = None
    """Of its middle, in degrees."""
    size_m: tuple[float, float] | None = None
    """Width and height on the ground in metres."""
    confidence: float
    cue: int
    """Rank of the cue that shows it."""


class _Result(_Plain):
    """What every result says."""

    outcome: Outcome
    cues: tuple[int, ...] = ()
    """Ranks of the cues that it stands on."""
    confidence: float | None = None
    """That it is right, 0 to 1."""
    where: str | None = None
    """The region that it is about, in words: "in the upper left"; None: everything in scope."""
    missing: dict[str, Outcome] = {}
    """Things that this part asks about and that were not found, each with its outcome."""
    best: float | None = None
    """Where nothing was found: the confidence of the best candidate."""
    searched: float | None = None
    """Where nothing was found: share of the scope that was looked at, 0 to 1."""
    skipped: bool = False
    """It was only of interest if an earlier part were true, which it is not."""


class ExistsResult(_Result):
    """Whether there is a thing.  Null: none was found, which does not mean that there is none."""

    kind: Literal["exists"] = "exists"
    phrase: str
    value: Literal[True] | None
    negated: bool = False
    """The question asked whether there is none."""
    places: tuple[Place, ...] = ()


class CountResult(_Result):
    """How many objects were found, with an interval of 95 %."""

    kind: Literal["count"] = "count"
    phrase: str
    value: int | None
    low: int | None = None
    high: int | None = None
    area_km2: float | None = None
    """Ground that was looked at."""
    places: tuple[Place, ...] = ()
    in_places: int | None = None
    """Number of places, where one may show several objects; None: each object has a place of its own."""
    holds: bool | None = None
    """Whether there are so many as the question asked for; None: it did not ask, or the interval leaves it open."""


class WhereResult(_Result):
    """Where it is."""

    kind: Literal["where"] = "where"
    phrase: str
    places: tuple[Place, ...] = ()


class WhichResult(_Result):
    """Which of several things were found, or were not."""

    kind: Literal["which"] = "which"
    phrases: tuple[str, ...]
    values: tuple[str, ...]
    """Those that were found; if negated, those that were not."""
    negated: bool = False


class CompareResult(_Result):
    """Numbers of several things, or their areas in square metres."""

    kind: Literal["compare"] = "compare"
    phrases: tuple[str, ...]
    values: tuple[float, ...]
    by: Literal["count", "area"] = "count"
    wanted: Literal["more", "fewer", "equal"] = "more"
    more: str | None
    """Of which there is more; None: equally many."""


class NearestResult(_Result):
    """Which one of a thing is nearest to another thing."""

    kind: Literal["nearest"] = "nearest"
    phrases: tuple[str, str]
    place: Place | None
    to: Place | None
    metres: float | None = None
    """From middle to middle; None: the scene has no size on the ground."""
    farthest: bool = False


class DistanceResult(_Result):
    """How far two things are apart, from middle to middle."""

    kind: Literal["distance"] = "distance"
    phrases: tuple[str, str]
    metres: float | None
    pixels: float | None = None
    """Where the scene has no size on the ground."""
    ends: tuple[Place, Place] | None = None


class RelativeResult(_Result):
    """Whether a thing is north of another one.  `relation` is what was asked, or what was found."""

    kind: Literal["relative"] = "relative"
    phrases: tuple[str, str]
    relation: Relation | None
    value: bool | None
    asked: bool = True
    """Whether the question named the relation."""
    found: Relation | None = None
    """Where the thing really is, seen from the other one."""
    negated: bool = False
    ends: tuple[Place, Place] | None = None


class ShareResult(_Result):
    """How much of the ground that was looked at is covered."""

    kind: Literal["share"] = "share"
    phrase: str
    value: float | None
    """Percent."""


class DensityResult(_Result):
    """How many there are per square kilometre."""

    kind: Literal["density"] = "density"
    phrase: str
    value: float | None
    count: int | None = None
    area_km2: float | None = None


class Listed(_Plain):
    """One of several things that were found."""

    phrase: str
    number: int
    """Places that show it, of those that were looked at closely."""
    parts: tuple[str, ...]
    """Parts of the scene, those with most places first."""


class ListResult(_Result):
    """What was found, what takes most ground first."""

    kind: Literal["list"] = "list"
    values: tuple[str, ...]
    things: tuple[Listed, ...] = ()


class DescribeResult(_Result):
    """What was found, and what a model says that it sees."""

    kind: Literal["describe"] = "describe"
    text: str | None
    things: tuple[Listed, ...] = ()


class AttributeResult(_Result):
    """A property of a thing: its colour, measured, or another, which a model saw."""

    kind: Literal["attribute"] = "attribute"
    phrase: str
    name: str
    value: str | None
    around: bool = False
    """Whether it is of what lies around the thing."""
    instead: str | None = None
    """The landmark that it is of, as the thing itself was not found there: the harbour, for the water in it."""
    colours: Mapping[str, float] | None = None
    """Share of each basic colour around the middle of its places, the largest first; empty: the pictures have none;
    None: no colour was measured."""


class ChangeResult(_Result):
    """What is different between two scenes."""

    kind: Literal["change"] = "change"
    phrases: tuple[str, ...] = ()
    before: int | None = None
    """How many of the thing were found on the earlier date; None: it was not counted."""
    after: int | None = None
    dates: tuple[str, str] | None = None
    places: tuple[Place, ...] = ()
    """Where the two scenes differ, or where the thing is."""
    text: str | None = None


Result = Annotated[
    ExistsResult
    | CountResult
    | WhereResult
    | WhichResult
    | CompareResult
    | NearestResult
    | DistanceResult
    | RelativeResult
    | ShareResult
    | DensityResult
    | ListResult
    | DescribeResult
    | AttributeResult
    | ChangeResult,
    Field(discriminator="kind"),
]


def to_json(results: tuple[Result, ...]) -> list[dict[str, Any]]:
    """Return results as the JSON of a record."""
    return [result.model_dump(mode="json") for result in results]


_GIST = ("kind", "outcome", "phrase", "phrases", "value", "values", "more", "relation", "text", "before", "after")


def gist(results: Iterable[Mapping[str, Any]]) -> str:
    """Return what results say without coordinates, sizes and confidences, to tell whether an answer changed.

    Args:
        results: As a record keeps them.
    """
    told = []
    for result in results:
        places = sorted(f"{place['scene']} {place['name']}" for place in result.get("places") or ())
        told.append({name: result[name] for name in _GIST if result.get(name) is not None} | {"places": places})
    return json.dumps(told, sort_keys=True)
