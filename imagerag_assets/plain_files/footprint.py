"""Where a raster lies, as GeoJSON in longitude and latitude: from its own grid alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import antimeridian
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.transform import Affine
from shapely import box, orient_polygons, set_precision
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

_STEPS = 16  # points of each edge, which may be curved in longitude and latitude
_DIGITS = 1e-7  # degrees, about a centimetre


@dataclass(frozen=True)
class Footprint:
    """The outline of a raster on the ground."""

    geometry: dict[str, Any]
    """GeoJSON Polygon, or MultiPolygon across the antimeridian."""
    bbox: tuple[float, float, float, float]
    """West, south, east, north in degrees; west > east across the antimeridian."""


def find_footprint(width: int, height: int, transform: Affine, crs: str) -> Footprint | None:
    """Return the outline of a grid; None if its coordinate system has no place on Earth, or it lies outside of that.

    Args:
        width: Columns.
        height: Rows.
        transform: From (column, row) to x and y of `crs`.
        crs: Anything that pyproj reads, e.g. WKT.
    """
    try:
        system = CRS.from_user_input(crs)
        if system.is_engineering:
            return None
        to_degrees = Transformer.from_crs(system, "EPSG:4326", always_xy=True)
    except ProjError:
        return None
    across, down = np.linspace(0, width, _STEPS + 1)[:-1], np.linspace(0, height, _STEPS + 1)[:-1]
    columns = np.concatenate([across, np.full(_STEPS, width), across[::-1] + width / _STEPS, np.zeros(_STEPS)])
    rows = np.concatenate([np.zeros(_STEPS), down, np.full(_STEPS, height), down[::-1] + height / _STEPS])
    xs, ys = transform * (columns, rows)
    lon, lat = to_degrees.transform(xs, ys)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()) or np.ptp(lat) == 0 or np.ptp(lon) == 0:
        return None
    lon, lat = (np.asarray(lon) + 180.0) % 360.0 - 180.0, np.clip(lat, -90.0, 90.0)
    around = np.unwrap(np.append(lon, lon[0]), period=360.0)
    polar = abs(around[-1] - around[0]) > 180.0
    if not polar and np.ptp(around) >= 360.0 - 1e-6:  # all around the Earth
        return _of(box(-180.0, lat.min(), 180.0, lat.max()))
    outline = Polygon(np.stack([_one_side(lon), lat], axis=1))
    north = polar and bool(lat.mean() > 0)
    try:
        return _of(
            antimeridian.fix_polygon(
                outline, fix_winding=True, force_north_pole=north, force_south_pole=polar and not north
            )
        )
    except ValueError:
        return None


def _one_side(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return longitudes with the antimeridian's two names, 180 and -180, on the side where the others are."""
    west = lon == -180.0
    return np.where(west, 180.0, lon) if west.any() and (lon[~west] > 0).all() else lon


def _of(outline: BaseGeometry) -> Footprint | None:
    tidy = orient_polygons(set_precision(outline.simplify(_DIGITS), _DIGITS))
    if tidy.is_empty:
        return None
    west, south, east, north = antimeridian.bbox(tidy)
    return Footprint(_plain(mapping(tidy)), (float(west), float(south), float(east), float(north)))


def _plain(geometry: dict[str, Any]) -> dict[str, Any]:
    def listed(value: Any) -> Any:
        return [listed(each) for each in value] if isinstance(value, list | tuple) else round(float(value), 7)

    return {"type": geometry["type"], "coordinates": listed(geometry["coordinates"])}
