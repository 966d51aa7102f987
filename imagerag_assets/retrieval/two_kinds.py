"""Hits and misses told apart without labels, and a logistic function fitted around one that is known already.

Arithmetic on arrays; no I/O.  `evaluation/calibrate_imagery.py` gathers what is fitted here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from imagerag_assets.retrieval.scoring import Floats, Head

UNKNOWN = -1
"""Label of a candidate that nobody labelled."""
FEWEST = 40
"""Candidates below which two groups cannot be told from chance."""
_APART = 2.0
"""Least distance of the groups' means, in standard deviations of a group."""
_SMALLEST = 0.05
"""Least share of the smaller group."""
_STEPS = 200


@dataclass(frozen=True)
class TwoKinds:
    """Two groups of candidates of equal spread."""

    right: NDArray[np.float64]
    """float64, (n,): the probability that each belongs to the upper group; 0 or 1 for those with a label."""
    low: float
    """Mean of the lower group."""
    high: float
    """Mean of the upper group."""
    spread: float
    """Standard deviation within a group."""

    @property
    def apart(self) -> bool:
        """Return whether there are two groups at all."""
        share = float(self.right.mean())
        return self.high - self.low >= _APART * self.spread and _SMALLEST <= share <= 1 - _SMALLEST


def two_kinds(values: Floats, labels: NDArray[np.integer]) -> TwoKinds | None:
    """Divide values into two normally distributed groups of equal spread (expectation maximisation).

    Args:
        values: (n,), greater where a candidate is more likely right.
        labels: int, (n,): 1 right, 0 wrong, `UNKNOWN` otherwise.

    Returns:
        The groups, or None: there are fewer than `FEWEST` values, they are all the same, or not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    given = np.asarray(labels)
    if len(found) < FEWEST or not np.isfinite(found).all() or np.ptp(found) < 1e-9:
        return None
    low, high = np.percentile(found, [20, 80])
    spread, share = max(float(found.std()), 1e-9), 0.5
    right = np.where(given == UNKNOWN, 0.5, given).astype(np.float64)
    for _ in range(_STEPS):
        odds = ((found - low) ** 2 - (found - high) ** 2) / (2 * spread**2) + np.log(share / (1 - share))
        right = np.where(given == UNKNOWN, expit(odds), given).astype(np.float64)
        above = float(np.clip(right.sum(), 1e-6, len(found) - 1e-6))
        low, high = float((1 - right) @ found) / (len(found) - above), float(right @ found) / above
        off = right @ (found - high) ** 2 + (1 - right) @ (found - low) ** 2
        spread, share = max(float(np.sqrt(off / len(found))), 1e-9), above / len(found)
    return TwoKinds(right, float(low), float(high), spread)


def fit_around(start: Head, features: Floats, right: Floats, weights: Floats, *, trust: float) -> Head:
    """Fit a logistic function that departs from `start` only as far as the samples say.

    Args:
        start: What holds without samples.
        features: (n, 2), from `scoring.features`; n may be 0.
        right: (n,), the probability that each candidate is right.
        weights: (n,), how much each counts.
        trust: How many samples `start` is worth.
    """
    values = np.asarray(features, dtype=np.float64).reshape(-1, 2)
    if not len(values):
        return start
    from scipy.optimize import minimize

    spread = values.std(axis=0) + 1e-9  # so that the penalty weighs both features alike
    middle = values.mean(axis=0)
    centred = np.column_stack([(values - middle) / spread, np.ones(len(values))])
    slopes = np.array([start.margin, start.score])
    before = np.array([*(slopes * spread), start.bias + float(slopes @ middle)])
    scale = np.maximum(np.abs(before), 1.0)

    def loss(now: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, off = centred @ now, (now - before) / scale
        cost = float(weights @ (np.logaddexp(0, odds) - right * odds)) + 0.5 * trust * float(off @ off)
        return cost, centred.T @ (weights * (expit(odds) - right)) + trust * off / scale

    margin, score, bias = minimize(loss, before, jac=True, method="L-BFGS-B").x
    margin, score = margin / spread[0], score / spread[1]
    return Head(float(margin), float(score), float(bias - margin * middle[0] - score * middle[1]))


def false_cue_threshold(
    confidence: Floats, right: Floats, groups: NDArray[np.integer], *, least: float, false_cues: float
) -> float:
    """Return the lowest threshold that gives few expected cues for what is not there.

    Args:
        confidence: (n,), of each candidate.
        right: (n,), the probability that each is right.
        groups: int, (n,): the phrase and scene that each was found for, as a number.
        least: The lowest threshold to try.
        false_cues: Largest share of the absent phrases for which a candidate passes.
    """
    absent, best = [], []
    for number in np.unique(groups):
        own = groups == number
        absent.append(float(np.prod(1 - np.asarray(right)[own])))
        best.append(float(np.asarray(confidence)[own].max()))
    missing, tops = np.array(absent), np.array(best)
    for threshold in [least, *np.sort(tops[tops > least]).tolist()]:
        if float(missing @ (tops > threshold)) <= false_cues * max(float(missing.sum()), 1e-9):
            return float(np.nextafter(threshold, 1.0)) if threshold > least else least
    return least
