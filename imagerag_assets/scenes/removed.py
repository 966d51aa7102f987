"""Marks of removed scenes: those whose item has left its source, and those that a person removed.

``removed/{scene_key}.json`` says since when and why.  A scene whose item is gone still answers questions: a missing
item says nothing about its pixels, and a bucket may be gone for an hour.  A scene that a person removed has no rows in
Milvus any more and is not ingested again unless somebody names it.  `status` names both, and a person decides to purge
them.  Answers are never purged.  `watched_sources` finds out which items are gone, `ingestion.remove` removes scenes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import RemovedSceneError, StoreError
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.stac.keys import is_scene_key

REMOVED = "removed"


@dataclass(frozen=True)
class Removed:
    """A scene whose item is gone, or that a person removed."""

    scene: str
    at: str
    """When this was noticed or asked for, ISO 8601, UTC."""
    source: str | None = None
    """Name of the watched source, if its item left one."""
    asked: bool = False
    """Whether a person removed it."""
    done: bool = True
    """Whether its rows are gone; false while it is being removed, or after a kill in between."""
    purged: bool = False
    """Whether what was stored of it was deleted.  The mark stays where a person removed it: its item may still come."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def mark_removed(platform: HasStore, scene_key: str, *, source: str | None = None) -> None:
    """Note that a scene's item is gone; keep an earlier mark.

    Raises:
        StoreError: the store does not take it.
    """
    if not is_removed(platform, scene_key):
        _write(platform, Removed(scene_key, _now(), source))


def mark_asked(platform: HasStore, scene_key: str, *, done: bool) -> Removed:
    """Note that a person removes a scene; the time is that of the first such mark.

    Raises:
        StoreError: the store does not take it.
    """
    before = find_removed(platform, scene_key)
    if before is not None and before.asked:
        mark = replace(before, done=done)
    else:
        mark = Removed(scene_key, _now(), before.source if before else None, asked=True, done=done)
    if mark != before:
        _write(platform, mark)
    return mark


def mark_purged(platform: HasStore, scene_key: str) -> None:
    """Note that what was stored of a scene is deleted; the mark itself goes unless a person removed the scene.

    Raises:
        StoreError: the store cannot be changed.
    """
    mark = find_removed(platform, scene_key)
    if mark is not None and mark.asked:
        _write(platform, replace(mark, done=True, purged=True))
    else:
        clear_removed(platform, scene_key)


def clear_removed(platform: HasStore, scene_key: str, *, asked: bool = False) -> None:
    """Remove the mark: the scene's item is there (again).

    Args:
        platform: The installation.
        scene_key: The scene.
        asked: Also remove the mark of a scene that a person removed, because a person named it again.

    Raises:
        StoreError: the store cannot be changed.
    """
    if asked or (is_removed(platform, scene_key) and not is_asked(platform, scene_key)):
        platform.store.delete(_mark(scene_key))


def is_removed(platform: HasStore, scene_key: str) -> bool:
    """Return whether a scene is marked.

    Raises:
        StoreError: the store cannot be read.
    """
    return is_scene_key(scene_key) and platform.store.exists(_mark(scene_key))


def is_asked(platform: HasStore, scene_key: str) -> bool:
    """Return whether a person removed a scene.

    Raises:
        StoreError: the store cannot be read.
    """
    mark = find_removed(platform, scene_key)
    return mark is not None and mark.asked


def find_removed(platform: HasStore, scene_key: str) -> Removed | None:
    """Return the mark of a scene, if it has one; an unreadable one gives the key only.

    Raises:
        StoreError: the store cannot be read.
    """
    return _read(platform, scene_key) if is_removed(platform, scene_key) else None


def refuse_removed(platform: HasStore, scene_key: str) -> None:
    """Refuse a scene that a person removed.

    Raises:
        RemovedSceneError: a person removed it.
        StoreError: the store cannot be read.
    """
    mark = find_removed(platform, scene_key)
    if mark is not None and mark.asked:
        raise RemovedSceneError(said_of(mark), fix=again(scene_key), scene=scene_key)


def said_of(mark: Removed) -> str:
    """Say in a line, without a full stop, what a mark means."""
    if mark.asked:
        return f"The scene was removed on {mark.at[:10]}"
    return f"The scene's item is gone from {mark.source or 'its source'} since {mark.at[:10]}"


def again(scene_key: str) -> str:
    """Say how a scene that a person removed comes back."""
    return f"To have it again, run: imagerag ingest SOURCE --scene {scene_key}"


def list_removed(platform: HasStore) -> list[Removed]:
    """Return all marked scenes by key; an unreadable mark gives the key only.

    Raises:
        StoreError: the store cannot be listed.
    """
    names = [key for key in platform.store.list(REMOVED) if key.endswith(".json")]
    return read_all(
        lambda key: _read(platform, key.removeprefix(f"{REMOVED}/").removesuffix(".json")),
        names,
    )


def list_asked(platform: HasStore) -> frozenset[str]:
    """Return the keys of the scenes that a person removed.

    Raises:
        StoreError: the store cannot be listed.
    """
    return frozenset(mark.scene for mark in list_removed(platform) if mark.asked)


def _read(platform: HasStore, scene_key: str) -> Removed:
    try:
        return Removed(**platform.store.read_json(_mark(scene_key)))
    except (StoreError, TypeError):
        return Removed(scene_key, "")


def _write(platform: HasStore, mark: Removed) -> None:
    # What only a person's removal has is left out elsewhere: earlier versions read three fields.
    first = ("scene", "at", "source")
    values = {name: value for name, value in mark.to_dict().items() if mark.asked or name in first}
    platform.store.write_json(_mark(mark.scene), values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _mark(scene_key: str) -> str:
    return f"{REMOVED}/{scene_key}.json"
