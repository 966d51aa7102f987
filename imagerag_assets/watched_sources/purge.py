"""Delete the rows, shards, tables and records of scenes that are marked as removed.

Marking them belongs to `full_scan` and `ingestion.remove`, and deleting their partitions to the caller.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from imagerag_assets.errors import UnknownSceneError
from imagerag_assets.ingestion.parts import PARTS
from imagerag_assets.ingestion.remove import delete_rows
from imagerag_assets.installation.platform import Platform
from imagerag_assets.online_layers.items import layer_key
from imagerag_assets.plain_files.kept import item_key
from imagerag_assets.scenes.failures import FAILURES
from imagerag_assets.scenes.intervals import INTERVALS
from imagerag_assets.scenes.records import SCENES, SOURCES, overview_key, record_key
from imagerag_assets.scenes.removed import is_removed, mark_purged
from imagerag_assets.stores.shards import PREFIX


@dataclass(frozen=True)
class Purged:
    """What the purge of one scene deleted."""

    scene: str
    rows: int
    """Number of rows, in all collections."""
    objects: int
    """Number of shards, tables and records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON."""
        return asdict(self)


def purge(
    platform: Platform, scene_keys: Sequence[str], *, forget: Callable[[str], None] | None = None
) -> list[Purged]:
    """Delete marked scenes: rows of every collection, shards, tables, records, failures and what a key stood for.

    The mark goes last, so that a killed purge is finished by the next one; that of a scene that a person removed stays,
    so that its item does not bring it back.  Answers are kept.

    Args:
        platform: The installation.
        scene_keys: Marked scenes.
        forget: Called with each key before its mark goes, e.g. to delete a partition.

    Raises:
        UnknownSceneError: a scene is not marked; nothing was purged then.
        StoreError: Milvus or the store fails.
    """
    for key in scene_keys:
        if not is_removed(platform, key):
            raise UnknownSceneError(
                "This scene is not marked as removed from its source", fix="See: imagerag status", scene=key[:200]
            )
    keys = list(dict.fromkeys(scene_keys))
    rows = delete_rows(platform, keys)
    return [_purge(platform, key, rows[key], forget) for key in keys]


def _purge(platform: Platform, key: str, rows: int, forget: Callable[[str], None] | None) -> Purged:
    """Delete everything of a scene but its rows, which are gone already."""
    store = platform.store
    objects = [path for kind in (PREFIX, PARTS, "patches", INTERVALS, SCENES) for path in store.list(f"{kind}/{key}")]
    objects = [path for path in objects if path not in (record_key(key), overview_key(key))]
    singles = (overview_key(key), record_key(key), f"{FAILURES}/{key}.json", f"{SOURCES}/{key}.json",
               item_key(key), layer_key(key))  # fmt: skip
    objects += [path for path in singles if store.exists(path)]
    for path in objects:
        store.delete(path)
    for kind in ("embed", "overviews"):
        shutil.rmtree(platform.settings.home / "scratch" / kind / key, ignore_errors=True)
    if forget is not None:
        forget(key)
    mark_purged(platform, key)
    return Purged(key, rows, len(objects))
