"""Scenes whose item has left its source: marked first, and purged on request.

``removed/{scene_key}.json`` says since when.  A marked scene still answers questions: a missing item says nothing about
its pixels, and a bucket may be gone for an hour.  `status` names it, and a person decides to purge it.  Answers are
never purged.  `watched_sources` finds out which items are gone.
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
    """When this was noticed, ISO 8601, UTC."""
    source: str | None = None
    """Name of the watched source, if it came from one."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def mark_removed(platform: HasStore, scene_key: str, *, source: str | None = None) -> None:
    """Note that a scene's item is gone; keep an earlier mark.

    Raises:
        StoreError: the store does not take it.
    """
    if not is_removed(platform, scene_key):
        at = datetime.now(UTC).isoformat(timespec="seconds")
        platform.store.write_json(_mark(scene_key), Removed(scene_key, at, source).to_dict())


def clear_removed(platform: HasStore, scene_key: str) -> None:
    """Remove the mark: the scene's item is there (again).

    Raises:
        StoreError: the store cannot be changed.
    """
    platform.store.delete(_mark(scene_key))


def is_removed(platform: HasStore, scene_key: str) -> bool:
    """Return whether a scene is marked.

    Raises:
        StoreError: the store cannot be read.
    """
    return is_scene_key(scene_key) and platform.store.exists(_mark(scene_key))


def list_removed(platform: HasStore) -> list[Removed]:
    """Return all marked scenes by key; an unreadable mark gives the key only.

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
