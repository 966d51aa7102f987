"""Where a file's pixels are on the ground, from the best that is known of it.

In this order: the file's CRS and transform, its ground control points, its rational polynomials (RPCs), what the item
says in `proj:*`, and the outline of the item's geometry. Otherwise windows have pixels only, and a note says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pyproj import CRS
from pyproj.exceptions import ProjError
from rasterio.transform import Affine, RPCTransformer
from shapely.errors import ShapelyError
from shapely.geometry import Polygon, shape
from shapely.ops import unary_union

from imagerag_assets.objects.opening import raster_errors
from imagerag_assets.raster.control_points import Fit, UnfitError, fit
from imagerag_assets.raster.projection import is_local, unusable
from imagerag_assets.stac.types import ItemPlace

_WGS84 = CRS.from_epsg(4326).to_wkt()
_LATTICE = 7
_STRETCHED = 0.1
"""Pixels that are longer than wide by more than this share are no square pixels."""
_UNLIKE_PX = 2.0
_TURNED = 30.0
"""Degrees up to which a footprint may be turned for its north-west corner to be the picture's upper left one."""
_BENT = 0.02
"""An outline whose corners are off by more than this share of its picture is no picture's outline."""
_RPC_REACH = 2.0
"""How far from the middle of its RPCs a picture may reach, in their own scale."""

_RAISED: tuple[type[BaseException], ...] = (
    *raster_errors(), UnfitError, KeyError, TypeError, ValueError, ArithmeticError,
)  # fmt: skip

Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Place:
    """The place of a file's pixels."""

    crs_wkt: str | None = None
    """None: it has no place on the ground."""
    transform: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    approximate: bool = False
    """Whether the transform is fitted, so that places are a little off."""
    own: bool = True
    """Whether GDAL knows it from the file."""
    notes: tuple[str, ...] = ()


def place_of(dataset: Any, said: ItemPlace | None = None, geometry: dict[str, Any] | None = None) -> Place:
    """Return the place of an open file.

    Args:
        dataset: A rasterio dataset.
        said: What the item says of this file's grid.
        geometry: GeoJSON of the item's footprint, lon/lat.
    """
    crs_wkt = dataset.crs.to_wkt() if dataset.crs else None
    shape_of_own: Transform | None = tuple(dataset.transform)[:6]
    if dataset.transform.is_identity or not _has_area(dataset.transform):
        shape_of_own = None
    why = "" if crs_wkt is None else unusable(crs_wkt)
    if why == "local coordinate system":
        return Place(notes=("local coordinate system: windows are in pixels only",))
    if crs_wkt is not None and shape_of_own is not None and not why:
        return Place(crs_wkt, shape_of_own)
    notes = [f"{why}: not used"] if why else []
    found = (
        _by_control_points(dataset, notes)
        or _by_polynomials(dataset, notes)
        or _by_item(dataset, None if why else crs_wkt, shape_of_own, said, notes)
        or _by_footprint(dataset, geometry, notes)
    )
    if found is not None:
        return replace(found, notes=tuple(notes))
    missing = "transform" if crs_wkt is not None and not why else "CRS"
    return Place(notes=(*notes, f"no {missing}: windows are in pixels only"))


def _by_control_points(dataset: Any, notes: list[str]) -> Place | None:
    points, crs = dataset.gcps
    if not points:
        return None
    why = "they have no CRS" if crs is None else unusable(crs.to_wkt())
    if not why:
        pixels = np.array([(point.col, point.row) for point in points], np.float64)
        ground = np.array([(point.x, point.y) for point in points], np.float64)
        try:
            found = fit(pixels, ground, crs.to_wkt(), (dataset.width, dataset.height))
        except UnfitError as error:
            why = str(error)
        else:
            notes.append(f"ground control points only: approximate footprint ({_how_far(found)})")
            return Place(found.crs_wkt, found.transform, approximate=True)
    notes.append(f"ground control points are not used: {why}")
    return None


def _how_far(found: Fit) -> str:
    text = f"up to {found.worst_px:,.1f} px off at {found.points} points"
    if found.left_out:
        out = ", ".join(f"point {number} ({px:,.0f} px off)" for number, px in found.left_out[:3])
        text += f" without {out}{', ...' if len(found.left_out) > 3 else ''}"
    return text + (", north taken as up" if found.points == 2 else "")


