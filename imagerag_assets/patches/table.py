"""The patch table of a scene: one row a patch, with its window, its place on the ground and its valid share.

Only building the table belongs here.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
from numpy.typing import ArrayLike

from imagerag_assets.patches.types import Patch, patch_id
from imagerag_assets.raster.geo import box_geometries, lonlat_boxes
from imagerag_assets.raster.types import Grid

COLUMNS = (
    "patch_id", "scene_key", "level", "row", "col", "x0", "y0", "x1", "y1", "west", "south", "east", "north",
    "valid_fraction", "geometry",
)  # fmt: skip


def patch_table(
    scene_key: str, division: str, patches: Sequence[Patch], grid: Grid, valid_fraction: ArrayLike
) -> gpd.GeoDataFrame:
    """Build the table of some patches of one scene.

    Args:
        scene_key: The scene.
        division: :attr:`Division.key`.
        patches: The patches, in the order of the rows.
        grid: The scene's grid.
        valid_fraction: Share of each patch that holds data, 0-1.

    Returns:
        GeoDataFrame (EPSG:4326) of :data:`COLUMNS`: strings; int8 level; int32 row, col and window in native pixels;
        float64 west, south, east, north in degrees, NaN where the scene has no CRS, west > east across the
        antimeridian; float32 valid_fraction; the box as geometry (None without CRS, two across the antimeridian).
    """
    numbers = np.array([(p.level, p.row, p.col, *p.window) for p in patches], np.int32).reshape(-1, 7)
    bounds = lonlat_boxes(grid, numbers[:, 3:])
    named: dict[str, object] = {
        "patch_id": [patch_id(scene_key, division, patch) for patch in patches],
        "scene_key": [scene_key] * len(patches),
        "level": numbers[:, 0].astype(np.int8),
    }
    named |= {name: numbers[:, index] for index, name in enumerate(("row", "col", "x0", "y0", "x1", "y1"), start=1)}
    named |= {name: bounds[:, index] for index, name in enumerate(("west", "south", "east", "north"))}
    named["valid_fraction"] = np.asarray(valid_fraction, np.float32).reshape(len(patches))
    return gpd.GeoDataFrame(named, geometry=box_geometries(bounds), crs="EPSG:4326")[list(COLUMNS)]
