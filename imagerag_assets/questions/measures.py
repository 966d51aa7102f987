"""Distances and directions between places, on the ground where it is known, and otherwise in pixels of one scene."""

from __future__ import annotations

import math
import operator
from functools import cache

from pyproj import Geod

from imagerag_assets.plans.plan import Relation
from imagerag_assets.plans.result import Place

NEAR_M = 500.0
"""Two places are near each other up to this distance in metres, or if they are less than one object apart."""
_COMPASS: tuple[Relation, ...] = (
    "north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west",
)  # fmt: skip
_AXES: dict[str, tuple[int, int]] = {
    "north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0), "above": (0, 1), "below": (0, -1),
    "right": (1, 0), "left": (-1, 0), "north-east": (1, 1), "north-west": (-1, 1), "south-east": (1, -1),
    "south-west": (-1, -1),
}  # fmt: skip
"""Signs of the way east (or right) and north (or up) that a relation needs; 0: any."""
_IN_PICTURE = frozenset({"above", "below", "left", "right"})


def distance_m(one: Place, other: Place) -> float | None:
    """Return the distance between two middles in metres along the ellipsoid; None where one has no place."""
    if one.lonlat is None or other.lonlat is None:
        return None
    return float(_earth().inv(*one.lonlat, *other.lonlat)[2])


def distance_px(one: Place, other: Place) -> float | None:
    """Return the distance between two middles in native pixels; None for places of two scenes."""
    if one.scene != other.scene:
        return None
    (x, y), (u, v) = _middle(one), _middle(other)
    return math.hypot(x - u, y - v)


def away(one: Place, other: Place) -> float:
    """Return a distance to sort by: metres, or pixels; infinite where neither is known."""
    metres = distance_m(one, other)
    pixels = distance_px(one, other) if metres is None else metres
    return math.inf if pixels is None else pixels


def direction(one: Place, other: Place) -> Relation | None:
    """Return the compass direction in which `one` lies, seen from `other`; None where that is not known."""
    step = _step(one, other, in_picture=False)
    if step is None or step == (0.0, 0.0):
        return None
    angle = math.degrees(math.atan2(step[0], step[1])) % 360
    return _COMPASS[round(angle / 45) % 8]


def holds(relation: Relation, one: Place, other: Place) -> bool | None:
    """Return whether `one` is in this relation to `other`; None where that is not known."""
    if relation == "near":
        return is_near(one, other)
    if relation == "inside":
        return None if one.scene != other.scene else _within(one, other)
    step = _step(one, other, in_picture=relation in _IN_PICTURE)
    if step is None:
        return None
    return all(sign * way > 0 for sign, way in zip(_AXES[relation], step, strict=True) if sign)


def is_between(place: Place, one: Place, other: Place) -> bool | None:
    """Return whether a place lies between two: whether the angle at which it sees them is at least 120 degrees."""
    first, second = _step(one, place, in_picture=False), _step(other, place, in_picture=False)
    if first is None or second is None:
        return None
    long = math.hypot(*first) * math.hypot(*second)
    return long > 0 and sum(map(operator.mul, first, second)) <= -0.5 * long


def is_near(one: Place, other: Place) -> bool | None:
    """Return whether two places are near each other."""
    metres, pixels = distance_m(one, other), distance_px(one, other)
    if metres is not None and metres <= NEAR_M:
        return True
    if pixels is None:
        return None if metres is None else False
    sides = [max(p.window[2] - p.window[0], p.window[3] - p.window[1]) for p in (one, other)]
    return pixels <= sum(sides) / 2 + max(sides)


def _step(one: Place, other: Place, *, in_picture: bool) -> tuple[float, float] | None:
    """Return how far east (right) and north (up) of `other` `one` lies."""
    if not in_picture and one.lonlat is not None and other.lonlat is not None:
        east = (one.lonlat[0] - other.lonlat[0] + 180) % 360 - 180
        return east * math.cos(math.radians(one.lonlat[1])), one.lonlat[1] - other.lonlat[1]
    if one.scene == other.scene:
        (x, y), (u, v) = _middle(one), _middle(other)
        return x - u, v - y
    return None


def _within(one: Place, other: Place) -> bool:
    x, y = _middle(one)
    x0, y0, x1, y1 = other.window
    return x0 <= x < x1 and y0 <= y < y1


def _middle(place: Place) -> tuple[float, float]:
    x0, y0, x1, y1 = place.window
    return (x0 + x1) / 2, (y0 + y1) / 2


@cache
def _earth() -> Geod:
    return Geod(ellps="WGS84")