def _by_polynomials(dataset: Any, notes: list[str]) -> Place | None:
    width, height = dataset.width, dataset.height
    cols, rows = (
        each.ravel() for each in np.meshgrid(np.linspace(0, width, _LATTICE), np.linspace(0, height, _LATTICE))
    )
    try:
        rpcs = dataset.rpcs
        if rpcs is None:
            return None
        ground_m = float(rpcs.height_off)
        with RPCTransformer(rpcs, rpc_height=ground_m) as transformer:
            lon, lat = (np.asarray(each, np.float64) for each in transformer.xy(rows, cols, offset="ul"))
        off = np.hypot(
            ((lon - rpcs.long_off + 180) % 360 - 180) / rpcs.long_scale, (lat - rpcs.lat_off) / rpcs.lat_scale
        )
        if not (np.isfinite(off).all() and off.max() < _RPC_REACH * np.sqrt(2) and np.abs(lat).max() <= 90):
            raise UnfitError("they lead away from their own middle")
        found = fit(np.stack([cols, rows], 1), np.stack([lon, lat], 1), _WGS84, (width, height))
    except _RAISED as error:
        why = str(error) if isinstance(error, UnfitError) else "they cannot be solved"
        notes.append(f"rational polynomials (RPCs) are not used: {why}")
        return None
    notes.append(
        f"rational polynomials (RPCs) only: approximate place, for ground at {ground_m:g} m "
        f"(fitted to {found.worst_px:,.1f} px)"
    )
    return Place(found.crs_wkt, found.transform, approximate=True)


def _by_item(
    dataset: Any, crs_wkt: str | None, own: Transform | None, said: ItemPlace | None, notes: list[str]
) -> Place | None:
    """Use the item's `proj:*`, with the file's own CRS or transform (a world file) where it has one of the two."""
    if said is None:
        return None
    crs_wkt = crs_wkt or _crs_of(said, notes)
    if crs_wkt is None:
        return None
    if own is not None:
        notes.append("no CRS in the file: the item's is used")
        return Place(crs_wkt, own, own=False)
    transform = _item_transform(said, (dataset.width, dataset.height), crs_wkt, notes)
    if transform is None:
        return None
    notes.append("no georeferencing in the file: place from the item's proj fields")
    return Place(crs_wkt, transform, own=False)


def _crs_of(said: ItemPlace, notes: list[str]) -> str | None:
    if said.crs is None:
        return None
    try:
        crs_wkt = CRS.from_user_input(said.crs).to_wkt()
    except ProjError:
        notes.append(f"the item's CRS is not known ({said.crs[:60]})")
        return None
    why = unusable(crs_wkt)
    if why:
        notes.append(f"the item's CRS is not used: {why}")
    return None if why or is_local(crs_wkt) else crs_wkt


def _item_transform(said: ItemPlace, size: tuple[int, int], crs_wkt: str, notes: list[str]) -> Transform | None:
    """Return the transform that the item gives for a picture of (width, height); None if it has none that fits."""
    width, height = size
    across = down = 1.0
    if said.shape is not None and said.shape != (height, width):
        down, across = said.shape[0] / height, said.shape[1] / width
        # A smaller copy of the picture: its sides are rounded to pixels.
        if abs(across - down) * min(size) > max(across, down) * _UNLIKE_PX:
            notes.append(
                f"the item's proj:shape {said.shape[1]} x {said.shape[0]} px is of another picture than the file's "
                f"{width} x {height} px"
            )
            return None
    given = None if said.transform is None else _read_as(said.transform, notes)
    if given is not None:
        scaled = given @ Affine.scale(across, down)
        if said.bbox is None or said.shape is not None or _fits_bbox(scaled, size, said.bbox):
            a, b, c, d, e, f = scaled[:6]
            return a, b, c, d, e, f
        notes.append(f"the item's proj:transform does not fit its proj:bbox for {width} x {height} px: not used")
    if said.bbox is None:
        return None
    west, south, east, north = said.bbox
    if not (east > west and north > south):
        return None
    a, e = (east - west) / width, (north - south) / height
    on_ground = (
        np.cos(np.radians(np.clip((south + north) / 2, -90, 90))) if CRS.from_wkt(crs_wkt).is_geographic else 1.0
    )
    if said.shape is None and min(abs(a / e - 1), abs(a / e * on_ground - 1)) > _STRETCHED:
        notes.append(f"the item's proj:bbox does not have the shape of {width} x {height} px: not used")
        return None
    return a, 0.0, west, 0.0, -e, north


