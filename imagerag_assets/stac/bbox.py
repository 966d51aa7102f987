"""Read the box of an item in longitude and latitude, from its bbox or its geometry, however catalogs write it.

Whether it is where the raster lies is `scenes.place`'s concern.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

Bbox = tuple[float, float, float, float]

_BEYOND_POLE = 1.5
"""Degrees that the outer pixels of a global grid may reach beyond a pole."""
_EDGE = 1e-6
"""Degrees from the antimeridian within which a part ends there."""


def item_bbox(content: dict[str, Any], notes: list[str]) -> Bbox | None:
    """Return the item's bbox without heights, else the extent of its geometry; None, and a note, without either.

    Args:
        content: The item's JSON.
        notes: Takes what is wrong with the bbox.

    Returns:
        West, south, east, north in degrees on the globe; west > east where the item crosses the antimeridian, also
        where it has longitudes beyond 180, or a geometry in two halves.
    """
    given = content.get("bbox")
    if isinstance(given, list) and len(given) in (4, 6) and all(_is_number(value) for value in given):
        half = len(given) // 2
        found = _on_globe(given[0], given[1], given[half], given[half + 1])
        if found is None:
            notes.append("The item's bbox is not in degrees of longitude and latitude")
        return found
    parts = [part for part in _parts(content.get("geometry")) if part]
    if not parts:
        notes.append("The item has no usable bbox or geometry")
        return None
    found = _extent(parts)
    if found is None:
        notes.append("The item's geometry is not in degrees of longitude and latitude")
    return found


def usable_geometry(content: dict[str, Any], notes: list[str]) -> dict[str, Any] | None:
    """Return the item's geometry if it has the form of one, with numbers that may be places; else None, and a note.

    Args:
        content: The item's JSON.
        notes: Takes that the geometry cannot be used.
    """
    geometry = content.get("geometry")
    if not isinstance(geometry, dict):
        return None
    if _is_geometry(geometry):
        return geometry
    notes.append("The item's geometry cannot be used: passed over")
    return None


def _is_geometry(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    inner = value.get("geometries")
    return all(map(_is_geometry, inner)) if isinstance(inner, list) else _holds_numbers(value.get("coordinates"))


def _holds_numbers(coordinates: object) -> bool:
    """Return whether these are lists, at any depth, of numbers; heights may be null."""
    if not isinstance(coordinates, list):
        return False
    return all(_holds_numbers(each) if isinstance(each, list) else each is None or _is_number(each)
               for each in coordinates)  # fmt: skip


def _extent(parts: list[list[tuple[float, float]]]) -> Bbox | None:
    """Return the box around parts; two halves that meet at the antimeridian are put together there."""
    spans = [(min(x for x, _ in part), max(x for x, _ in part)) for part in parts]
    south, north = min(y for part in parts for _, y in part), max(y for part in parts for _, y in part)
    ends = any(abs(east - 180) < _EDGE for _, east in spans) and any(abs(west + 180) < _EDGE for west, _ in spans)
    if ends and not any(east - west >= 360 - _EDGE for west, east in spans):
        spans = [(west + 360, east + 360) if east <= 0 else (west, east) for west, east in spans]
    return _on_globe(min(west for west, _ in spans), south, max(east for _, east in spans), north)


def _on_globe(west: float, south: float, east: float, north: float) -> Bbox | None:
    if not (-360 <= west <= 360 and -360 <= east <= 540 and south <= north and abs(south) <= 90 + _BEYOND_POLE):
        return None
    if abs(north) > 90 + _BEYOND_POLE:
        return None
    if abs(west) > 180 or abs(east) > 180:
        if not west < east:
            return None
        around = east - west >= 360 - _EDGE
        west, east = (-180, 180) if around else (_wrapped(west, -180), _wrapped(east, 180))
    return float(west), float(max(south, -90)), float(east), float(min(north, 90))


def _wrapped(lon: float, edge: float) -> float:
    """Return a longitude in [-180, 180]; the antimeridian as the edge given."""
    turned = (lon + 180) % 360 - 180
    return edge if turned == -180 else turned


def _parts(geometry: object) -> Iterator[list[tuple[float, float]]]:
    """Return the positions of a geometry, those of each polygon of several apart."""
    if not isinstance(geometry, dict):
        return
    inner = geometry.get("coordinates"), geometry.get("geometries")
    if geometry.get("type") == "MultiPolygon" and isinstance(inner[0], list):
        for polygon in inner[0]:
            yield list(_positions(polygon))
    elif isinstance(inner[1], list):
        for each in inner[1]:
            yield from _parts(each)
    else:
        yield list(_positions(inner[0]))


def _positions(part: object) -> Iterator[tuple[float, float]]:
    if isinstance(part, list):
        if len(part) >= 2 and _is_number(part[0]) and _is_number(part[1]):
            yield part[0], part[1]
        else:
            for inner in part:
                yield from _positions(inner)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and isfinite(value)
