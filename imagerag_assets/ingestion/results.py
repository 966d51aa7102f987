"""What the steps of an ingest did: data only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class EmbedResult:
    """What embedding a scene did."""

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
    """Super-tiles read, or found done by an earlier run."""
    reused: int
    """Of these, found done."""
    seconds: float
    skipped: bool
    """The shard was there already."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class IndexResult:
    """What indexing a scene did."""

    scene: str
    collection: str
    alias: str | None
    """The alias, if it points to the collection."""
    rows: int
    """Rows of the scene in the collection."""
    removed_shards: int
    """Shards of the scene as it was before."""
    seconds: float
    skipped: bool
    """The rows were there already."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class SceneResult:
    """What ingesting a scene came to."""

    scene: str
    status: Literal["ingested", "skipped", "failed"]
    patches: int
    """Rows of the scene that can be searched now; 0 when failed."""
    seconds: float
    error: str | None = None
    """One line."""
    note: str | None = None
    """One line about a scene that is embedded, but that questions cannot find yet."""

    def to_dict(self) -> dict[str, Any]:
        """One element of ``scenes`` in the result of ``imagerag ingest``."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}
