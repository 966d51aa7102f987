"""Scenes whose item has left its source: marked, and on request purged.

``removed/{scene_key}.json`` says since when.  A marked scene still answers questions: that an item is gone says nothing
about its pixels, and a bucket may be gone for an hour; `status` names it, and purging is a decision.  Answers are never
purged.  Who finds out that an item is gone is `acquisitions`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import StoreError, UnknownSceneError
from imagerag_assets.pipelines.platform import Platform
from imagerag_assets.pipelines.scenes import FAILURES, SCENES, SOURCES, HasStore, overview_key, read_all, record_key
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import PREFIX

REMOVED = "removed"


@dataclass(frozen=True)
class Removed:
    """A scene whose item is gone."""

    scene: str
    at: str
    """When that was noticed, ISO 8601, UTC."""
    source: str | None = None
    """Name of the watched source, if it is one."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class Purged:
    """What purging one scene deleted."""

    scene: str
    rows: int
    """Rows, of all collections."""
    objects: int
    """Shards, tables, records."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


def mark_removed(platform: HasStore, scene_key: str, *, source: str | None = None) -> None:
    """Note that a scene's item is gone; an earlier mark stays.

    Raises:
        StoreError: the store does not take it.
    """
    if not is_removed(platform, scene_key):
        at = datetime.now(UTC).isoformat(timespec="seconds")
        platform.store.write_json(_mark(scene_key), Removed(scene_key, at, source).to_dict())


def clear_removed(platform: HasStore, scene_key: str) -> None:
    """The scene's item is there (again).

    Raises:
        StoreError: the store cannot be changed.
    """
    platform.store.delete(_mark(scene_key))


def is_removed(platform: HasStore, scene_key: str) -> bool:
    """Whether a scene's item was found gone.

    Raises:
        StoreError: the store cannot be read.
    """
    return is_scene_key(scene_key) and platform.store.exists(_mark(scene_key))


def list_removed(platform: HasStore) -> list[Removed]:
    """All marked scenes, by key; a mark that cannot be understood says nothing but the key.

    Raises:
        StoreError: the store cannot be listed.
    """

    def read(key: str) -> Removed:
        scene = key.removeprefix(f"{REMOVED}/").removesuffix(".json")
        try:
            return Removed(**platform.store.read_json(key))
        except (StoreError, TypeError):
            return Removed(scene, "")

    return read_all(read, [key for key in platform.store.list(REMOVED) if key.endswith(".json")])


def purge(
    platform: Platform, scene_keys: Sequence[str], *, forget: Callable[[str], None] | None = None
) -> list[Purged]:
    """Delete marked scenes: rows of every collection, shards, tables, records, failures and what a key stood for.

    The mark goes last, so that a killed purge is finished by the next one.  Answers are kept.

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
    collections = _collections(platform)
    return [_purge(platform, key, collections, forget) for key in dict.fromkeys(scene_keys)]


def _purge(platform: Platform, key: str, collections: Sequence[str], forget: Callable[[str], None] | None) -> Purged:
    rows = 0
    for collection in collections:
        there = platform.vectors.count(collection, Filter().scene_in([key]))
        if there:
            platform.vectors.delete_scene(collection, key)
        rows += there
    store = platform.store
    objects = [path for kind in (PREFIX, "patches", SCENES) for path in store.list(f"{kind}/{key}")]
    objects = [path for path in objects if path not in (record_key(key), overview_key(key))]
    singles = (overview_key(key), record_key(key), f"{FAILURES}/{key}.json", f"{SOURCES}/{key}.json")
    objects += [path for path in singles if store.exists(path)]
    for path in objects:
        store.delete(path)
    for kind in ("embed", "overviews"):
        shutil.rmtree(platform.settings.home / "scratch" / kind / key, ignore_errors=True)
    if forget is not None:
        forget(key)
    clear_removed(platform, key)
    return Purged(key, rows, len(objects))


def _collections(platform: Platform) -> list[str]:
    if not platform.has_vectors:
        return []
    return [each.name for each in platform.vectors.list_collections() if each.kind == "patches"]


def _mark(scene_key: str) -> str:
    return f"{REMOVED}/{scene_key}.json"
