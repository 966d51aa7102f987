"""Fit a grid to ground control points, and measure how far off it is.

A place of a window is an affine function of its pixels in some CRS: that of the points or, where the picture is bent in
it, a map centred on the picture. Which points a file has is `raster.place`'s concern.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyproj import CRS
from pyproj.exceptions import ProjError
from rasterio.transform import Affine

from imagerag_assets.raster.projection import Floats, projection, unwrapped

_THIN = 0.01
"""Points lie on a line if they spread less across it than this share of their spread along it."""
_AGREE = 0.1
"""Points that are further off than this share of the picture's diagonal, on the whole, contradict each other."""
_SUSPECT_PX = 3.0
_SUSPECT = 0.01
"""A point may be an error from this share of the diagonal on."""
_BETTER = 0.2
"""It is one if the others then fit better than by this factor."""
_LEFT_OUT = 0.1
"""At most this share of the points are left out, or one."""
_NAME = "Azimuthal equidistant around the picture"
_STRAIGHT_PX = 0.5
"""A fit this good is not improved on."""


class UnfitError(Exception):
    """Control points give no place; the message says why, in the form "they ..."."""


@dataclass(frozen=True)
class Fit:
    """A grid fitted to control points."""

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    worst_px: float
    """How far the furthest point that counts lies from where the fit puts it, in pixels."""
    points: int
    """Points that count."""
    left_out: tuple[tuple[int, float], ...] = ()
    """Numbers (from 1) of points that do not fit the others, and how many pixels they are off."""


def fit(pixels: Floats, ground: Floats, crs_wkt: str, size: tuple[int, int]) -> Fit:
    """Fit an affine transform to control points.

    Args:
        pixels: (n, 2) of column and row; the upper left corner of the picture is (0, 0).
        ground: (n, 2) of x and y in the CRS; longitude first. Longitudes may jump at the antimeridian.
        crs_wkt: The CRS of the ground coordinates.
        size: Width and height of the picture.

    Raises:
        UnfitError: there are too few points, they lie on a line, or they contradict each other.
    """
    numbers = _distinct(pixels, ground)
    pixels, ground = pixels[numbers], ground[numbers]
    if len(numbers) < 2:
        raise UnfitError(f"only {len(numbers)} can be told apart, and at least 3 are needed")
    if len(numbers) > 2 and _thinness(pixels) < _THIN:
        raise UnfitError(f"all {len(numbers)} lie on a line of the picture")
    options = [option for option in _options(ground, crs_wkt) if np.isfinite(option[1]).all()]
    fits = [_fit(pixels, places, wkt, size, numbers) for wkt, places in options]
    found = [each for each in fits if each is not None]
    if not found:
        raise UnfitError("they span no area on the ground")
    own, best = found[0], min(found, key=lambda each: (len(each.left_out), each.worst_px))
    keep = own.worst_px <= _STRAIGHT_PX or own.worst_px < 2 * best.worst_px
    chosen = own if keep and len(own.left_out) <= len(best.left_out) else best
    if chosen.worst_px > _AGREE * np.hypot(*size):
        raise UnfitError(f"they contradict each other by up to {chosen.worst_px:,.0f} px")
    return chosen


def _distinct(pixels: Floats, ground: Floats) -> list[int]:
    """Return the positions of points that are finite and not repeated."""
    rows = np.hstack([pixels, ground])
    rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, np.nan)
    return [i for i in sorted(np.unique(rows, axis=0, return_index=True)[1].tolist()) if np.isfinite(rows[i]).all()]


def _thinness(points: Floats) -> float:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(spread[1] / spread[0]) if spread[0] > 0 else 0.0