def _read_as(said: Transform, notes: list[str]) -> Affine | None:
    """Return the item's transform, also where its numbers are in GDAL's order; None if it has no area."""
    _, across, c, _, e, down = said
    turned = Affine.from_gdal(*said)
    if c == e == 0 and across * down != 0 and _has_area(turned):  # else a sheared picture with a corner at x = 0
        notes.append("the item's proj:transform is in the order of GDAL: read as such")
        return turned
    given = Affine(*said)
    return given if _has_area(given) else None


def _fits_bbox(transform: Affine, size: tuple[int, int], bbox: tuple[float, float, float, float]) -> bool:
    corners = np.array([transform @ (col, row) for col in (0, size[0]) for row in (0, size[1])])
    found = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    pixel = max(np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e))
    return bool(np.abs(found - np.array(bbox)).max() <= _UNLIKE_PX * pixel)


def _by_footprint(dataset: Any, geometry: dict[str, Any] | None, notes: list[str]) -> Place | None:
    """Take the corners of the item's footprint for the picture's, where it has four and the picture's shape.

    Otherwise it may be the box around a turned picture, or the outline of what holds data.
    """
    corners = None if geometry is None else _four_corners(geometry)
    if corners is None:
        return None
    width, height = dataset.width, dataset.height
    try:
        found = fit(np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64), corners, _WGS84,
                    (width, height))  # fmt: skip
        a, b, _, d, e, _ = _in_metres(found, corners)
    except (UnfitError, ProjError):
        return None
    turned = abs(np.degrees(np.arctan2(d, a)))
    square = abs(np.hypot(a, d) / np.hypot(b, e) - 1) <= _STRETCHED
    if found.worst_px > _BENT * np.hypot(width, height) or turned > _TURNED or not square:
        notes.append(f"the item's geometry is not the outline of a picture of {width} x {height} px")
        return None
    notes.append("no CRS: approximate place, the corners of the item's geometry, north taken as up")
    return Place(found.crs_wkt, found.transform, approximate=True, own=False)


def _in_metres(found: Fit, corners: np.ndarray) -> Transform:
    """Return a fit's transform with metres for degrees, where it is in these."""
    if CRS.from_wkt(found.crs_wkt).is_projected:
        return found.transform
    a, b, c, d, e, f = found.transform
    narrow = float(np.cos(np.radians(corners[:, 1].mean())))
    return a * narrow, b * narrow, c, d, e, f


def _four_corners(geometry: dict[str, Any]) -> np.ndarray | None:
    """Return (4, 2) lon/lat of a quadrilateral, upper left corner first, clockwise; None of anything else.

    Longitudes may exceed 180 where the two halves of one across the antimeridian are put together.
    """
    try:
        outline = shape(geometry)
        if outline.geom_type == "MultiPolygon":
            moved = [
                Polygon([(x + 360 if part.bounds[2] <= 0 else x, y) for x, y, *_ in part.exterior.coords])
                for part in outline.geoms
            ]
            outline = unary_union(moved)
        if outline.geom_type != "Polygon" or outline.is_empty or not outline.is_valid or len(outline.interiors):
            return None
        west, south, east, north = outline.bounds
        plain = outline.simplify(1e-3 * min(east - west, north - south))
        ring = np.array([point[:2] for point in plain.exterior.coords[:-1]], np.float64)
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
    if len(ring) != 4 or not np.isfinite(ring).all() or np.abs(ring[:, 1]).max() > 90 or east - west >= 180:
        return None
    narrow = np.array([np.cos(np.radians(ring[:, 1].mean())), 1.0])
    middle = ring.mean(axis=0)
    angles = np.arctan2(*((ring - middle) * narrow).T)  # clockwise from the north
    ring = ring[np.argsort(angles)]
    # Of the four turns of the corners, the one with the upper edge most to the north.
    return np.roll(ring, -int(np.argmax([(ring[i] + ring[(i + 1) % 4])[1] for i in range(4)])), axis=0)


def _has_area(transform: Affine) -> bool:
    linear = np.array([[transform.a, transform.b], [transform.d, transform.e]])
    return bool(
        np.isfinite(np.array(tuple(transform))).all() and abs(np.linalg.det(linear)) > 1e-12 * (linear**2).sum()
    )
