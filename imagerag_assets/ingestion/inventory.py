"""List the registered scenes, with what a person wants to know of each at a glance.

`lineage.scene_facts` says everything of one scene.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.ingestion.embed_scene import find_shard, shortage
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target, find_serving, target_of
from imagerag_assets.objects.store import read_all
from imagerag_assets.raster.geo import box_geometries, box_geometry
from imagerag_assets.scenes.failures import find_failure
from imagerag_assets.scenes.ground import pixel_m
from imagerag_assets.scenes.records import SceneRecord, find_record, footprint, list_records
from imagerag_assets.scenes.removed import Removed, list_removed, said_of
from imagerag_assets.stores.shards import ShardInfo

_DIGITS = 3  # of a ground distance in metres


@dataclass(frozen=True)
class SceneFilter:
    """Which scenes to list; what is not given takes all."""

    collections: tuple[str, ...] = ()
    """Of STAC."""
    sources: tuple[str, ...] = ()
    """As they were given to an ingest; also what lies below such a folder, prefix or address."""
    start_ms: int | None = None
    """Acquired at this time or later, epoch milliseconds."""
    end_ms: int | None = None
    """Acquired at this time or earlier."""
    bbox: tuple[float, float, float, float] | None = None
    """Area that the scene meets: west, south, east, north in degrees; west > east across the antimeridian."""

    def __bool__(self) -> bool:
        return self != SceneFilter()

    def takes(self, record: SceneRecord) -> bool:
        """Return whether a scene passes."""
        scene = record.scene
        if self.collections and scene.collection not in self.collections:
            return False
        if self.sources and not any(_below(address, scene.source, scene.item_href) for address in self.sources):
            return False
        if self.start_ms is not None or self.end_ms is not None:
            if scene.acquired_at is None:
                return False
            acquired = int(scene.acquired_at.timestamp() * 1000)
            if not (self.start_ms is None or self.start_ms <= acquired):
                return False
            if not (self.end_ms is None or acquired <= self.end_ms):
                return False
        if self.bbox is None:
            return True
        place = footprint(record)
        return place is not None and _meet(place, self.bbox)


def list_scenes(
    platform: Platform, wanted: SceneFilter = SceneFilter(), *, limit: int | None = None, page: int = 1
) -> dict[str, Any]:
    """Return the registered scenes by key, those of one page; the result of ``imagerag scenes``.

    Args:
        platform: The installation.
        wanted: Which scenes.
        limit: Scenes of a page; None: all on one.
        page: From 1.

    Returns:
        ``{"scenes", "total", "page", "pages"}``.  ``total`` counts the scenes that pass.  A scene is ``{"scene",
        "item", "collection", "source", "acquired", "bbox", "width", "height", "gsd_m", "patches", "status", "notes"}``;
        ``patches`` counts those of the encoder that questions are answered with, and ``status`` is ``ingested``,
        ``empty``, ``incomplete`` (not embedded as it is), ``removed`` or ``unreadable``.

    Raises:
        InputError: there is no such page.
        StoreError: the store cannot be read.
    """
    keys = list_records(platform)
    if wanted:
        found = zip(keys, read_all(lambda key: _record(platform, key), keys), strict=True)
        keys = [key for key, record in found if isinstance(record, SceneRecord) and wanted.takes(record)]
    pages = max(1, -(-len(keys) // limit)) if limit else 1
    if page > pages:
        raise InputError(
            f"There is no page {page}", fix=f"Give --page 1 to {pages}" if pages > 1 else "Leave --page out"
        )
    shown = keys[(page - 1) * limit : page * limit] if limit else keys
    marks = {mark.scene: mark for mark in list_removed(platform)}
    target = answering_target(platform)
    scenes = read_all(lambda key: _entry(platform, key, target, marks), shown)
    return {"scenes": scenes, "total": len(keys), "page": page, "pages": pages}


def answering_target(platform: Platform) -> Target | None:
    """Return what questions are answered with, or before the first ingest the chosen encoder; None: not available."""
    try:
        serving = find_serving(platform, orphaned=True) if platform.has_vectors else None
        return serving.target if serving is not None else target_of(platform)
    except ImageRAGError:  # `imagerag status` names the problem; the scenes are there all the same
        return None


def status_of(record: SceneRecord, made: ShardInfo | None, mark: Removed | None) -> str:
    """Return the state of a scene in a word: ``ingested``, ``empty``, ``incomplete`` or ``removed``."""
    if mark is not None and mark.asked:
        return "removed"
    if made is None:
        return "empty" if record.render.empty else "incomplete"
    return "ingested" if made.rows else "empty"


def notes_of(platform: Platform, record: SceneRecord, made: ShardInfo | None, mark: Removed | None) -> Iterable[str]:
    """Yield what a person should know of a scene, in lines."""
    yield from record.notes
    if made is not None and (said := shortage(made)):
        yield said
    if mark is not None:
        yield f"{said_of(mark)}{'' if mark.done else '; its removal was not finished: remove it again'}"
    if failure := find_failure(platform, record.scene.scene_key):
        yield f"It failed on {failure.when[:10]}: {failure.error}"


def facts_of(record: SceneRecord) -> dict[str, Any]:
    """Return what a record says at a glance: item, source, time, place and size."""
    scene, grid, place, metres = record.scene, record.grid, footprint(record), pixel_m(record.grid)
    return {
        "scene": scene.scene_key,
        "item": scene.item_id,
        "collection": scene.collection,
        "source": scene.source,
        "acquired": None if scene.acquired_at is None else scene.acquired_at.isoformat(),
        "bbox": None if place is None else [round(value, 6) for value in place],
        "width": grid.width,
        "height": grid.height,
        "gsd_m": None if metres is None else round(metres, _DIGITS),
    }


def _entry(platform: Platform, key: str, target: Target | None, marks: Mapping[str, Removed]) -> dict[str, Any]:
    record = _record(platform, key)
    if not isinstance(record, SceneRecord):
        names = ("item", "collection", "source", "acquired", "bbox", "width", "height", "gsd_m", "patches")
        notes = [str(record)] if record is not None else []
        return {"scene": key, **dict.fromkeys(names), "status": "unreadable", "notes": notes}
    mark, notes = marks.get(key), []
    made: ShardInfo | None = None
    try:
        made = None if target is None else find_shard(platform, target, record)
    except ImageRAGError as error:
        notes.append(str(error))
    status = status_of(record, made, mark)
    patches = 0 if status in ("removed", "empty") else None if target is None else made.rows if made else 0
    notes += notes_of(platform, record, made, mark)
    return {**facts_of(record), "patches": patches, "status": status, "notes": list(dict.fromkeys(notes))}


def _record(platform: Platform, key: str) -> SceneRecord | ImageRAGError | None:
    try:
        return find_record(platform, key)
    except ImageRAGError as error:
        return error


def _below(address: str, *places: str | None) -> bool:
    """Return whether one of the places is the address, or lies below it."""
    folder = address.rstrip("/") + "/"
    return any(place is not None and f"{place.rstrip('/')}/".startswith(folder) for place in places)


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    first, second = (_geometry(each) for each in (one, other))
    return bool(first.intersects(second))


def _geometry(bbox: Sequence[float]) -> shapely.Geometry:
    west, south, east, north = bbox
    made = box_geometry(west, south, east, north)
    # A point or a line is not empty, as a polygon of no width is.
    return made if made.area else box_geometries(np.array([bbox], np.float64))[0].envelope
