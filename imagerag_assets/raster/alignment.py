"""Put the files of a scene on one grid: decide which are on it already, and which are warped while they are read."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pyproj
from rasterio.crs import CRS
from rasterio.transform import Affine

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.files import RasterFile, warped
from imagerag_assets.raster.globe import lonlat_at, pixels_at
from imagerag_assets.raster.projection import Floats, projection
from imagerag_assets.raster.types import Grid

_SAME_SHAPE = 0.02
_SAME_PLACE_PX, _SAME_PLACE = 3.0, 0.01
"""Fitted places of one picture differ by less, in native pixels and as a share of the diagonal."""


def aligned(file: RasterFile, base: Grid) -> RasterFile:
    """Return the file as it is if it covers the scene's extent, else warped onto the scene's grid.

    Args:
        file: One file of a scene.
        base: The scene's grid.

    Raises:
        RasterError: nothing says how the two grids fit together.
    """
    own = file.grid
    across, down = own.width / base.width, own.height / base.height
    same_shape = abs(across / down - 1) <= _SAME_SHAPE
    if own.crs_wkt is None and base.crs_wkt is None:
        if not same_shape:
            raise RasterError(
                f"bands of {own.width}x{own.height} and {base.width}x{base.height} px have no CRS to fit them by",
                href=file.href,
                fix="Set IMAGERAG_ASSET_KEYS to assets of one grid",
            )
        return file
    if own.crs_wkt is None or base.crs_wkt is None:
        raise RasterError("one band has a CRS and another has none", href=file.href,
                          fix="Set IMAGERAG_ASSET_KEYS to assets of one grid")  # fmt: skip
    if own == base:
        return file
    same_crs = own.crs_wkt == base.crs_wkt or CRS.from_wkt(own.crs_wkt) == CRS.from_wkt(base.crs_wkt)
    turned = _turned(own, base) if same_crs else _centred(own)
    if turned is not own:  # GDAL knows the file's own place only
        file, own = replace(file, grid=turned, placed_by_item=True), turned
    # Where this file's corners fall on the scene's grid, in native pixels.
    corners = np.array([(0, 0), (own.width, 0), (0, own.height), (own.width, own.height)], np.float64)
    if own.gcps and base.gcps and same_shape:
        off = _off(np.stack(pixels_at(base, *lonlat_at(own, *corners.T)), axis=1), corners, across, down)
        limit = max(_SAME_PLACE_PX, _SAME_PLACE * float(np.hypot(base.width, base.height)))
        return file if off <= limit else warped(file, base)
    if not same_crs:
        return warped(file, base)
    to_base = ~Affine(*base.transform) @ Affine(*own.transform)
    off = _off(np.array([to_base @ (col, row) for col, row in corners.tolist()]), corners, across, down)
    return file if off <= 1 / min(across, down) else warped(file, base)  # up to one coarse pixel is rounding


def _off(falls: Floats, corners: Floats, across: float, down: float) -> float:
    """Return how many native pixels corners lie beside those of the scene; infinite if they are nowhere."""
    off = np.abs(falls - corners / [across, down]).max()
    return float(off) if np.isfinite(off) else float("inf")


def _turned(own: Grid, base: Grid) -> Grid:
    """Return a grid in the scene's CRS, moved around the Earth to where the scene's is: 200 and -160 are one place."""
    known = projection(own.crs_wkt or "")
    times = 0 if known.period is None else round((_middle(base) - _middle(own)) / known.period)
    return own if times == 0 or known.period is None else _moved(own, times * known.period)


def _centred(own: Grid) -> Grid:
    """Return a grid that reaches beyond the seam of its CRS in the same CRS around its own middle.

    GDAL looks for places beyond the seam at the other end of the map.
    """
    known = projection(own.crs_wkt or "")
    if known.period is None:
        return own
    a, b, c, *_ = own.transform
    x = [a * col + b * row + c for col in (0, own.width) for row in (0, own.height)]
    if max(abs(min(x)), abs(max(x))) <= known.period / 2 * (1 + 1e-9):
        return own
    crs = pyproj.CRS.from_wkt(own.crs_wkt or "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the name of the CRS is lost
        terms = crs.to_dict()
    middle = "pm" if crs.is_geographic else "lon_0"
    if not isinstance(terms.get(middle, 0), int | float):
        return own
    by = round(_middle(own) / known.period * 360)
    around = pyproj.CRS.from_dict(terms | {middle: (terms.get(middle, 0) + by + 180) % 360 - 180})
    return _moved(replace(own, crs_wkt=around.to_wkt()), -by * known.period / 360)


def _moved(grid: Grid, by: float) -> Grid:
    a, b, c, d, e, f = grid.transform
    return replace(grid, transform=(a, b, c + by, d, e, f))


def _middle(grid: Grid) -> float:
    a, b, c, *_ = grid.transform
    return a * grid.width / 2 + b * grid.height / 2 + c
