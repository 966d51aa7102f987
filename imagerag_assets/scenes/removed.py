"""Scenes whose item has left its source: marked, and on request purged.

``removed/{scene_key}.json`` says since when.  A marked scene still answers questions: that an item is gone says nothing
about its pixels, and a bucket may be gone for an hour; `status` names it, and purging is a decision.  Answers are never
purged.  Who finds out that an item is gone is `acquisitions`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.stac.keys import is_scene_key

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


def _mark(scene_key: str) -> str:
    return f"{REMOVED}/{scene_key}.json"
