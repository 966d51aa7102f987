"""Show what two scenes of one place say about a question: pictures, captions, the answer's record.

A cue of a change is of the later scene; what its place looked like before stands beside it.  Nothing is looked for here
(`change.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagerag_assets.questions.evidence import Viewer, picture_of, side_by_side
from imagerag_assets.raster.geo import same_place
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Retrieval
from imagerag_assets.scenes.records import SceneRecord

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Compared:
    """What two scenes of one place show of a question."""

    before: SceneRecord
    after: SceneRecord
    found: Retrieval
    analysis: Analysis
    """What the answer is about: changed places, or what was looked for on each date."""
    counted: bool
    """Whether each cue is of one of the two scenes; otherwise each is a place of the later scene that changed."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able, for the answer's record."""

    @property
    def scenes(self) -> tuple[str, str]:
        """Return the keys of the earlier and the later scene."""
        return self.before.scene.scene_key, self.after.scene.scene_key

    @property
    def dates(self) -> tuple[str, str]:
        """Return the days on which they were acquired."""
        return day_of(self.before), day_of(self.after)

    def captions(self) -> dict[int, str]:
        """Return each cue's caption by rank: its phrase with its date, or with both dates."""
        when = dict(zip(self.scenes, self.dates, strict=True))
        both = " to ".join(self.dates)
        return {cue.rank: f"{cue.phrase}, {when[cue.scene] if self.counted else both}" for cue in self.found.cues}

    def groups(self) -> dict[str, frozenset[int]]:
        """Return the ranks of the cues that are reported together, by what is added to their phrase."""
        if not self.counted:
            return {"": frozenset(cue.rank for cue in self.found.cues)}
        return {
            f", {date}": frozenset(cue.rank for cue in self.found.cues if cue.scene == scene)
            for scene, date in zip(self.scenes, self.dates, strict=True)
        }

    def pictures(self, viewer: Viewer) -> tuple[dict[int, Image.Image], tuple[str, ...]]:
        """Return the cues' pictures by rank, and notes.  A changed place is shown before and after, side by side."""
        pictures, notes = {}, []
        for cue in self.found.cues:
            pictures[cue.rank], note = picture_of(viewer, cue.scene, cue.window)
            window = None if self.counted else same_place(self.after.grid, cue.window, self.before.grid)
            if window is not None:
                earlier, other = picture_of(viewer, self.scenes[0], window)
                pictures[cue.rank] = side_by_side(earlier, pictures[cue.rank])
                note = note or other
            if note:
                notes.append(f"Cue {cue.rank} is cut from the overview: {note}")
        return pictures, tuple(notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer record's ``change``."""
        return {
            "before": {"scene": self.scenes[0], "acquired": self.dates[0]},
            "after": {"scene": self.scenes[1], "acquired": self.dates[1]},
            **self.details,
        }


def day_of(record: SceneRecord) -> str:
    """Return the day of a scene, or the first and the last one as A/B.  The lineage has its time, too."""
    first, last = f"{record.scene.acquired_at:%Y-%m-%d}", f"{record.scene.last_acquired:%Y-%m-%d}"
    return first if first == last else f"{first}/{last}"
