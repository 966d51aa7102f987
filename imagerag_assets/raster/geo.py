"""Where windows are on the ground: lon/lat boxes and GeoJSON of pixel windows, and the windows of geometries.

Only coordinates belong here. Longitude comes first everywhere. A box that crosses the antimeridian has west > east,
as in GeoJSON and STAC.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import antimeridian
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection
from rasterio.transform import Affine
from shapely import box, get_coordinates, multipolygons, segmentize
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from imagerag_assets.raster.types import Grid, Window

# This many points per edge follow a curved edge closely enough: 1/16 of its sagitta remains.
_STEPS = 4

_LONGEST_STEP = 90.0  # degrees
_THINNEST = 1e-9  # degrees, a tenth of a millimetre
_SLIVER = 1e-6  # degrees
_ROUNDING = 0.01  # px

_EARTH_RADIUS_M = 6_371_000


def lonlat_boxes(grid: Grid, windows: ArrayLike) -> NDArray[np.float64]:
    """Return the lon/lat boxes of many windows.

    Args:
        grid: The scene's grid.
        windows: (n, 4) of x0, y0, x1, y1 in native pixels; only their parts inside the scene count.

    Returns:
        float64 (n, 4) of west, south, east, north in degrees. A row is NaN if there is no CRS or the window has no
        place in it; west > east across the antimeridian; a window around a pole or the Earth spans all longitudes.
    """
    pixels = np.asarray(windows, np.float64).reshape(-1, 4)
    if grid.crs_wkt is None or not len(pixels):
        return np.full((len(pixels), 4), np.nan)
    lon, lat = _outlines(grid, _inside(grid, pixels))
    turns, lon = _unwrapped(lon)
    west, east, south, north = lon.min(axis=1), lon.max(axis=1), lat.min(axis=1), lat.max(axis=1)
    shift = 360.0 * np.floor((west + 180.0) / 360.0)
    width = east - west
    west, east = west - shift, east - shift
    east = np.where(east > 180.0, east - 360.0, east)
    polar = np.abs(turns) > 180.0
    around = polar | (width >= 360.0 - _SLIVER)
    north = np.where(polar & (lat.mean(axis=1) > 0), 90.0, north)
    south = np.where(polar & (lat.mean(axis=1) < 0), -90.0, south)
    boxes = np.stack([np.where(around, -180.0, west), south, np.where(around, 180.0, east), north], axis=1)
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def box_geometries(bounds: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return the geometries of lon/lat boxes: a MultiPolygon of two halves across the antimeridian (west > east).

    Args:
        bounds: float64 (n, 4) of west, south, east, north in degrees, as :func:`lonlat_boxes` returns them.

    Returns:
        object (n,) of shapely geometries; None where a bound is NaN.
    """
    geometries = np.full(len(bounds), None, dtype=object)
    placed = ~np.isnan(bounds).any(axis=1)
    across = placed & (bounds[:, 0] > bounds[:, 2])
    simple = placed & ~across
    geometries[simple] = box(*bounds[simple].T)
    for index in np.flatnonzero(across):
        geometries[index] = box_geometry(*bounds[index].tolist())
    return geometries


