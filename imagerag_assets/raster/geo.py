"""Where windows are on the ground: lon/lat boxes and GeoJSON of pixel windows, and the windows of geometries.

Only coordinates belong here. Longitude comes first everywhere. A box that crosses the antimeridian has west > east,
as in GeoJSON and STAC.
"""

from __future__ import annotations

import math
from typing import Any

import antimeridian
import numpy as np
from numpy.typing import ArrayLike, NDArray
from shapely import box, get_coordinates, multipolygons, segmentize
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from imagerag_assets.raster.globe import edge_points, lonlat_at, pixels_at, poles, seen_part
from imagerag_assets.raster.projection import unwrapped
from imagerag_assets.raster.types import Grid, Window

# This many points per edge follow a curved edge closely enough: 1/16 of its sagitta remains.
_STEPS = 4

_LONGEST_STEP = 90.0  # degrees
_THINNEST = 1e-9  # degrees, a tenth of a millimetre
_SLIVER = 1e-6  # degrees
_ALL_AROUND = 359.999  # degrees
_ROUNDING = 0.01  # px
_GAP = 15.0
"""Degrees between points of a map without an edge there: a wider gap is one between its east and west ends."""


def lonlat_boxes(grid: Grid, windows: ArrayLike) -> NDArray[np.float64]:
    """Return the lon/lat boxes of many windows.

    Args:
        grid: The scene's grid.
        windows: (n, 4) of x0, y0, x1, y1 in native pixels; only their parts inside the scene, and on the globe, count.

    Returns:
        float64 (n, 4) of west, south, east, north in degrees, within [-180, 180] and [-90, 90], of some width and
        height. A row is NaN if there is no CRS or the window has no place in it; west > east across the antimeridian;
        a window around a pole or the Earth spans all longitudes.
    """
    pixels = np.asarray(windows, np.float64).reshape(-1, 4)
    if grid.crs_wkt is None or not len(pixels):
        return np.full((len(pixels), 4), np.nan)
    pixels = _inside(grid, pixels)
    lon, lat = _outlines(grid, pixels)
    turns, unwound = _unwrapped(lon)
    with np.errstate(invalid="ignore"):
        west, width = unwound.min(axis=1), np.ptp(unwound, axis=1)
        around = (np.abs(turns) > 180.0) | (width >= _ALL_AROUND)
    south, north = lat.min(axis=1), lat.max(axis=1)
    partly = np.isnan(lon).any(axis=1)
    for index in np.flatnonzero(partly):
        seen = seen_part(grid, _window_of(pixels[index]))
        if seen is not None:
            west[index], width[index] = _hull(seen.lon)
            south[index], north[index] = seen.lat.min(), seen.lat.max()
            around[index] = width[index] >= 360.0
    for pole in poles(grid):
        nearest = pole.nearest_in(grid, pixels)
        south, north = np.fmin(south, nearest), np.fmax(north, nearest)
        around |= pole.within(pixels)
        for index in np.flatnonzero(pole.on_edge(pixels) & ~partly):  # There the longitude jumps, by any angle.
            off = np.abs(lat[index]) < 90.0 - _SLIVER
            if off.any():
                west[index], width[index] = _hull(lon[index][off])
                around[index] = False
    boxes = _on_globe(np.where(around, -180.0, west), south, np.where(around, 360.0, width), north)
    with np.errstate(invalid="ignore"):
        boxes[~(np.isfinite(boxes).all(axis=1) & (width > 0) & (north > south))] = np.nan
    return boxes


def _on_globe(
    west: NDArray[np.float64], south: NDArray[np.float64], width: NDArray[np.float64], north: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n, 4) boxes with longitudes in [-180, 180]; a box that ends at the antimeridian does not cross it."""
    with np.errstate(invalid="ignore"):
        sliver = np.where(width > 10 * _SLIVER, _SLIVER, 0.0)
        west = west - 360.0 * np.floor((west + sliver + 180.0) / 360.0)
        east = west + width
        east = np.where(east > 180.0 + sliver, east - 360.0, np.minimum(east, 180.0))
    west = np.maximum(west, -180.0)
    return np.stack([west, south, east, north], axis=1)


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
    pixels = _inside(grid, np.asarray([window], np.float64))
    lon, lat = _outlines(grid, pixels)
    turns, lon = _unwrapped(lon)
    at_pole = any((pole.within(pixels) | pole.on_edge(pixels))[0] for pole in poles(grid))
    if np.isnan(lon).any():
        seen = seen_part(grid, _window_of(pixels[0]))
        assert seen is not None, "it has a box"
        lon, lat = (ring[None, :] for ring in seen.ring)
        lon = bbox[0] + np.mod(lon - bbox[0] + _GAP / 2, 360.0) - _GAP / 2
    if at_pole or abs(turns[0]) > 180.0 or np.ptp(lon) >= _ALL_AROUND or bbox[2] - bbox[0] >= 360.0:
        return dict(mapping(box_geometry(*bbox)))
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
    cols, rows = pixels_at(grid, *get_coordinates(geometry).T)
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
    cols, rows = pixels_at(other, lon[0], lat[0])
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return None
    # Round to the nearest, so that a window of the same grid comes back as it was.
    x0, y0, x1, y1 = (round(float(value)) for value in (cols.min(), rows.min(), cols.max(), rows.max()))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _inside(grid: Grid, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the parts of windows inside the scene; a window that lies beside it stays as it is."""
    low, high = np.zeros(2), np.array([grid.width, grid.height], np.float64)
    cut = np.hstack([np.clip(pixels[:, :2], low, high), np.clip(pixels[:, 2:], low, high)])
    beside = np.any(cut[:, :2] >= cut[:, 2:], axis=1, keepdims=True)
    return np.where(beside, pixels, cut)


def _outlines(grid: Grid, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lon and lat, (n, 4 * _STEPS) each, of points around the windows, clockwise from the upper left corner."""
    return lonlat_at(grid, *edge_points(tuple(pixels[:, [index]] for index in range(4)), _STEPS))


def _unwrapped(lon: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the degrees by which each outline turns around the axis (360 around a pole), and unwrapped longitudes."""
    closed = np.unwrap(np.concatenate([lon, lon[:, :1]], axis=1), axis=1, period=360.0)
    closed -= 360.0 * np.floor((closed[:, :1] + 180.0) / 360.0)
    return closed[:, -1] - closed[:, 0], closed[:, :-1]


def _hull(lon: NDArray[np.float64]) -> tuple[float, float]:
    """Return the west end and the width of the shortest arc with all longitudes; of all the Earth without a gap."""
    pieces = unwrapped(lon, 360.0)
    west, width = float(pieces.min()), float(np.ptp(pieces))
    return (-180.0, 360.0) if width > 360.0 - _GAP else (west, width)


def _window_of(row: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = row.tolist()
    return x0, y0, x1, y1
