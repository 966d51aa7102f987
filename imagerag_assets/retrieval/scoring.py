"""Confidence of a patch for a phrase, from similarities alone: the same for one patch as for a million.

ImageRAG's softmax over the patches of a scene makes a target's score fall with the scene's size.  Here a patch is
compared with a fixed background instead (`background.py`, or other labels' prototypes), and two numbers about it go
through a logistic function whose weights are calibrated (`calibration.py`).  Arithmetic on arrays; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Head:
    """Weights of the logistic function over the two features of :func:`features`."""

    margin: float
    score: float
    bias: float

    def confidence(self, features: Floats) -> NDArray[np.float64]:
        """Return confidences, float64 (n,), 0 to 1, of features (n, 2)."""
        return np.asarray(expit(self.logit(features)), dtype=np.float64)

    def logit(self, features: Floats) -> NDArray[np.float64]:
        """Return log-odds, float64 (n,).  Candidates are ordered by them because they do not saturate."""
        values = np.asarray(features, dtype=np.float64)
        return self.margin * values[:, 0] + self.score * values[:, 1] + self.bias


def features(scores: Floats, background: Floats, scale: float, *, reference: float = 0.0) -> NDArray[np.float64]:
    """Return the margin over the background, and the similarity itself.

    With ``s`` the similarity and ``b`` those to the background, the margin is ``s * scale - logsumexp(b * scale)``.
    Its logistic function is the zero-shot probability of the phrase among itself and the background.

    Args:
        scores: (n,), cosine of each patch with the phrase or prototype.
        background: (n, b), cosine of each patch with each background vector that applies; b at least 1.
        scale: Inverse temperature of the softmax.
        reference: Similarity that counts as zero in the second feature.

    Returns:
        float64, (n, 2): margin, and ``(s - reference) * scale``.
    """
    scaled = np.asarray(scores, dtype=np.float64) * scale
    if len(scaled) == 0:
        return np.zeros((0, 2))
    margin = scaled - logsumexp(np.asarray(background, dtype=np.float64) * scale, axis=1)
    return np.stack([margin, scaled - reference * scale], axis=1)
