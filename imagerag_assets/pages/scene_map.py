"""A map of scenes for a page: where each lies, by its footprint; drawn by `scene_map` of the macros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imagerag_assets.pages.imagery import day_of, title_of
from imagerag_assets.plans.whereabouts import coordinates
from imagerag_assets.raster.geo import joint_box
from imagerag_assets.scenes.ground import DEGREE_M
from imagerag_assets.scenes.records import SceneRecord, footprint

_WIDTH, _TALLEST, _LOWEST, _EDGE, _LEAST = 960.0, 520.0, 160.0, 56.0, 14.0
"""Of the map, of its margin, and of the smallest scene, in units of the drawing."""


@dataclass(frozen=True)
class MappedScene:
    """A scene on the map."""

    key: str
    title: str
    day: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class SceneMap:
    """Scenes at their places, north up."""

    width: float
    height: float
    scenes: tuple[MappedScene, ...]
    without_place: tuple[str, ...]
    """Titles of scenes that have no place on the ground."""
    corners: tuple[str, str]
    """Coordinates of the south-west and the north-east corner."""
    bar: tuple[float, str]
    """Length of the scale bar in units of the drawing, and in words."""


def scene_map(records: Sequence[SceneRecord]) -> SceneMap | None:
    """Return a map of scenes; None if none of them has a place."""
    boxes = {record.scene.scene_key: box for record in records if (box := footprint(record)) is not None}
    whole = joint_box(list(boxes.values())) if boxes else None
    if whole is None:
        return None
    west, south, east, north = whole
    across, down = max((east - west) % 360 or 360.0 * (east > west), 1e-6), max(north - south, 1e-6)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05)
    unit = min((_WIDTH - 2 * _EDGE) / (across * squeeze), (_TALLEST - 2 * _EDGE) / down)
    height = max(down * unit + 2 * _EDGE, _LOWEST)
    left, top = (_WIDTH - across * squeeze * unit) / 2, (height - down * unit) / 2
    placed = []
    for record in records:
        if record.scene.scene_key not in boxes:
            continue
        w, s, e, n = boxes[record.scene.scene_key]
        size = max(((e - w) % 360 or 360.0 * (e > w)) * squeeze * unit, _LEAST), max((n - s) * unit, _LEAST)
        x, y = left + ((w - west) % 360) * squeeze * unit, top + (north - n) * unit
        placed.append(MappedScene(record.scene.scene_key, title_of(record), day_of(record), x, y, *size))
    return SceneMap(
        width=_WIDTH,
        height=height,
        scenes=tuple(placed),
        without_place=tuple(title_of(record) for record in records if record.scene.scene_key not in boxes),
        corners=(coordinates((west, south)), coordinates((east, north))),
        bar=_bar(DEGREE_M / unit),
    )


def _bar(metres: float) -> tuple[float, str]:
    """Return a scale bar of a round length, where a unit of the drawing is so many metres."""
    power = 10 ** math.floor(math.log10(140 * metres))
    length = next(digit * power for digit in (5, 2, 1) if digit * power <= 140 * metres)
    return length / metres, f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
