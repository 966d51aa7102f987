"""Remove scenes: their rows go from every collection at once, and what was stored stays until it is purged.

The mark comes first, so that a tick, a run or an ingest that is under way does not bring the scene back, and so that a
removal that was killed shows and is finished by the same command.  Shards, tables, records and answers stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.records import load_record, record_key
from imagerag_assets.scenes.removed import find_removed, is_removed, mark_asked
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stores.milvus_filter import Filter


@dataclass(frozen=True)
class RemovedScene:
    """What the removal of one scene did."""

    scene: str
    at: str
    """When it was removed first, ISO 8601, UTC."""
    rows: int
    """Rows that were deleted, in all collections."""
    before: bool
    """Whether it had been removed before; it was finished then."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def remove_scenes(
    platform: Platform, scene_keys: Sequence[str], *, forget: Callable[[str], None] | None = None
) -> list[RemovedScene]:
    """Take scenes out of all questions; removing one again finishes what a kill left.

    Args:
        platform: The installation.
        scene_keys: Registered scenes, or removed ones.
        forget: Called with each key before its removal counts as done, e.g. to delete a partition.

    Raises:
        UnknownSceneError: there is no such scene; nothing was removed then.
        StoreError: Milvus or the store fails; run it again to finish.
    """
    keys = list(dict.fromkeys(scene_keys))
    require_known(platform, keys)
    before = {key: find_removed(platform, key) for key in keys}
    for key in keys:
        mark_asked(platform, key, done=False)
    rows = delete_rows(platform, keys)
    removed: list[RemovedScene] = []
    for key in keys:
        if forget is not None:
            forget(key)
        mark, former = mark_asked(platform, key, done=True), before[key]
        removed.append(RemovedScene(key, mark.at, rows[key], former is not None and former.asked))
    return removed


def require_known(platform: Platform, scene_keys: Sequence[str]) -> None:
    """Check that each scene is registered, or was removed before.

    Raises:
        UnknownSceneError: one is neither; the message names similar ones.
        StoreError: the store cannot be read.
    """
    for key in scene_keys:
        there = is_scene_key(key) and platform.store.exists(record_key(key))  # a damaged one can be removed, too
        if not there and not is_removed(platform, key):
            load_record(platform, key)


def count_rows(platform: Platform, scene_keys: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many rows each scene has in each patch collection that has any of it.

    Raises:
        StoreError: Milvus fails.
    """
    found: dict[str, dict[str, int]] = {key: {} for key in scene_keys}
    for collection in _collections(platform):
        with platform.vectors.borrowed(collection):  # most are retired, and not in a server's memory
            for key in found:
                if rows := platform.vectors.count(collection, Filter().scene_in([key])):
                    found[key][collection] = rows
    return found


def delete_rows(platform: Platform, scene_keys: Sequence[str]) -> dict[str, int]:
    """Delete the rows of scenes from every patch collection; return how many each scene had.

    Raises:
        StoreError: Milvus fails.
    """
    rows = dict.fromkeys(scene_keys, 0)
    for collection in _collections(platform):
        with platform.vectors.borrowed(collection):
            for key in rows:
                there = platform.vectors.count(collection, Filter().scene_in([key]))
                if there:
                    platform.vectors.delete_scene(collection, key)
                rows[key] += there
    return rows


def _collections(platform: Platform) -> list[str]:
    if not platform.has_vectors:
        return []
    return [each.name for each in platform.vectors.list_collections() if each.kind == "patches"]
