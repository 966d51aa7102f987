"""Which key a scene has here, and whether two items that share one are one scene, read from two places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.scenes.records import REPLACED, SCENES, SOURCES, find_record, record_key
from imagerag_assets.stac.keys import clash, folded, other_key, scene_key
from imagerag_assets.stac.types import Scene

_SAME_PLACE = 0.5
"""Least share that the boxes of one scene in two sources have in common: sources round, and cut collars differently."""


class SceneKeys:
    """Gives the scenes of one walk through a source the keys that they have here.

    The plain key of an item (`stac.keys.scene_key`) stays with the item that came first: `b` of collection `a` and
    `a.b` without a collection share theirs, and those of `Port` and `port` are one name to file systems that ignore
    case.  The item that comes later has another key, which ends in a digest and never changes.

    Args:
        platform: Whose scenes.
        taken: Returns keys that are used besides those in the store; asked once, when a new scene is found.
    """

    def __init__(self, platform: HasStore, taken: Callable[[], Iterable[str]] = tuple) -> None:
        self._platform, self._taken = platform, taken
        self._used: dict[str, str] | None = None  # in lower case, each with the key itself
        self._given: dict[str, tuple[str | None, str]] = {}

    def own(self, scene: Scene) -> Scene:
        """Return a scene under its key.

        Raises:
            StoreError: what is stored cannot be read.
        """
        plain, other = scene_key(*scene.identity), other_key(*scene.identity)
        owner = stored_identity(self._platform, plain)
        if owner == scene.identity:
            key = plain
        elif owner is not None or stored_identity(self._platform, other) == scene.identity:
            key = other
        else:
            given = self._given.get(folded(plain), scene.identity)
            key = plain if given == scene.identity and not self._in_other_case(plain) else other
        self._given[folded(key)] = scene.identity
        return scene if key == scene.scene_key else replace(scene, scene_key=key)

    def _in_other_case(self, key: str) -> bool:
        if self._used is None:
            names = [key.split("/")[1] for key in self._platform.store.list(SCENES)]
            names += [name.rpartition("/")[2].removesuffix(".json") for name in self._platform.store.list(SOURCES)]
            self._used = {folded(name): name for name in [*names, *self._taken()]}
        return self._used.get(folded(key), key) != key


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


def refuse_another(platform: HasStore, scene: Scene) -> str | None:
    """Refuse an item if another scene is stored under its key; return a note if it replaces that of another source.

    Raises:
        ItemError: The stored scene has another collection or id; or it comes from another source, and lies elsewhere,
            is of another time, or nothing says where or when.
        StoreError: The record cannot be read.
    """
    record = find_record(platform, scene.scene_key)
    if record is None:
        return None
    stored, same_id = record.scene, record.scene.identity == scene.identity
    first, second = (each.item_href or each.source for each in (stored, scene))
    if not is_another(stored, scene):
        moved = stored.source != scene.source and first != second
        return f"{REPLACED}{first}, which has the same id, and no other place or time" if moved else None
    raise clash(scene.scene_key, same_id=same_id, stored=first, refused=second)


def is_another(stored: Scene, scene: Scene) -> bool:
    """Return whether two items with one key are different scenes, as far as their JSON tells."""
    if stored.identity != scene.identity:
        return True
    if stored.source == scene.source or (scene.item_href is not None and stored.item_href == scene.item_href):
        return False  # an item may be corrected
    times = stored.acquired_at, scene.acquired_at
    if None not in times and (times[0] != times[1] or stored.last_acquired != scene.last_acquired):
        return True
    if stored.bbox is not None and scene.bbox is not None:
        return _common(stored.bbox, scene.bbox) < _SAME_PLACE
    return None in times  # nothing says that they are the same


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
