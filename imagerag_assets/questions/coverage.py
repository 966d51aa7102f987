"""Find the scenes that a question covers, those that show a place as it was last seen, and the two that show it first
and last.

Only geometry and dates of scene records are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from imagerag_assets.errors import QuestionError
from imagerag_assets.questions.question import Question, interval
from imagerag_assets.raster.geo import box_geometries, window_geometry
from imagerag_assets.scenes.records import SceneRecord

_SLIVER = 0.01
"""A scene counts if newer ones leave at least this share of its part of the area uncovered."""


def covers(question: Question, record: SceneRecord) -> bool:
    """Return whether a question is about a scene, by key, time, cloud cover and area.

    A scene that was acquired within an interval matches a time that meets it.
    A scene without a date never matches a time, and one of unknown cloud cover never matches a limit of clouds.
    """
    scene = record.scene
    if question.scenes and scene.scene_key not in question.scenes:
        return False
    start, end = interval(question.datetime)
    if start is not None or end is not None:
        if scene.acquired_at is None:
            return False
        first, last = (
            moment.timestamp() * 1000 for moment in (scene.acquired_at, scene.last_acquired or scene.acquired_at)
        )
        if (start is not None and last < start) or (end is not None and first > end):
            return False
    limit, cover = question.cloud_at_most, scene.cloud_cover
    if limit is not None and (cover is None or cover > limit):
        return False
    if question.bbox is None:
        return True
    footprint = footprint_of(record)
    return footprint is not None and bool(footprint.intersects(area_of(question.bbox)))


def newest(records: Iterable[SceneRecord], bbox: tuple[float, float, float, float]) -> list[SceneRecord]:
    """Return the scenes that show an area as it was last seen: those that newer ones do not hide, newest first.

    A scene whose part of the area is hidden to 99 % is left out.  Of an interval the end counts; undated scenes are the
    oldest.

    Args:
        records: Scenes; those without a place on the ground are left out.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
    """
    area, hidden = area_of(bbox), shapely.Polygon()
    kept: list[SceneRecord] = []
    for record in sorted(records, key=_age):
        footprint = footprint_of(record)
        if footprint is None or not footprint.intersects(area):
            continue
        seen = footprint.intersection(area)
        own = seen.difference(hidden)
        if own.area > _SLIVER * seen.area or (seen.area == 0 and not hidden.intersects(seen)):
            kept.append(record)
            hidden = hidden.union(seen)
    return kept


def first_and_last(records: Iterable[SceneRecord]) -> tuple[SceneRecord, SceneRecord]:
    """Return the two scenes furthest apart in time that show the same place, the earlier one first.

    Scenes whose intervals meet are of the same time.

    Raises:
        QuestionError: There are no two such scenes.
    """
    given = list(records)
    fix = "Give two scenes of one place: --scene A --scene B, or --bbox W,S,E,N with --datetime START/END"
    if len(given) < 2:
        raise QuestionError(f"A change needs two scenes, and {len(given)} is in scope", fix=fix)
    dated = sorted((record for record in given if record.scene.acquired_at), key=_age, reverse=True)
    pairs = [pair if _apart(*pair) > 0 else pair[::-1] for pair in combinations(dated, 2)]
    pairs = [pair for pair in pairs if _apart(*pair) > 0]
    if not pairs:
        raise QuestionError("The scenes in scope were acquired at the same time, or nobody says when", fix=fix)
    footprints = {record.scene.scene_key: footprint_of(record) for record in dated}
    for before, after in sorted(pairs, key=lambda pair: -_apart(*pair)):
        one, other = footprints[before.scene.scene_key], footprints[after.scene.scene_key]
        if one is not None and other is not None and one.intersection(other).area > 0:
            return before, after
    raise QuestionError("No two scenes in scope show the same place at different times", fix=fix)


def footprint_of(record: SceneRecord) -> BaseGeometry | None:
    """Return the outline of a scene's pixel grid in lon/lat; None without a place on the ground."""
    geometry = window_geometry(record.grid, record.grid.window)
    return None if geometry is None else shape(geometry)


def area_of(bbox: tuple[float, float, float, float]) -> BaseGeometry:
    """Return the geometry of an area; west > east across the antimeridian."""
    area: BaseGeometry = box_geometries(np.array([bbox], np.float64))[0]
    return area if area.area else area.envelope  # a point or a line, which is not empty as a polygon of no width is


def _age(record: SceneRecord) -> tuple[float, float, str]:
    first, last = (
        -(moment.timestamp() if moment else float("-inf"))
        for moment in (record.scene.acquired_at, record.scene.last_acquired)
    )
    return last, first, record.scene.scene_key


def _apart(before: SceneRecord, after: SceneRecord) -> float:
    """Return the seconds from the end of one scene's time to the start of another's; not positive if they meet."""
    end, start = before.scene.last_acquired, after.scene.acquired_at
    return (start - end).total_seconds() if start and end else float("-inf")
