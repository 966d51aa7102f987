"""Whether a scene lies where its item says: the box of its grid is compared with the item's bbox.

Items round their boxes, give those of larger or smaller footprints, or the whole globe; that is no contradiction.
"""

from __future__ import annotations

import math
from dataclasses import replace

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.projection import is_earth
from imagerag_assets.raster.types import Grid
from imagerag_assets.stac.types import Scene

Bbox = tuple[float, float, float, float]

_MARGIN = 0.1
"""Share of the raster's size by which it may lie beside the item's bbox."""
_ROUNDED = 0.005
"""Degrees by which bboxes are rounded at most."""
_VAST = 25.0
"""Square degrees at the equator from which a raster counts as too large for its item's bbox ..."""
_TIMES = 20.0
"""... if it is so many times larger. A tile of which a corner holds data is smaller than that."""


def require_place(scene: Scene, grid: Grid) -> None:
    """Refuse a scene whose raster lies elsewhere than its item says.

    Raises:
        RasterError: the raster's place contradicts the item's bbox; the message names both boxes.
    """
    found = pixel_window_to_lonlat_bbox(grid, grid.window)
    why = contradiction(scene, grid, found)
    if not why or scene.bbox is None or found is None:
        return
    south, west, north, east = scene.bbox
    turned = replace(scene, bbox=(west, south, east, north))
    swapped = max(abs(south), abs(north)) <= 90 and not contradiction(turned, grid, found)
    hint = ": one of them gives latitude before longitude" if swapped else ""
    raise RasterError(
        f"The raster lies at {text_of(found)}, {why} the item's bbox {text_of(scene.bbox)}",
        fix=f"Correct the item's bbox, or the georeferencing of the file{hint}",
        scene=scene.scene_key,
    )


def contradiction(scene: Scene, grid: Grid, found: Bbox | None) -> str:
    """Return how a raster's place contradicts the item's bbox, as words between the two; empty if it does not."""
    said = scene.bbox
    if said is None or found is None or grid.crs_wkt is None or not is_earth(grid.crs_wkt):
        return ""
    beside, above = _gap(said, found)
    if beside > _MARGIN * _width(found) + _ROUNDED or above > _MARGIN * (found[3] - found[1]) + _ROUNDED:
        return "beside"
    area = _area(found)
    return "far larger than" if area > _VAST and area > _TIMES * _area(said) else ""


def text_of(bbox: Bbox) -> str:
    """Return a box for a message: west, south, east, north."""
    return f"[{', '.join(f'{value:.4f}' for value in bbox)}]"


def _width(bbox: Bbox) -> float:
    west, _, east, _ = bbox
    return east - west if east >= west else east - west + 360.0


def _gap(one: Bbox, other: Bbox) -> tuple[float, float]:
    """Return the degrees of longitude and of latitude between two boxes; 0 where they meet."""
    ahead, behind = (other[0] - one[0]) % 360.0, (one[0] - other[0]) % 360.0
    beside = min(ahead - _width(one), behind - _width(other))
    return max(0.0, beside), max(0.0, other[1] - one[3], one[1] - other[3])


def _area(bbox: Bbox) -> float:
    """Return the area of a box in square degrees at the equator."""
    _, south, _, north = bbox
    return _width(bbox) * math.degrees(math.sin(math.radians(north)) - math.sin(math.radians(south)))
