"""Whether two items that share a scene key are one scene, read from two places, or would replace each other."""

from __future__ import annotations

from dataclasses import replace

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.scenes.records import SOURCES, find_record, record_key
from imagerag_assets.stac.keys import clash, other_key, scene_key
from imagerag_assets.stac.types import Scene

_SAME_PLACE = 0.5
"""Least share that the boxes of one scene in two sources have in common: sources round, and cut collars differently."""


def with_own_key(platform: HasStore, scene: Scene) -> Scene:
    """Return a scene under the key that it has here: another one if its plain key is that of another item.

    `b` of collection `a` and `a.b` without a collection share their plain key.  It stays with the one that came first.

    Raises:
        StoreError: what is stored cannot be read.
    """
    plain, other = scene_key(*scene.identity), other_key(*scene.identity)
    owner = stored_identity(platform, plain)
    if owner == scene.identity:
        key = plain
    elif owner is not None or stored_identity(platform, other) == scene.identity:
        key = other
    else:
        return scene
    return scene if key == scene.scene_key else replace(scene, scene_key=key)


def stored_identity(platform: HasStore, key: str) -> tuple[str | None, str] | None:
    """Return collection and id of the item that a key stands for; None if there is none, or nobody can tell.

    Raises:
        StoreError: the store cannot be read.
    """
    for name in (record_key(key), f"{SOURCES}/{key}.json"):
        if not platform.store.exists(name):
            continue
        try:
            stored = platform.store.read_json(name)
            stored = stored.get("scene", stored)
            return stored["collection"] or None, str(stored["item_id"])
        except (StoreError, KeyError, TypeError, AttributeError):  # damaged: whoever reads it says so
            continue
    return None


def refuse_another(platform: HasStore, scene: Scene) -> None:
    """Refuse an item if another scene is stored under its key.

    Raises:
        ItemError: The stored scene has another collection or id; or it comes from another source and lies elsewhere, or
            is of another time.
        StoreError: The record cannot be read.
    """
    record = find_record(platform, scene.scene_key)
    if record is None or not is_another(record.scene, scene):
        return
    stored, same_id = record.scene, record.scene.identity == scene.identity
    first, second = (each.item_href or each.source for each in (stored, scene))
    raise clash(scene.scene_key, scene.scene_key, same_id=same_id, stored=first, refused=second)


def is_another(stored: Scene, scene: Scene) -> bool:
    """Return whether two items with one key are different scenes, as far as their JSON tells."""
    if stored.identity != scene.identity:
        return True
    if stored.source == scene.source or (scene.item_href is not None and stored.item_href == scene.item_href):
        return False  # an item may be corrected
    times = stored.acquired_at, scene.acquired_at
    if None not in times and (times[0] != times[1] or stored.last_acquired != scene.last_acquired):
        return True
    return stored.bbox is not None and scene.bbox is not None and _common(stored.bbox, scene.bbox) < _SAME_PLACE


def _common(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return the common area of two boxes in degrees, as a share of the area of both; west > east crosses 180°."""
    (west, south, east, north), (left, bottom, right, top) = one, other
    if one == other:
        return 1.0
    east, right = east + 360 * (east < west), right + 360 * (right < left)
    shift = round((west + east - left - right) / 720) * 360
    left, right = left + shift, right + shift
    width, height = min(east, right) - max(west, left), min(north, top) - max(south, bottom)
    shared = max(0.0, width) * max(0.0, height)
    both = (east - west) * (north - south) + (right - left) * (top - bottom) - shared
    return shared / both if both > 0 else 0.0
