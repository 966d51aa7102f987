"""How probable a statement about a measured number is, given the measurement."""

from __future__ import annotations

import math
from collections.abc import Callable

_TAIL = 0.1
"""Share of a measurement's probability that lies far from it, as measurements go wrong altogether at times."""


def spread(value: float) -> float:
    """Return the standard deviation of a number of objects of which no interval is known."""
    return 0.4 + 0.08 * value


def _normal(value: float) -> float:
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))


def near(value: float, interval: tuple[float, float], sigma: float) -> float:
    """Return how probable it is that a measurement's true value lies in an interval; its ends are rounded numbers."""
    margin = max(0.5, 0.5 * sigma) if sigma >= 0.4 else 0.75 * sigma
    low, high = interval[0] - margin, interval[1] + margin
    close = _normal((high - value) / sigma) - _normal((low - value) / sigma)
    broad = 6 * sigma + 0.3 * abs(value)
    far = _laplace((high - value) / broad) - _laplace((low - value) / broad)
    return (1 - _TAIL) * close + _TAIL * far


def _laplace(value: float) -> float:
    return 0.5 * math.exp(value) if value < 0 else 1 - 0.5 * math.exp(-value)


def _difference(one: float, other: float) -> Callable[[float], float]:
    sigma = math.hypot(spread(one), spread(other)) * 0.7
    return lambda border: _normal((border - (one - other)) / sigma)


def above(one: float, other: float) -> float:
    """Return how probable it is that one number of objects is larger than another."""
    return 1 - _difference(one, other)(0.5)


def equal(one: float, other: float) -> float:
    """Return how probable it is that two numbers of objects are the same."""
    below = _difference(one, other)
    return below(0.5) - below(-0.5)


def _ratio(one: float, other: float) -> float:
    return math.log(max(one, 1.0) / max(other, 1.0)) / 0.15


def larger(one: float, other: float) -> float:
    """Return how probable it is that one area is larger than another."""
    return 1 - _normal(0.6 - _ratio(one, other))


def alike(one: float, other: float) -> float:
    """Return how probable it is that two areas are about the same."""
    return _normal(0.6 - _ratio(one, other)) - _normal(-0.6 - _ratio(one, other))


def times_as_many(one: float, other: float, interval: tuple[float, float]) -> float:
    """Return how probable it is that there is so many times as much of one thing as of another, both above 0."""
    low, high = (math.log(max(end, 1e-3)) for end in interval)
    really = math.log(one / other)
    return near(really, (low, high), 0.1 + 0.05 * abs(really))
