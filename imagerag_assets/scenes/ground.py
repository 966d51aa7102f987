"""The ground distance of scenes: how many metres a native pixel covers, kept for as long as an installation is open."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock

import numpy as np
from pyproj import Geod

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.globe import lonlat_at
from imagerag_assets.raster.ground_distance import mean_pixel_m
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.records import SCENES, find_record

DEGREE_M = 111_320.0
"""A degree of latitude in metres."""
_MIDDLE_PX = 1024
_WIDE = 45.0
"""Degrees of longitude from which a box is no rectangle on the ground."""


def box_size_m(bbox: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the metres from west to east and from south to north of (west, south, east, north) in degrees."""
    west, south, east, north = bbox
    across = ((east - west) % 360 or 360.0 * (east > west)) * math.cos(math.radians((south + north) / 2))
    return across * DEGREE_M, (north - south) * DEGREE_M


def pixel_size_m(grid: Grid) -> tuple[float, float] | None:
    """Return the metres from west to east and from south to north of a pixel in the middle of a scene.

    None without a place on the ground.
    """
    side = min(grid.width, grid.height, _MIDDLE_PX)
    x0, y0 = (grid.width - side) // 2, (grid.height - side) // 2
    bbox = pixel_window_to_lonlat_bbox(grid, (x0, y0, x0 + side, y0 + side))
    if bbox is None:
        return None
    west, _, east, _ = bbox
    if (east - west) % 360 > _WIDE or east - west == 360:
        return _middle_pixel_m(grid) or (box_size_m(bbox)[0] / side, box_size_m(bbox)[1] / side)
    across, down = box_size_m(bbox)
    return across / side, down / side


def _middle_pixel_m(grid: Grid) -> tuple[float, float] | None:
    """Return the metres along a row and down a column from the middle of a scene: a box around a pole says little."""
    col, row = grid.width / 2, grid.height / 2
    lon, lat = lonlat_at(grid, np.array([col, col + 1, col]), np.array([row, row, row + 1]))
    if not np.isfinite(lon).all():
        return None
    _, _, metres = Geod(ellps="WGS84").inv(lon[[0, 0]], lat[[0, 0]], lon[1:], lat[1:])
    return float(metres[0]), float(metres[1])


def pixel_m(grid: Grid) -> float | None:
    """Return the metres from north to south of a pixel in the middle of a scene; None without a place on the ground."""
    size = pixel_size_m(grid)
    return None if size is None else size[1]


@lru_cache(maxsize=200_000)
def _finest(recipe: Recipe, size: tuple[int, int], metres: float | None) -> int:
    """Return where patches start; kept, as every question asks it of every scene."""
    return recipe.start_at(size, metres).level


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is kept of a scene."""

    north_m: float | None
    """Metres from north to south of a pixel."""
    pixel_m: float | None
    """Side of a square as large as a pixel."""
    size: tuple[int, int]
    """(width, height) in native pixels."""


class GroundDistances:
    """Look up the ground distance of scenes; a record is read once, and again when it was written anew."""

    def __init__(self, platform: HasStore) -> None:
        self._platform = platform
        self._known: dict[str, tuple[datetime | None, _Ground]] = {}
        self._lock = Lock()

    def of(self, scene_keys: Iterable[str] = ()) -> dict[str, float | None]:
        """Return metres a native pixel by scene key; None: no place on the ground.

        Args:
            scene_keys: The scenes; none given: all registered ones, which takes one listing of the store.

        Raises:
            StoreError: the store cannot be listed.
        """
        return {key: ground.north_m for key, ground in self._grounds(scene_keys).items()}

    def finest_levels(self, recipe: Recipe, scene_keys: Iterable[str] = ()) -> dict[str, int]:
        """Return the level at which a recipe's patches start by scene key; arguments and errors as of :meth:`of`."""
        if recipe.layout is None:
            return {}
        return {key: _finest(recipe, each.size, each.pixel_m) for key, each in self._grounds(scene_keys).items()}

    def _grounds(self, scene_keys: Iterable[str]) -> dict[str, _Ground]:
        named = list(dict.fromkeys(scene_keys))
        times = dict.fromkeys(named) if named else self._written()
        with self._lock:
            missing = [key for key, time in times.items() if key not in self._known or time != self._known[key][0]]
            for key, ground in zip(missing, read_all(self._read, missing), strict=True):
                self._known[key] = (times[key], ground)
            return {key: self._known[key][1] for key in times}

    def _written(self) -> dict[str, datetime | None]:
        parts = ((key.split("/"), time) for key, time in self._platform.store.modified(SCENES).items())
        return {part[1]: time for part, time in parts if len(part) == 3 and part[2] == "record.json"}

    def _read(self, scene_key: str) -> _Ground:
        try:
            record = find_record(self._platform, scene_key)
        except StoreError:  # a damaged record is the concern of whoever needs the scene
            record = None
        if record is None:
            return _Ground(None, None, (1, 1))
        grid = record.grid
        return _Ground(pixel_m(grid), mean_pixel_m(grid), (grid.width, grid.height))
