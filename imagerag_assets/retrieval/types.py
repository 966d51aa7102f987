"""What retrieval takes and gives: the parts of an installation it needs, cues, and the result of one retrieval.

No logic beyond turning a cue into the contract's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    pass

PathName = Literal["fast", "slow-labels", "slow-captions", "change", "none"]
PathChoice = Literal["auto", "fast", "slow", "none"]

Keep = Callable[[str, tuple[int, int, int, int]], bool]
"""Whether a patch, by its scene key and native window, is looked at; for what a filter of Milvus cannot say."""


@dataclass(frozen=True)
class Cue:
    """A patch found for a phrase."""

    patch_id: str
    scene: str
    window: tuple[int, int, int, int]
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
