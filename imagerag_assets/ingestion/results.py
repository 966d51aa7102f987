"""Results of the steps of an ingest: plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ingested", "skipped", "empty", "failed"]


@dataclass(frozen=True)
class EmbedResult:
    """Result of embedding a scene."""

    scene: str
    division: str
    """Key of the division."""
    encoder: str
    fingerprint: str
    shard: str
    """Object key."""
    patches: int
    """Rows of the shard."""
    dropped: int | None
    """Patches without enough valid pixels; None when skipped."""
    supertiles: int
    """Super-tiles read now or by an earlier run."""
    reused: int
    """Super-tiles read by an earlier run."""
    seconds: float
    skipped: bool
    """Whether the shard existed before."""
    note: str | None = None
    """One line where the scene has too few valid pixels."""
    layout: str | None = None
    """One line where its patches were to be laid out in metres, and could not."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class IndexResult:
    """Result of indexing a scene."""

    scene: str
    collection: str
    alias: str | None
    """The alias, where it points to the collection."""
    rows: int
    """Rows of the scene in the collection."""
    removed_shards: int
    """Shards of earlier versions of the scene that were deleted."""
    seconds: float
    skipped: bool
    """Whether the rows existed before."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class SceneResult:
    """Result of ingesting a scene."""

    scene: str
    status: Status
    """``skipped``: there was nothing to do; ``empty``: it has no pixel to search, as the note says."""
    patches: int
    """Rows of the scene that can be searched now; 0 when failed."""
    seconds: float
    error: str | None = None
    """One line."""
    note: str | None = None
    """One line, e.g. about a scene that is embedded, but that questions cannot find yet."""
    findable: bool = True
    """Whether questions find it, as far as the ingest can tell."""
    notes: tuple[str, ...] = ()
    """What else a person should know of a scene whose item was made here."""

    @property
    def missed(self) -> bool:
        """Return whether questions do not find the scene although it was to be ingested."""
        return self.status in ("empty", "failed") or not self.findable

    def to_dict(self) -> dict[str, Any]:
        """One element of ``scenes`` in the result of ``imagerag ingest``."""
        values = asdict(self) | {"seconds": round(self.seconds, 3), "notes": list(self.notes)}
        left_out = ("findable",) if self.notes else ("findable", "notes")
        return {name: value for name, value in values.items() if name not in left_out}
