"""What the looks of `imagerag doctor --deep` have in common: reporting progress, and setting things aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.scenes.records import SOURCES
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stac.types import Scene

SET_ASIDE = "set-aside"
"""Folder of objects that nobody could use where they were; nothing reads or deletes what is in it."""
YOUNG_SECONDS = 3600.0
"""What is younger may be the work of a process that is still at it."""
Progress = Callable[[int, int, str], None]
T = TypeVar("T")


def each_of(things: Sequence[T], progress: Progress | None, what: str) -> Iterator[T]:
    """Yield things, and report how many are done."""
    for number, thing in enumerate(things):
        if progress is not None:
            progress(number, len(things), what)
        yield thing


def set_aside(platform: HasStore, keys: Iterable[str]) -> str:
    """Move objects into the folder `SET_ASIDE`, with the time; return what was done.

    Raises:
        StoreError: one cannot be moved.
    """
    folder = f"{SET_ASIDE}/{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for key in keys:
        platform.store.move(key, f"{folder}/{key}")
    return f"moved to {platform.store.url(folder)}"


def stored_item(platform: HasStore, scene_key: str) -> Scene | None:
    """Return the item that is stored for a partition key, if there is a readable one.

    Raises:
        StoreError: the store cannot be read.
    """
    key = f"{SOURCES}/{scene_key}.json"
    if not is_scene_key(scene_key) or not platform.store.exists(key):
        return None
    try:
        return Scene.from_dict(platform.store.read_json(key))
    except (StoreError, KeyError, TypeError, ValueError, AttributeError):
        return None
