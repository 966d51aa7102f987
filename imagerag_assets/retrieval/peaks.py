"""Peaks of a score: which are objects of their own, and how sure their number is.

Arithmetic on arrays; what the score means is known to `counting.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri


def persistent(places: NDArray[np.int64], values: NDArray[np.float64], dip: float) -> list[int]:
    """Return the indices of the peaks on a lattice, best first: from each, the way to a better one dips far enough.

    Two peaks with hardly a dip between them are one object that was hit twice, or ground that is alike all over.

    Args:
        places: Column and row of each lattice point that was seen, (n, 2).
        values: (n,), finite.
        dip: How far below a peak the highest way to a better one must go.
    """
    order = np.argsort(-values, kind="stable")
    at = {(int(x), int(y)): index for index, (x, y) in enumerate(places)}
    root: dict[int, int] = {}
    """Of each point above the water, a point towards the peak that it belongs to."""

    def top(point: int) -> int:
        while root[point] != point:
            root[point] = root[root[point]]
            point = root[point]
        return point

    peaks = set()
    for index in map(int, order):  # the water falls; where two islands meet, the lower one is judged
        x, y = (int(each) for each in places[index])
        around = (at.get((x + dx, y + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1))
        tops = sorted({top(each) for each in around if each in root}, key=lambda each: -values[each])
        root[index] = index
        if not tops:
            peaks.add(index)
            continue
        root[index] = tops[0]
        for lower in tops[1:]:
            if values[lower] - values[index] < dip:
                peaks.discard(lower)
            root[lower] = tops[0]
    return [index for index in map(int, order) if index in peaks]


def nearest(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each point (n, 2) to the nearest other one; n is at least 2."""
    distances: NDArray[np.float64] = cKDTree(points).query(points, 2)[0][:, 1]
    return distances


def interval(count: int, spread: float, doubt: tuple[float, float] = (0.0, 0.0)) -> tuple[int, int]:
    """Return an interval of 95 % around a count.

    Args:
        count: How many were found.
        spread: Standard deviation of the logarithm of such counts around the truth.
        doubt: How many of those found are doubtful, and how many of those left out.
    """
    wide = float(ndtri(0.975))
    fewer = math.hypot(count * (1 - math.exp(-wide * spread)), doubt[0])
    more = math.hypot(count * (math.exp(wide * spread) - 1), doubt[1])
    return max(0, math.floor(count - fewer)), math.ceil(count + more)
