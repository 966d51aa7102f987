"""Look for what a person showed by example: a few good examples, perhaps bad ones, perhaps a word.

The mean of the good examples, in all their orientations, is compared with what is usual in this imagery
(`collection_sample.py`): patches are told apart along the directions in which usual patches hardly differ.  Bad
examples move the middle between the two towards themselves, and a patch that is more like one of them than like any
good one is held down.  A word counts as one more example, if the encoder is known to tell it from others.

Confidence is a logistic function of what means the same for any encoder: by how many standard deviations of usual
patches a patch stands out (`HEAD`; docs/concepts.md says what it was fitted on).  It does not depend on how many
patches there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.collection_sample import CollectionSample
from imagerag_assets.retrieval.fast import CANDIDATES, Found, neighbours, suppressed_cues
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.types import Search

HEAD = Head(margin=0.642, score=0.0, bias=-4.655)
THRESHOLD = 0.4
"""At most .10 of absent kinds pass in the scenes that `HEAD` was fitted on (0630)."""
CALIBRATION = "by-example-1"
"""Name of `HEAD` and `THRESHOLD`, for the lineage."""
_ALIKE, _STEEP = 0.85, 20.0
"""Cosine with the examples that counts as even odds where nothing is known of what is usual, and how fast odds change
around it: a guess, near what `--like` needs of an encoder without a calibration."""
BAD_SHARE = 0.25
"""How far bad examples move what good ones are compared with, from usual patches towards themselves."""
BAD_WEIGHT = 8.0
WORD_SHARE = 0.3
"""Weight of the word against one example's."""


@dataclass(frozen=True)
class Sought:
    """What is looked for by example, for one encoder and what is usual in one collection."""

    query: NDArray[np.float32]
    """float32 (dim,), of length 1: the direction that candidates are searched in."""
    scorer: Scorer
    calibration: str
    """Name of the calibration that gives confidences."""
    threshold: float

    def calibrated(self, used: Calibration) -> Calibration:
        """Return a calibration with confidences of this in place of those of phrases."""
        return replace(
            used,
            fast=self.scorer.head,
            threshold=self.threshold,
            second=None,
            second_minimum=None,
            presence_minimum=None,
        )


def sought_by(
    good: NDArray[np.float32],
    bad: NDArray[np.float32],
    usual: CollectionSample,
    *,
    word: NDArray[np.float32] | None = None,
    words: NDArray[np.float32] | None = None,
) -> Sought:
    """Return how patches are scored for what these examples show.

    Args:
        good: Vectors of good examples, float32 (examples, orientations, dim), at least one.
        bad: Those of bad ones; may be empty.
        usual: What is usual in the collection.
        word: Text embedding of the word, (dim,); None: the encoder does not tell it from others.
        words: Those of common words, (n, dim), of which the mean is taken out; needed with `word`.
    """
    dim = good.shape[-1]
    mean, own = usual.mean, good.reshape(-1, dim).astype(np.float64)
    middle = mean
    if len(bad):
        middle = (1 - BAD_SHARE) * mean + BAD_SHARE * bad.reshape(-1, dim).mean(axis=0, dtype=np.float64)
    towards = own.mean(axis=0) - middle
    if word is not None and words is not None:
        said = (word - words.mean(axis=0)).astype(np.float64)
        length = float(np.linalg.norm(towards))
        towards = towards + WORD_SHARE / len(good) * length * said / max(float(np.linalg.norm(said)), 1e-9)
    inverse = np.linalg.inv(usual.covariance)
    direction = inverse @ towards
    direction /= usual.spread(direction)
    likeness = _unit(good.mean(axis=1).mean(axis=0))
    contrast = _contrast(good, bad, mean, inverse)

    def score(seen: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if usual.few:
            above = (_STEEP * ((seen @ likeness).astype(np.float64) - _ALIKE) - HEAD.bias) / HEAD.margin
        else:
            above = (seen.astype(np.float64) - mean) @ direction
        held = above - contrast(seen)
        values = np.stack([held, np.zeros(len(seen))], axis=1)
        return (seen @ likeness).astype(np.float64), values

    return Sought(_unit(direction).astype(np.float32), Scorer(score, HEAD), CALIBRATION, THRESHOLD)


def search_by_example(
    deps: Deps, sought: dict[str, Sought], search: Search, *, limit: int = CANDIDATES
) -> dict[str, Found]:
    """Look for each phrase by its examples among the patches that are searched.

    Returns:
        What was found for each phrase, before any threshold.

    Raises:
        StoreError: Milvus fails.
    """
    found: dict[str, Found] = {}
    for phrase, each in sought.items():
        start = perf_counter()
        (near,) = neighbours(deps.vectors, each.query[None], search, limit)
        alike, values = each.scorer.score(near.embeddings)
        cues = suppressed_cues(replace(near, scores=alike), values, each.scorer.head, phrase, "fast")
        taken = 1000 * (perf_counter() - start)
        found[phrase] = Found({phrase: cues}, search_ms=taken, scorers={phrase: each.scorer})
    return found


def _contrast(
    good: NDArray[np.float32], bad: NDArray[np.float32], mean: NDArray[np.float64], inverse: NDArray[np.floating]
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Return by how much patches are held down: those that are more like a bad example than like any good one."""
    if not len(bad):
        return lambda seen: np.zeros(len(seen))
    whitening = np.linalg.cholesky(inverse)

    def whitened(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        flat = vectors.reshape(-1, vectors.shape[-1]).astype(np.float64)
        return _units((flat - mean) @ whitening)

    ours, theirs = whitened(good), whitened(bad)

    def held_down(seen: NDArray[np.float32]) -> NDArray[np.float64]:
        if not len(seen):
            return np.zeros(0)
        own = whitened(seen)
        lead = (own @ theirs.T).max(axis=1) - (own @ ours.T).max(axis=1)
        return BAD_WEIGHT * np.maximum(lead, 0.0)

    return held_down


def _unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _units(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
