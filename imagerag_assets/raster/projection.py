"""Coordinates of a CRS as longitude and latitude, and back: where it has a place, and how often it repeats itself.

Only coordinates of single points belong here; `raster.geo` makes boxes and outlines of windows from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection
from pyproj.exceptions import ProjError

Floats = NDArray[np.float64]

_EARTH_RADIUS_M = 6_371_000
_ROUND_TRIP = 1e-4
"""Least share of a coordinate by which one beside the map comes back changed: it is taken for a place elsewhere."""


@dataclass(frozen=True)
class Projection:
    """How a CRS turns x and y into longitude and latitude."""

    transformer: Transformer
    period: float | None
    """After how much x the same places come again: 360 for degrees, the equator for cylindrical maps; None: never."""

    def to_lonlat(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude in degrees; NaN for points that are no place, such as those beside the globe.

        What lies beyond a pole of a cylindrical map is cut to the pole: global grids reach half a pixel too far.
        """
        easting, northing = np.asarray(x, np.float64), np.asarray(y, np.float64)
        lon, lat = self.transformer.transform(easting, northing)
        with np.errstate(invalid="ignore", over="ignore"):
            there = np.isfinite(lon) & np.isfinite(lat)
            if self.period is None:  # Some projections wrap what lies beside the map around the Earth.
                back = self.transformer.transform(lon, lat, direction=TransformDirection.INVERSE)
                off = np.maximum(np.abs(back[0] - easting), np.abs(back[1] - northing))
                there &= np.abs(lat) <= 90.0 + 1e-9
                there &= off <= _ROUND_TRIP * np.maximum(np.maximum(np.abs(easting), np.abs(northing)), 1.0)
            return np.where(there, lon, np.nan), np.where(there, np.clip(lat, -90.0, 90.0), np.nan)

    def to_xy(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Return x and y; not finite where the CRS does not reach."""
        x, y = self.transformer.transform(
            np.asarray(lon, np.float64), np.asarray(lat, np.float64), direction=TransformDirection.INVERSE
        )
        return x, y


@lru_cache(maxsize=64)
def projection(crs_wkt: str) -> Projection:
    """Return the projection of a CRS, to WGS 84 if it is of the Earth, else to longitudes and latitudes of its own.

    Raises:
        ProjError: there is no way from it to longitude and latitude.
    """
    crs = CRS.from_wkt(crs_wkt)
    own = crs.geodetic_crs
    target = CRS.from_epsg(4326) if own is None or is_earth(crs_wkt) else own
    transformer = Transformer.from_crs(crs, target, always_xy=True)
    return Projection(transformer, 360.0 if crs.is_geographic else _period(transformer))


def unusable(crs_wkt: str) -> str:
    """Return why a CRS gives no places on the ground; empty if it does."""
    try:
        crs = CRS.from_wkt(crs_wkt)
        if is_local(crs_wkt):
            return "local coordinate system"
        if not (crs.is_geographic or crs.is_projected or crs.is_compound or crs.is_bound or crs.is_derived):
            return f"the CRS {crs.name} has no x and y on the ground"
        projection(crs_wkt)
    except ProjError:
        return "the CRS cannot be used"
    return ""


def is_local(crs_wkt: str) -> bool:
    """Return whether a CRS has no place on a body: that of a building site, or of an image."""
    return CRS.from_wkt(crs_wkt).is_engineering


def is_earth(crs_wkt: str) -> bool:
    """Return False for a CRS of another body, which has longitudes and latitudes of its own."""
    ellipsoid = CRS.from_wkt(crs_wkt).ellipsoid
    return ellipsoid is None or abs(ellipsoid.semi_major_metre - _EARTH_RADIUS_M) < 100_000


def unwrapped(values: Floats, period: float) -> Floats:
    """Return coordinates around the Earth in one piece: cut in their widest gap, the first in the first period."""
    turned = np.mod(values, period)
    order = np.sort(turned)
    gaps = np.diff(order, append=order[0] + period)
    widest = int(np.argmax(gaps))
    start = order[(widest + 1) % len(order)]
    lifted = start + np.mod(turned - start, period)
    return lifted - period * np.floor((start + period / 2) / period)


def _period(transformer: Transformer) -> float | None:
    """Return the width of a cylindrical map of the Earth, whose x depends on the longitude alone; None of others."""
    lon, lat = np.array([-90.0, 0.0, 90.0] * 2), np.array([0.0] * 3 + [40.0] * 3)
    x, _ = transformer.transform(lon, lat, direction=TransformDirection.INVERSE)
    if not np.isfinite(x).all() or x[0] == x[1]:
        return None
    steps = np.diff(x.reshape(2, 3), axis=1)
    # With a map centred elsewhere than at Greenwich one of the steps goes over its edge.
    same = np.allclose(x[:3], x[3:], rtol=1e-9, atol=abs(steps).max() * 1e-9)
    return float(4 * np.abs(steps).min()) if same else None
