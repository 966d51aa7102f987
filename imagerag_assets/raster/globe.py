"""A grid's pixels as places on the globe and back, the part of a window that lies on it, and its poles.

A disk seen from orbit and the oval maps of the whole Earth have pixels that are no place. Boxes and outlines of windows
are made in `raster.geo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

from imagerag_assets.raster.projection import Floats, projection
from imagerag_assets.raster.types import Grid

_LATTICE = 33
_RAYS_PER_EDGE = 16
_HALVINGS = 30
_TOUCH = 1e-6  # px
_SAME = 1e-5
"""Share of a coordinate by which the same point comes out differently: some projections are solved by iteration."""


@dataclass(frozen=True)
class SeenPart:
    """The part of a window that lies on the globe, seen from a point within."""

    ring: tuple[Floats, Floats]
    """Longitudes and latitudes around it, in pixel order; NaN-free."""
    lon: Floats
    """Of the ring and of points inside."""
    lat: Floats


@dataclass(frozen=True)
class Pole:
    """A pole that is a point of the grid's CRS, in pixels."""

    col: float
    row: float
    lat: float

    def within(self, pixels: Floats) -> NDArray[np.bool_]:
        """Return which of (n, 4) windows have the pole inside, and not on their edge."""
        return self._inside(pixels, -_TOUCH)

    def on_edge(self, pixels: Floats) -> NDArray[np.bool_]:
        """Return which of (n, 4) windows have the pole on their edge."""
        return self._inside(pixels, _TOUCH) & ~self.within(pixels)

    def nearest_in(self, grid: Grid, pixels: Floats) -> Floats:
        """Return the latitude of the point of each (n, 4) window that is nearest to the pole; NaN beside the globe."""
        cols, rows = np.clip(self.col, pixels[:, 0], pixels[:, 2]), np.clip(self.row, pixels[:, 1], pixels[:, 3])
        return np.where(self._inside(pixels, _TOUCH), self.lat, lonlat_at(grid, cols, rows)[1])

    def _inside(self, pixels: Floats, by: float) -> NDArray[np.bool_]:
        x0, y0, x1, y1 = pixels.T
        across = (x0 - by <= self.col) & (self.col <= x1 + by)
        inside: NDArray[np.bool_] = across & (y0 - by <= self.row) & (self.row <= y1 + by)
        return inside


def lonlat_at(grid: Grid, col: Floats, row: Floats) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes of pixel coordinates; NaN beside the globe. The grid has a CRS."""
    a, b, c, d, e, f = grid.transform
    return projection(grid.crs_wkt or "").to_lonlat(a * col + b * row + c, d * col + e * row + f)


def pixels_at(grid: Grid, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Return columns and rows of places, around the grid's middle where the CRS repeats itself; not finite where the
    CRS does not reach. The grid has a CRS.
    """
    known = projection(grid.crs_wkt or "")
    x, y = known.to_xy(lon, lat)
    a, b, c, d, e, f = grid.transform
    middle = a * grid.width / 2 + b * grid.height / 2 + c
    a, b, c, d, e, f = (~Affine(a, b, c, d, e, f))[:6]
    with np.errstate(invalid="ignore"):
        if known.period is not None:
            x = x + known.period * np.round((middle - x) / known.period)
        return a * x + b * y + c, d * x + e * y + f


@lru_cache(maxsize=64)
def poles(grid: Grid) -> tuple[Pole, ...]:
    """Return the poles that are points of the grid's CRS."""
    lon, lat = np.array([0.0, 90.0, 0.0, 90.0]), np.array([90.0, 90.0, -90.0, -90.0])
    a, b, _, d, e, _ = grid.transform
    if a * e == b * d:
        return ()
    cols, rows = pixels_at(grid, lon, lat)
    places = np.stack(projection(grid.crs_wkt or "").to_xy(lon, lat), axis=1)
    found = []
    for first, second in ((0, 1), (2, 3)):
        one, other = places[first], places[second]
        if np.isfinite(places[[first, second]]).all() and np.hypot(*(one - other)) <= _SAME * max(np.hypot(*one), 1.0):
            found.append(Pole(float(cols[first]), float(rows[first]), float(lat[first])))
    return tuple(found)


def seen_part(grid: Grid, window: tuple[float, float, float, float]) -> SeenPart | None:
    """Return the part of a window that lies on the globe; None if there is none.

    From a point of it, rays go to the window's edge, each as far as there is ground: the part has to be in one piece
    without bays, as a disk or an oval cut by a rectangle is.
    """
    x0, y0, x1, y1 = window
    cols, rows = (each.ravel() for each in np.meshgrid(np.linspace(x0, x1, _LATTICE), np.linspace(y0, y1, _LATTICE)))
    lon, lat = lonlat_at(grid, cols, rows)
    there = np.isfinite(lon)
    if not there.any():
        return None
    inside = np.stack([cols[there], rows[there]])
    middle = inside.mean(axis=1, keepdims=True)
    start = inside[:, [int(np.argmin(((inside - middle) ** 2).sum(axis=0)))]]
    around = _edge_with_ends(grid, window)
    to_edge = np.stack(_on_edge(window, around)) - start
    low, high = np.zeros(len(around)), np.ones(len(around))
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        reached = np.isfinite(lonlat_at(grid, *(start + to_edge * half))[0])
        low, high = np.where(reached, half, low), np.where(reached, high, half)
    whole = np.isfinite(lonlat_at(grid, *(start + to_edge))[0])
    ring = lonlat_at(grid, *(start + to_edge * np.where(whole, 1.0, low)))
    return SeenPart(ring, np.concatenate([ring[0], lon[there]]), np.concatenate([ring[1], lat[there]]))


def _edge_with_ends(grid: Grid, window: tuple[float, float, float, float]) -> Floats:
    """Return ways around a window's edge, 0 to 4, at even steps and where the edge leaves and enters the globe."""
    around = np.arange(4 * _RAYS_PER_EDGE) / _RAYS_PER_EDGE
    there = np.isfinite(lonlat_at(grid, *_on_edge(window, around))[0])
    ends = np.flatnonzero(there != np.roll(there, -1))
    following = around[ends] + 1 / _RAYS_PER_EDGE
    low, high = np.where(there[ends], around[ends], following), np.where(there[ends], following, around[ends])
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        reached = np.isfinite(lonlat_at(grid, *_on_edge(window, half))[0])
        low, high = np.where(reached, half, low), np.where(reached, high, half)
    return np.sort(np.concatenate([around, low]))


def _on_edge(window: tuple[float, float, float, float], around: Floats) -> tuple[Floats, Floats]:
    """Return the points of a window's edge at ways of 0 to 4, clockwise from the upper left corner."""
    x0, y0, x1, y1 = window
    u = np.interp(around, [0, 1, 2, 3, 4], [0, 1, 1, 0, 0])
    v = np.interp(around, [0, 1, 2, 3, 4], [0, 0, 1, 1, 0])
    return x0 + (x1 - x0) * u, y0 + (y1 - y0) * v


def edge_points(window: tuple[Floats, ...], steps: int) -> tuple[Floats, Floats]:
    """Return columns and rows of points around windows, (n, 4 * steps) each, clockwise from the upper left corner.

    The window's four values are (n, 1) arrays.
    """
    t = np.arange(steps) / steps
    zero, one = np.zeros(steps), np.ones(steps)
    u, v = np.concatenate([t, one, 1 - t, zero]), np.concatenate([zero, t, one, 1 - t])
    x0, y0, x1, y1 = window
    return x0 + (x1 - x0) * u, y0 + (y1 - y0) * v
