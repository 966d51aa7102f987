"""Peaks of a score: which stand apart, where objects end and ground begins, and how sure their number is.

Arithmetic on arrays; what the score means is known to `counting.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri


def apart(middles: NDArray[np.float64], logits: NDArray[np.float64], least: float) -> list[int]:
    """Return the indices of points to keep, best first: no two are nearer to each other than `least`."""
    if not len(middles):
        return []
    tree, alive, kept = cKDTree(middles), np.ones(len(middles), dtype=bool), []
    for index in np.argsort(-logits, kind="stable"):
        if alive[index]:
            kept.append(int(index))
            alive[tree.query_ball_point(middles[index], least * (1 - 1e-9))] = False
    return kept


def nearest(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each point (n, 2) to the nearest other one; n is at least 2."""
    distances: NDArray[np.float64] = cKDTree(points).query(points, 2)[0][:, 1]
    return distances


def parting(values: NDArray[np.float64]) -> float:
    """Return the value that parts numbers into two groups, each as much alike as can be; infinity: there are too few.

    Otsu's method, on the numbers themselves.
    """
    ordered = np.sort(values)
    number = len(ordered)
    if number < 4:
        return math.inf
    sums, below = np.cumsum(ordered), np.arange(1, number)
    means = sums[:-1] / below, (sums[-1] - sums[:-1]) / (number - below)
    cut = int(np.argmax(below * (number - below) * (means[0] - means[1]) ** 2))
    return float(ordered[cut] + ordered[cut + 1]) / 2


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
