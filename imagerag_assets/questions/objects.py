"""The objects that were found for a question: each a cue with a verdict, and its place in the scene and on the ground.

What a plan computes from them is in `compute.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from imagerag_assets.answering.findings import part_of_scene
from imagerag_assets.plans.result import Outcome, Place
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.scenes.ground import pixel_m

Verdict = Literal["confirmed", "rejected", "unchecked"]
"""What a multimodal LLM said of a cue: that it shows what it was found for, that it does not, or nothing."""
MAX_SCENES = 200
"""Scenes whose ground is added up at most."""


@dataclass(frozen=True)
class Sighting:
    """One object."""

    phrase: str
    """What it was found for."""
    place: Place
    verdict: Verdict = "unchecked"

    @property
    def counts(self) -> bool:
        """Whether it is evidence."""
        return self.verdict != "rejected"


@dataclass(frozen=True)
class Tally:
    """How many of a thing there are, where they were counted one by one within patches."""

    value: int
    low: int
    high: int


@dataclass(frozen=True)
class Evidence:
    """Everything that a plan is computed from."""

    sightings: Sequence[Sighting]
    """The most confident first."""
    best: Mapping[str, float] = field(default_factory=dict)
    """Confidence of the best candidate of a phrase, also where it was not enough."""
    unrecognised: frozenset[str] = frozenset()
    """Phrases that the encoder cannot tell from others."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """Of phrases that were counted within patches."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(width, height) of the scenes in native pixels."""
    areas_km2: Mapping[str, float] = field(default_factory=dict)
    """Ground of the scenes, where it is known."""
    searched: float | None = 1.0
    """Share of the scope that was looked at."""

    def of(self, phrase: str, keep: Callable[[Place], bool] | None = None) -> tuple[Sighting, ...]:
        """Return the objects found for a phrase that count, in a region."""
        return tuple(
            each
            for each in self.sightings
            if each.phrase == phrase and each.counts and (keep is None or keep(each.place))
        )

    def outcome(self, phrase: str, found: Sequence[Sighting]) -> Outcome:
        """Return what came of looking for a phrase, of which these objects count."""
        if found:
            return "found"
        if any(each.phrase == phrase and not each.counts for each in self.sightings):
            return "rejected"
        return "unrecognised" if phrase in self.unrecognised else "not_found"


def sighting(cue: Cue, viewer: Viewer, verdict: Verdict, sure: float | None) -> Sighting:
    """Return a cue as an object.

    Args:
        cue: Of a registered scene.
        viewer: Knows the scenes.
        verdict: Of the multimodal LLM.
        sure: How sure the model is that the cue shows its phrase, 0 to 1; None: it was not asked.
    """
    x0, y0, x1, y1 = cue.window
    width, height = viewer.size(cue.scene)
    share = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
    metres = pixel_m(viewer.record(cue.scene).grid)
    confidence = cue.confidence if sure is None else (cue.confidence * sure) ** 0.5
    place = Place(
        scene=cue.scene,
        name=part_of_scene(*share),
        window=cue.window,
        bbox=cue.bbox,
        lonlat=None if cue.bbox is None else middle(cue.bbox),
        size_m=None if metres is None else ((x1 - x0) * metres, (y1 - y0) * metres),
        share=share,
        confidence=round(confidence, 4),
        cue=cue.rank,
    )
    return Sighting(cue.phrase, place, verdict)


def middle(bbox: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the longitude and latitude of the middle of (west, south, east, north), also across the antimeridian."""
    west, south, east, north = bbox
    lon = west + ((east - west) % 360) / 2
    return (lon + 180) % 360 - 180, (south + north) / 2


def grounds(viewer: Viewer, scenes: Iterable[str]) -> tuple[dict[str, tuple[int, int]], dict[str, float]]:
    """Return the size of scenes in pixels, and their ground in square kilometres where it is known."""
    sizes, areas = {}, {}
    for scene in list(dict.fromkeys(scenes))[:MAX_SCENES]:
        grid = viewer.record(scene).grid
        sizes[scene] = (grid.width, grid.height)
        metres = pixel_m(grid)
        if metres is not None:
            areas[scene] = grid.width * grid.height * metres**2 / 1e6
    return sizes, areas