def box_geometry(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """Return the geometry of one lon/lat box: a MultiPolygon of two halves across the antimeridian (west > east)."""
    if west > east:  # A half too thin to be a valid polygon is left out: the same meridian, seen from the other side.
        if 180.0 - west < _THINNEST:
            west = -180.0
        elif east + 180.0 < _THINNEST:
            east = 180.0
    if west <= east:
        return box(west, south, east, north)
    if south == north:  # a line, which has no halves that are polygons
        return multipolygons([box(west, south, 180.0, north), box(-180.0, south, east, north)])
    # The library sees a crossing where neighbouring points are more than half way around the Earth apart.
    outline = segmentize(box(west, south, east + 360.0, north), _LONGEST_STEP)
    return antimeridian.fix_polygon(outline, fix_winding=True, great_circle=False)


def middle_of_box(bbox: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the longitude and latitude of the middle of (west, south, east, north), also across the antimeridian."""
    west, south, east, north = bbox
    return (west + (east - west) % 360 / 2 + 180) % 360 - 180, (south + north) / 2


def joint_box(boxes: ArrayLike) -> tuple[float, float, float, float] | None:
    """Return the smallest lon/lat box around lon/lat boxes; None if no box has a place.

    Args:
        boxes: (n, 4) of west, south, east, north in degrees; west > east across the antimeridian, NaN without a place.
    """
    bounds = np.asarray(boxes, np.float64).reshape(-1, 4)
    bounds = bounds[~np.isnan(bounds).any(axis=1)]
    if not len(bounds):
        return None
    west, south, east, north = bounds.T
    if (west <= east).all():
        return float(west.min()), float(south.min()), float(east.max()), float(north.max())
    # A box crosses the antimeridian: leave out the widest gap on this side of it.
    order = np.argsort(west)
    west, reached = west[order], np.maximum.accumulate(np.where(east < west, east + 360.0, east)[order])
    starts = np.maximum(np.concatenate([[-180.0], reached[:-1]]), reached[-1] - 360.0)
    widest = int(np.argmax(west - starts))
    whole = west[widest] <= starts[widest]
    left, right = (-180.0, 180.0) if whole else (float(west[widest]), float(starts[widest]))
    return left, float(south.min()), right, float(north.max())


def pixel_window_to_lonlat_bbox(grid: Grid, window: Window) -> tuple[float, float, float, float] | None:
    """Return (west, south, east, north) of one window in degrees, or None if it has no place on the ground."""
    bbox = lonlat_boxes(grid, [window])[0]
    if np.isnan(bbox).any():
        return None
    west, south, east, north = bbox.tolist()
    return (west, south, east, north)


def window_geometry(grid: Grid, window: Window) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of a window's outline in lon/lat, or None where it has no place on the ground.

    A MultiPolygon of two halves where it crosses the antimeridian, as RFC 7946 asks; the lon/lat box where it goes
    around a pole or the whole Earth.
    """
    bbox = pixel_window_to_lonlat_bbox(grid, window)
    if bbox is None:
        return None
    lon, lat = _outlines(grid, _inside(grid, np.asarray([window], np.float64)))
    turns, lon = _unwrapped(lon)
    if abs(turns[0]) > 180.0 or np.ptp(lon) >= 360.0 - _SLIVER:
        return dict(mapping(box(*bbox)))
    outline = Polygon(zip(lon[0], lat[0], strict=True)).buffer(0)
    if outline.is_empty or (lon.min() >= -180.0 and lon.max() <= 180.0):
        return dict(mapping(outline))
    return antimeridian.fix_shape(mapping(outline), fix_winding=True, great_circle=False)


def window_feature(grid: Grid, window: Window, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the GeoJSON Feature of a window; its geometry is null if it has no place on the ground."""
    bbox = pixel_window_to_lonlat_bbox(grid, window)
    feature = {"type": "Feature", "properties": properties, "geometry": window_geometry(grid, window)}
    return feature if bbox is None else feature | {"bbox": list(bbox)}


def geometry_window(grid: Grid, geometry: BaseGeometry) -> Window | None:
    """Return the smallest window that holds all corners of a lon/lat geometry; it may reach beyond the scene.

    Return None if the scene has no place on the ground or its CRS does not reach a corner.
    """
    if grid.crs_wkt is None or geometry.is_empty:
        return None
    cols, rows = _pixels(grid, *get_coordinates(geometry).T)
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return None
    # A corner on a pixel's edge comes back from the projection a little beside it.
    low, high = (
        (math.floor(v + _ROUNDING) for v in (cols.min(), rows.min())),
        (math.ceil(v - _ROUNDING) for v in (cols.max(), rows.max())),
    )
    return (*low, *high)


def same_place(grid: Grid, window: Window, other: Grid) -> Window | None:
    """Return the window of another grid around the ground that a window shows; it may reach beyond the grid.

    Return None if either grid has no place on the ground or the other's CRS does not reach there.
    """
    if grid.crs_wkt is None or other.crs_wkt is None:
        return None
    lon, lat = _outlines(grid, np.asarray([window], np.float64))
    cols, rows = _pixels(other, lon[0], lat[0])
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return None
    # Round to the nearest, so that a window of the same grid comes back as it was.
    x0, y0, x1, y1 = (round(float(value)) for value in (cols.min(), rows.min(), cols.max(), rows.max()))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def is_local(crs_wkt: str) -> bool:
    """Return whether a CRS has no place on a body: that of a building site, or of an image."""
    return CRS.from_wkt(crs_wkt).is_engineering


def is_earth(crs_wkt: str) -> bool:
    """Return False for a CRS of another body, which has longitudes and latitudes of its own."""
    ellipsoid = CRS.from_wkt(crs_wkt).ellipsoid
    return ellipsoid is None or abs(ellipsoid.semi_major_metre - _EARTH_RADIUS_M) < 100_000


def _inside(grid: Grid, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the parts of windows inside the scene; a window that lies beside it stays as it is."""
    low, high = np.zeros(2), np.array([grid.width, grid.height], np.float64)
    cut = np.hstack([np.clip(pixels[:, :2], low, high), np.clip(pixels[:, 2:], low, high)])
    beside = np.any(cut[:, :2] >= cut[:, 2:], axis=1, keepdims=True)
    return np.where(beside, pixels, cut)


def _outlines(grid: Grid, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lon and lat, (n, 4 * _STEPS) each, of points around the windows, clockwise from the upper left corner."""
    t = np.arange(_STEPS) / _STEPS
    zero, one = np.zeros(_STEPS), np.ones(_STEPS)
    u, v = np.concatenate([t, one, 1 - t, zero]), np.concatenate([zero, t, one, 1 - t])
    x0, y0, x1, y1 = (pixels[:, [index]] for index in range(4))
    col, row = x0 + (x1 - x0) * u, y0 + (y1 - y0) * v
    a, b, c, d, e, f = grid.transform
    lon, lat = _to_lonlat(grid.crs_wkt or "").transform(a * col + b * row + c, d * col + e * row + f)
    with np.errstate(invalid="ignore"):  # the outer pixels of a global grid reach half a pixel beyond the poles
        return np.where(np.isfinite(lon), lon, np.nan), np.where(np.isfinite(lat), np.clip(lat, -90.0, 90.0), np.nan)


def _pixels(
    grid: Grid, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns and rows of places; not finite where the grid's CRS does not reach."""
    x, y = _to_lonlat(grid.crs_wkt or "").transform(lon, lat, direction=TransformDirection.INVERSE)
    a, b, c, d, e, f = (~Affine(*grid.transform))[:6]
    return a * x + b * y + c, d * x + e * y + f


def _unwrapped(lon: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the degrees by which each outline turns around the axis (360 around a pole), and unwrapped longitudes."""
    closed = np.unwrap(np.concatenate([lon, lon[:, :1]], axis=1), axis=1, period=360.0)
    closed -= 360.0 * np.floor((closed[:, :1] + 180.0) / 360.0)
    return closed[:, -1] - closed[:, 0], closed[:, :-1]


@lru_cache(maxsize=64)
def _to_lonlat(crs_wkt: str) -> Transformer:
    crs = CRS.from_wkt(crs_wkt)
    own = crs.geodetic_crs
    target = CRS.from_epsg(4326) if own is None or is_earth(crs_wkt) else own
    return Transformer.from_crs(crs, target, always_xy=True)
