"""How probable it is that an answer is right, from how probable each object is.

Cues' confidences are calibrated (`retrieval/calibration.py`), so what follows from several of them is, too, as far as
they go wrong independently of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray


def present(confidences: Sequence[float]) -> float:
    """Return how probable it is that at least one of some objects is real."""
    return 1 - math.prod(1 - each for each in confidences)


def all_real(confidences: Sequence[float], others: float = 1.0) -> float:
    """Return how probable it is that all of some objects are real.

    Args:
        confidences: Of each.
        others: How probable it is that there is none beside them; 1 where only those that are named matter.
    """
    return math.prod(confidences) * others


def numbers(confidences: Sequence[float]) -> NDArray[np.float64]:
    """Return the probability of each number of real ones among n objects, float64 (n + 1,): Poisson's binomial."""
    return reduce(np.convolve, (np.array([1 - each, each]) for each in confidences), np.ones(1))


def number_of(confidences: Sequence[float]) -> tuple[int, int, int]:
    """Return how many of some objects are real, and an interval of 95 %, by the Poisson binomial distribution."""
    if not confidences:
        return 0, 0, 0
    below = np.cumsum(numbers(confidences))
    low, high = (int(np.searchsorted(below, tail)) for tail in (0.025, 0.975))
    return len(confidences), min(low, len(confidences)), max(min(high, len(confidences)), len(confidences))


def ranked(one: Sequence[float], other: Sequence[float], *, lead: int) -> float:
    """Return how probable it is that one kind of objects has more real ones than another.

    Args:
        one: Confidences of its objects.
        other: Of the other kind.
        lead: 1: it has more; 0: both have as many.
    """
    table = np.outer(numbers(one), numbers(other))
    return float(np.tril(table, -1).sum() if lead else np.trace(table))