def _options(ground: Floats, crs_wkt: str) -> list[tuple[str, Floats]]:
    """Return the points in their own CRS, in one piece, and in a map that is centred on them."""
    known = projection(crs_wkt)
    own = ground.copy()
    if known.period is not None:
        own[:, 0] = unwrapped(ground[:, 0], known.period)
    options = [(crs_wkt, own)]
    lon, lat = known.to_lonlat(*ground.T)
    if not np.isfinite(lon).all():
        return options
    east, up = np.radians(lon), np.radians(lat)
    x, y, z = np.mean([np.cos(up) * np.cos(east), np.cos(up) * np.sin(east), np.sin(up)], axis=1)
    middle = f"+lat_0={np.degrees(np.arctan2(z, np.hypot(x, y))):.6f} +lon_0={np.degrees(np.arctan2(y, x)):.6f}"
    datum = "+datum=WGS84"
    ellipsoid = CRS.from_wkt(crs_wkt).ellipsoid
    if ellipsoid is not None and abs(ellipsoid.semi_major_metre / 6_371_000 - 1) > 0.01:  # another body
        datum = f"+a={ellipsoid.semi_major_metre} +b={ellipsoid.semi_minor_metre}"
    try:
        around = CRS.from_proj4(f"+proj=aeqd {middle} {datum} +units=m").to_wkt().replace("unknown", _NAME, 1)
        options.append((around, np.stack(projection(around).to_xy(lon, lat), axis=1)))
    except ProjError:
        pass
    return options


def _fit(pixels: Floats, places: Floats, wkt: str, size: tuple[int, int], numbers: list[int]) -> Fit | None:
    """Return the fit in one CRS without the points that do not fit the others; None if it has no area."""
    limit = max(_SUSPECT_PX, _SUSPECT * float(np.hypot(*size)))
    kept = np.arange(len(pixels))
    solved = _solve(pixels, places, kept)
    if solved is None:
        return None
    rest, tried = kept, solved
    for _ in range(max(1, int(len(pixels) * _LEFT_OUT))):
        if len(rest) < 6 or tried[1][rest].max() <= limit:
            break
        rest = np.delete(rest, tried[2])
        again = _solve(pixels, places, rest) if _thinness(pixels[rest]) >= _THIN else None
        if again is None:
            break
        tried = again
        if tried[1][rest].max() < _BETTER * solved[1][kept].max():
            kept, solved = rest, tried
            break
    transform, off, _ = solved
    out = np.setdiff1d(np.arange(len(pixels)), kept)
    left_out = tuple((numbers[index] + 1, float(off[index])) for index in out)
    return Fit(wkt, transform, float(off[kept].max()), len(kept), left_out)


def _solve(
    pixels: Floats, places: Floats, rows: np.ndarray
) -> tuple[tuple[float, float, float, float, float, float], Floats, int] | None:
    """Fit some points; return the transform, how many pixels each of all points is off, and which of `rows` to doubt.

    None if the fit has no area.
    """
    middle, base = pixels[rows].mean(axis=0), places[rows].mean(axis=0)
    design = np.hstack([pixels - middle, np.ones((len(pixels), 1))])
    if len(rows) == 2:  # north is up
        step, by = (np.diff(each[rows], axis=0)[0] for each in (pixels, places))
        if not (step.all() and by.all()):
            return None
        solution = np.vstack([np.diag(by / step), [0, 0]])
    else:
        solution = np.linalg.lstsq(design[rows], places[rows] - base, rcond=None)[0]
    linear = solution[:2].T
    if not np.isfinite(linear).all() or abs(np.linalg.det(linear)) <= 1e-9 * (linear**2).sum():
        return None
    residual = places - base - design @ solution
    off = np.hypot(*np.linalg.solve(linear, residual.T))
    # Which one, left out, leaves the least to the others: a point far from the others draws the fit to itself.
    gram = np.linalg.pinv(design[rows].T @ design[rows])
    leverage = np.einsum("ij,jk,ik->i", design[rows], gram, design[rows])
    doubtful = int(np.argmax(off[rows] ** 2 / np.maximum(1 - leverage, 1e-9)))
    origin = base + solution[2] - linear @ middle
    shape = Affine(*linear[0], origin[0], *linear[1], origin[1])
    return (shape.a, shape.b, shape.c, shape.d, shape.e, shape.f), off, doubtful
