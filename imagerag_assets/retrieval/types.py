"""What retrieval takes and gives: how and where patches are searched, cues, and the result of one retrieval.

No logic beyond turning a cue into the contract's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter

Window = tuple[int, int, int, int]
PathName = Literal["fast", "slow-labels", "slow-captions", "change", "none"]
PathChoice = Literal["auto", "fast", "slow", "none"]
Reducer = Literal["mean", "cluster", "rerank"]
"""How exemplars become a prototype: the mean of all, of their largest DBSCAN cluster, or of the three most similar to
the phrase's text embedding."""

SceneWindow = tuple[str, Window]
"""The key of a scene, and a window of it in native pixels."""
Keep = Callable[[str, Window], bool]
"""Whether a patch counts, given its scene key and native window; for conditions that a Milvus filter cannot state."""


class Look(Protocol):
    """Pixels of scenes."""

    def size(self, scene_key: str) -> tuple[int, int]:
        """Return (width, height) in native pixels."""

    def finest_level(self, scene_key: str) -> int:
        """Return the level of the scene's smallest patches; 0 where they have the usual number of native pixels."""

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        """Read a native window, half-open, at a level, 0 or above: uint8 (h, w, 3)."""

    def bbox(self, scene_key: str, window: Window) -> tuple[float, float, float, float] | None:
        """Return (west, south, east, north) in degrees of a native window; None without a place."""


@dataclass(frozen=True)
class Search:
    """How and where patches are searched."""

    calibration: Calibration
    """Of the encoder in use and the collection's division (`calibration.load_calibration`)."""
    where: Filter = EVERYTHING
    """Which patches are searched."""
    keep: Keep | None = None
    """Which patches count, of those that `where` lets through, and which cues, once their windows have moved; None:
    all."""
    collection: str = "patches"
    """Name or alias of a patch collection of the encoder in use."""
    path: PathChoice = "auto"
    """Which paths may be used."""
    top_k: int | None = None
    """Cues at most; None: IMAGERAG_TOP_K."""
    look: Look | None = None
    """Pixels for a second look at the best candidates; None: there is none, as with IMAGERAG_SECOND_LOOK=0."""
    reducer: Reducer = "mean"
    """How the slow path makes prototypes."""

    def keeps(self, scene: str, window: Window) -> bool:
        """Return whether a patch, or a cue, of this scene and native window counts."""
        return self.keep is None or self.keep(scene, window)

    def most(self, default: int) -> int:
        """Return how many cues may be given, where `default` is the installation's number."""
        return default if self.top_k is None else self.top_k


@dataclass(frozen=True)
class Cue:
    """A patch found for a phrase."""

    patch_id: str
    scene: str
    window: Window
    """(x0, y0, x1, y1) in native pixels, half-open."""
    bbox: tuple[float, float, float, float] | None
    """(west, south, east, north) in degrees; None: the scene has no known place."""
    level: int
    phrase: str
    score: float
    """Cosine of the patch with the phrase (fast path) or with the exemplar prototype (slow path); of a change, 1 - the
    cosine of the place then and now."""
    confidence: float
    """0 to 1, independent of how many patches there are (`scoring.py`)."""
    rank: int
    """From 1, the best first; 0: not ranked yet."""
    path: PathName

    def to_dict(self) -> dict[str, Any]:
        """The cue as JSON of the contract."""
        return {
            "patch_id": self.patch_id,
            "scene": self.scene,
            "window": list(self.window),
            "bbox": None if self.bbox is None else list(self.bbox),
            "level": self.level,
            "phrase": self.phrase,
            "score": self.score,
            "confidence": self.confidence,
            "rank": self.rank,
            "path": self.path,
        }


@dataclass(frozen=True)
class Retrieval:
    """The outcome of one retrieval."""

    cues: tuple[Cue, ...]
    """Ranked; every one at or above its path's threshold."""
    path: PathName
    """The first path that gave a cue; ``none`` without cues."""
    abstained: bool
    """Whether something was looked for and nothing passed the threshold."""
    notes: tuple[str, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds of ``encode`` (texts) and ``search`` (Milvus and scoring)."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Phrases that were put to the encoder as the label that the knowledge base has them as another name of."""
    best: Mapping[str, float] = field(default_factory=dict)
    """Confidence of each phrase's best candidate, also where it did not pass."""
    unrecognised: frozenset[str] = frozenset()
    """Phrases that the encoder cannot tell from others."""
    too_small: Mapping[str, float] = field(default_factory=dict)
    """Those among them that are too small for every scene in scope, with the metres that its finest pixels cover."""
    unsure: frozenset[str] = frozenset()
    """Phrases that have cues, the best of which is not sure enough to say that the thing is there."""
    others: Mapping[str, float] = field(default_factory=dict)
    """How probable it is that a phrase has no object beside its cues: from the candidates that did not pass."""
    many: frozenset[str] = frozenset()
    """Phrases with more candidates than could be looked at a second time, most of which passed: there may be many more
    objects than cues."""
    seen: Mapping[str, tuple[SceneWindow, ...]] = field(default_factory=dict)
    """Places that were looked at a second time for each phrase, whether they passed or not."""
