"""How many metres a pixel covers, whatever the grid's units, turn and shape of pixels."""

from __future__ import annotations

import math

import numpy as np
from pyproj import Geod

from imagerag_assets.raster.globe import lonlat_at
from imagerag_assets.raster.types import Grid

_SPAN_PX = 64
"""Over so many pixels a projection that is solved by iteration is exact enough also for pixels of a centimetre."""


def mean_pixel_m(grid: Grid) -> float | None:
    """Return the side in metres of a square as large as a pixel in the middle of a scene.

    None where the scene has no place on the ground, or its middle is none.
    """
    if grid.crs_wkt is None:
        return None
    across, down = (min(side, _SPAN_PX) for side in (grid.width, grid.height))
    col, row = (grid.width - across) / 2, (grid.height - down) / 2
    lon, lat = lonlat_at(grid, np.array([col, col + across, col]), np.array([row, row, row + down]))
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return None
    _, _, metres = Geod(ellps="WGS84").inv(lon[[0, 0]], lat[[0, 0]], lon[1:], lat[1:])
    side = math.sqrt(float(metres[0]) / across * float(metres[1]) / down)
    return side if math.isfinite(side) else None
