"""The objects that were found for a question: each a cue with a verdict, and its place in the scene and on the ground.

What a plan computes from them is in `compute.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from imagerag_assets.answering.findings import part_of_scene
from imagerag_assets.plans.result import WHOLE, Outcome, Place
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.whole import is_whole
from imagerag_assets.raster.geo import middle_of_box
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.scenes.ground import pixel_size_m

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
    places: bool = True
    """Whether cues are places with some of them; otherwise each cue is one of them."""


@dataclass(frozen=True)
class Evidence:
    """Everything that a plan is computed from."""

    sightings: Sequence[Sighting]
    """The most confident first."""
    best: Mapping[str, float] = field(default_factory=dict)
    """Confidence of the best candidate of a phrase, also where it was not enough."""
    others: Mapping[str, float] = field(default_factory=dict)
    """How probable it is that a phrase has no object beside those that were found; none of a phrase: not known."""
    unrecognised: frozenset[str] = frozenset()
    """Phrases that the encoder cannot tell from others."""
    unsure: frozenset[str] = frozenset()
    """Phrases whose candidates are shown, and not sure enough to count."""
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
        if phrase in self.unsure:
            return ()
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


@dataclass(frozen=True)
class Extent:
    """How large a scene is."""

    width: int
    height: int
    """In native pixels."""
    pixel_m: tuple[float, float] | None
    """Metres from west to east and from south to north of a pixel; None without a place on the ground."""

    @property
    def km2(self) -> float | None:
        """The scene's ground in square kilometres."""
        return None if self.pixel_m is None else self.width * self.height * self.pixel_m[0] * self.pixel_m[1] / 1e6


def extent_of(viewer: Viewer, scene: str) -> Extent:
    """Return how large a registered scene is."""
    grid = viewer.record(scene).grid
    return Extent(grid.width, grid.height, pixel_size_m(grid))


def sighting(cue: Cue, scene: Extent, verdict: Verdict, confidence: float) -> Sighting:
    """Return a cue as an object.

    Args:
        cue: What was found.
        scene: Its scene.
        verdict: Of the multimodal LLM.
        confidence: How probable it is that the cue shows its phrase, 0 to 1, after what the model said.
    """
    x0, y0, x1, y1 = cue.window
    share = ((x0 + x1) / 2 / scene.width, (y0 + y1) / 2 / scene.height)
    place = Place(
        scene=cue.scene,
        name=WHOLE if is_whole(cue.window, scene.width, scene.height) else part_of_scene(*share),
        window=cue.window,
        bbox=cue.bbox,
        lonlat=None if cue.bbox is None else middle_of_box(cue.bbox),
        size_m=None if scene.pixel_m is None else ((x1 - x0) * scene.pixel_m[0], (y1 - y0) * scene.pixel_m[1]),
        share=share,
        confidence=round(confidence, 4),
        cue=cue.rank,
    )
    return Sighting(cue.phrase, place, verdict)
