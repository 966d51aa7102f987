"""What a shard is and what its footer says: its key, the encoder, and how its rows were made.

Plain values and their JSON form; files are read and written by `shards`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from imagerag_assets.errors import StoreError
from imagerag_assets.patches.recipe import (
    FIRST_CODE_VERSION,
    FIRST_COLLARS,
    FIRST_MIN_VALID_FRACTION,
    FIRST_PERCENTILES,
    Recipe,
)
from imagerag_assets.raster.types import Limits

VERSION = 1
PREFIX = "embeddings"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
Kept = Literal["valid", "best", "none"]
"""Which patches have rows: those with enough valid pixels; where there is none, those with the most; or none at all,
because no pixel of the scene is valid."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ShardKey:
    """What a shard holds: the patches of one state of a scene, made by one recipe, embedded by one encoder."""

    scene_key: str
    division_key: str
    """Key of the recipe, i.e. of the division and of whatever else is not the default, e.g. ``pyramid-p192-o0.5``."""
    fingerprint: str
    """The encoder's, 64 hexadecimal digits."""
    version: str
    """The scene's; it changes when the scene does."""

    def __post_init__(self) -> None:
        for what, value in (("scene key", self.scene_key), ("division key", self.division_key)):
            if not _NAME.fullmatch(value) or value in (".", ".."):
                raise StoreError(f"{value!r} is not a valid {what}", fix="Use 1 to 200 of A-Z a-z 0-9 _ . -")
        if not _FINGERPRINT.fullmatch(self.fingerprint):
            raise StoreError(f"{self.fingerprint!r} is not a fingerprint", fix="Use 64 hexadecimal digits")
        if not self.version:
            raise StoreError("A shard needs its scene's version", scene=self.scene_key)

    @property
    def path(self) -> str:
        """Key of the shard in the object store."""
        return (
            f"{PREFIX}/{self.scene_key}/{self.division_key}/{self.fingerprint[:16]}/{version16(self.version)}.parquet"
        )


def version16(version: str) -> str:
    """Shorten a version to 16 letters and digits, as it stands in the name of a shard."""
    short = version[:16]
    if not re.fullmatch(r"[A-Za-z0-9]{16}", short):  # a version of another kind may be short, quoted or hold slashes
        short = hashlib.sha256(version.encode()).hexdigest()[:16]
    return short


@dataclass(frozen=True)
class Made:
    """How the rows of a shard were made.  The defaults hold for shards that were written before footers said so."""

    min_valid_fraction: float = FIRST_MIN_VALID_FRACTION
    stretch_percentiles: tuple[float, float] = FIRST_PERCENTILES
    code_version: str = FIRST_CODE_VERSION
    collars: str = FIRST_COLLARS
    render: Limits | None = None
    """Display limits: source values shown as 0 and 255, per band; None: the shard does not say."""
    stored_at: datetime | None = None
    """When the shard was stored here, UTC; its rows could be searched shortly after.  None: the shard does not say."""
    seconds: float | None = None
    """Wall time of reading and embedding all rows in one run; None: not known."""

    @classmethod
    def by(cls, recipe: Recipe, render: Limits, *, seconds: float | None = None) -> Made:
        """Describe rows that a recipe makes now."""
        return cls(
            min_valid_fraction=recipe.min_valid_fraction,
            stretch_percentiles=recipe.stretch_percentiles,
            code_version=recipe.code_version,
            collars=recipe.collars,
            render=render,
            stored_at=now(),
            seconds=seconds,
        )

    def follows(self, recipe: Recipe, render: Limits | None = None) -> bool:
        """Whether a recipe would make the same rows; display limits are compared where both sides know them."""
        wanted = (recipe.min_valid_fraction, recipe.stretch_percentiles, recipe.code_version, recipe.collars)
        same = (self.min_valid_fraction, self.stretch_percentiles, self.code_version, self.collars) == wanted
        return same and (self.render is None or render is None or self.render == render)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; :meth:`from_dict` reads it back."""
        without = {} if self.collars == FIRST_COLLARS else {"collars": self.collars}
        return without | {
            "min_valid_fraction": self.min_valid_fraction,
            "stretch_percentiles": list(self.stretch_percentiles),
            "code_version": self.code_version,
            "render": None if self.render is None else [list(pair) for pair in self.render],
            "stored_at": None if self.stored_at is None else self.stored_at.isoformat(timespec="milliseconds"),
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Made:
        """Read what :meth:`to_dict` wrote; an older footer has none of it.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        if "code_version" not in stored:
            return cls()
        low, high = (float(each) for each in stored["stretch_percentiles"])
        render: Limits | None = None
        if stored["render"] is not None:
            red, green, blue = ((float(first), float(last)) for first, last in stored["render"])
            render = (red, green, blue)
        stored_at, seconds = stored["stored_at"], stored["seconds"]
        return cls(
            min_valid_fraction=float(stored["min_valid_fraction"]),
            stretch_percentiles=(low, high),
            code_version=str(stored["code_version"]),
            collars=str(stored.get("collars", FIRST_COLLARS)),
            render=render,
            stored_at=None if stored_at is None else datetime.fromisoformat(stored_at),
            seconds=None if seconds is None else float(seconds),
        )


@dataclass(frozen=True)
class ShardInfo:
    """What a shard says of itself."""

    key: ShardKey
    encoder: str
    dim: int
    rows: int
    version: int
    dropped: int | None = None
    """Patches left out for lack of valid pixels; None: the shard does not say."""
    made: Made = Made()
    kept: Kept | None = None
    """None: the shard was written before footers said so."""

    def to_json(self) -> str:
        """Return the entry of the footer; :meth:`from_json` reads it back."""
        return json.dumps(
            {
                "version": self.version,
                "scene_key": self.key.scene_key,
                "division_key": self.key.division_key,
                "fingerprint": self.key.fingerprint,
                "etag": self.key.version,
                "encoder": self.encoder,
                "dim": self.dim,
                "rows": self.rows,
                "dropped": self.dropped,
                "kept": self.kept,
                **self.made.to_dict(),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> ShardInfo:
        """Read the entry of a footer.

        Raises:
            KeyError, TypeError, ValueError: it is no such entry.
        """
        stored = json.loads(text)
        return cls(
            key=ShardKey(stored["scene_key"], stored["division_key"], stored["fingerprint"], stored["etag"]),
            encoder=stored["encoder"],
            dim=int(stored["dim"]),
            rows=int(stored["rows"]),
            version=int(stored["version"]),
            dropped=stored.get("dropped"),
            made=Made.from_dict(stored),
            kept=stored["kept"] if stored.get("kept") in get_args(Kept) else None,
        )


def now() -> datetime:
    """Return the present time as a footer keeps it: UTC, to the millisecond."""
    return datetime.fromisoformat(datetime.now(UTC).isoformat(timespec="milliseconds"))
