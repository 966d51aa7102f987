"""Where things are, in metres: of a scene's own map projection, else of UTM; and what a script needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS

from imagerag_assets.raster.globe import lonlat_at
from imagerag_assets.raster.projection import is_earth, projection
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.ground import pixel_size_m

_LATTICE = 9
"""Points of a scene's width and height between which its coordinates are interpolated on a page."""


@lru_cache(maxsize=64)
def metric_crs(crs_wkt: str) -> str | None:
    """Return the name of a CRS whose coordinates are metres: "EPSG:32631", else its title; None: they are not."""
    crs = CRS.from_wkt(crs_wkt)
    if not crs.is_projected or any(axis.unit_conversion_factor != 1.0 for axis in crs.axis_info[:2]):
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.name


def metres_at(grid: Grid, window: Sequence[float]) -> str:
    """Return easting and northing of a window's middle: "448251 E, 5411932 N (EPSG:32631)"; empty: no place in metres.

    Args:
        grid: Of the scene.
        window: x0, y0, x1, y1 in native pixels.
    """
    if grid.crs_wkt is None:
        return ""
    col, row = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
    name = metric_crs(grid.crs_wkt)
    if name is not None:
        a, b, c, d, e, f = grid.transform
        return _said(a * col + b * row + c, d * col + e * row + f, name)
    lon, lat = (float(value[0]) for value in lonlat_at(grid, np.array([col]), np.array([row])))
    if not (np.isfinite(lon) and abs(lat) <= 84 and is_earth(grid.crs_wkt)):
        return ""
    code = (32600 if lat >= 0 else 32700) + min(int((lon + 180) // 6) + 1, 60)
    x, y = projection(CRS.from_epsg(code).to_wkt()).to_xy(lon, lat)
    return _said(float(x), float(y), f"EPSG:{code}")


def _said(x: float, y: float, name: str) -> str:
    return f"{x:.0f} E, {y:.0f} N ({name})" if np.isfinite(x) and np.isfinite(y) else ""


def place_on_page(grid: Grid) -> dict[str, Any]:
    """Return what a page's script needs for coordinates and the scale bar, as JSON.

    Returns:
        ``size`` (width, height); ``pixel_m`` (metres from west to east and from north to south of a pixel, or null);
        ``lon`` and ``lat`` (rows of degrees at even steps over the scene, or null; longitudes run on beyond 180);
        ``crs`` and ``transform`` (null unless the scene's own coordinates are metres).
    """
    name = metric_crs(grid.crs_wkt) if grid.crs_wkt else None
    found: dict[str, Any] = {
        "size": [grid.width, grid.height],
        "pixel_m": None,
        "lon": None,
        "lat": None,
        "crs": name,
        "transform": list(grid.transform) if name else None,
    }
    if grid.crs_wkt is None:
        return found
    size = pixel_size_m(grid)
    found["pixel_m"] = None if size is None else [round(value, 6) for value in size]
    cols, rows = np.meshgrid(np.linspace(0, grid.width, _LATTICE), np.linspace(0, grid.height, _LATTICE))
    lon, lat = lonlat_at(grid, cols.ravel(), rows.ravel())
    if np.isfinite(lon).all():
        lon = np.unwrap(np.unwrap(lon.reshape(cols.shape), axis=1, period=360.0), axis=0, period=360.0)
        found["lon"], found["lat"] = np.round(lon, 7).tolist(), np.round(lat.reshape(cols.shape), 7).tolist()
    return found
