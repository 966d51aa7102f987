"""The retrieval of the ImageRAG paper (arXiv 2411.07688), formula by formula, on numpy arrays.

Our retrieval is compared with this baseline, so its numbers stay as published: ImageNet's text templates, a softmax
over all patches of one scene, top-2 pooling, fixed thresholds.  `docs/paper-baseline.md` lists the defects of the
published code, and what is done here instead.  No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from imagerag_assets.retrieval.types import Reducer

Floats = NDArray[np.floating]

SCALE = 100.0
"""Factor of the cosine in the softmax: exp(logit_scale) of every encoder in the paper, all of them CLIPs, whose
training stops it there.  The thresholds belong to it: with the scale of an encoder that learned a smaller one (the
demo's is 21), no score among hundreds of patches ever comes near them."""
TOP = 2
"""Patches of each row that are pooled, and patches kept for being in most rows."""
MATCHES = 3
"""Labels or captions looked up for a phrase."""
RERANKED = 3
_CLUSTER_EPS, _CLUSTER_MIN = 0.3, 2


@dataclass(frozen=True)
class Thresholds:
    """The published sweeps were .3, .5, .7 (fast path), and .1, .2, .3 (labels, captions)."""

    fast: float = 0.5
    """A cue of the fast path has a greater softmax score than this."""
    labels: float = 0.3
    """Greatest squared distance of the sentence vectors of a phrase and a label: cosine at least .85."""
    captions: float = 0.3
    """The same for captions."""


@dataclass(frozen=True)
class Pick:
    """A patch chosen from the rows of a score matrix."""

    patch: int
    """Its column."""
    row: int
    """The row of its score."""
    score: float


def rows_of(phrases: Sequence[str]) -> list[str]:
    """Return the texts that patches are compared with: each phrase and, if there are several, all of them joined."""
    if len(phrases) < 2:
        return list(phrases)
    comma = "" if len(phrases) == 2 else ","
    return [*phrases, f"{f'{comma} '.join(phrases[:-1])}{comma} and {phrases[-1]}"]


def sentences_of(phrase: str) -> list[str]:
    """Put a phrase into the 80 sentences that CLIP was tested on ImageNet with."""
    import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip  (before open_clip imports torchvision)
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return [template(phrase) for template in OPENAI_IMAGENET_TEMPLATES]


def text_vector(features: Floats) -> NDArray[np.float32]:
    """Average the features of sentences, (sentences, dim), as they are, and scale the mean to length 1.

    Sentences are not scaled to length 1 first, so a longer feature counts for more.
    """
    mean = np.asarray(features, dtype=np.float64).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def scores(patches: Floats, queries: Floats, scale: float = SCALE) -> NDArray[np.float64]:
    """Return the softmax over the patches of one scene.

    Args:
        patches: (n, dim), each of length 1.
        queries: (rows, dim): text vectors, or prototypes as they are.
        scale: Factor of the cosine.

    Returns:
        float64, (rows, n); each row sums to 1.
    """
    similar = np.asarray(queries, dtype=np.float64) @ np.asarray(patches, dtype=np.float64).T
    if similar.shape[1] == 0:
        return similar
    return np.asarray(softmax(scale * similar, axis=1), dtype=np.float64)


def pool(matrix: Floats) -> list[Pick]:
    """Choose patches: the two that are among the best two of most rows, then each row's best.  At most rows + 2.

    A patch gets its greatest score among the best two of a row.  Of patches in equally many rows, the one that comes
    first counts, by row and then by score.

    Args:
        matrix: (rows, n), from :func:`scores`; n may be anything.
    """
    best = np.argsort(-np.asarray(matrix), axis=1, kind="stable")[:, :TOP]
    seen = [Pick(int(patch), row, float(matrix[row, patch])) for row, patches in enumerate(best) for patch in patches]
    frequent = [patch for patch, _ in Counter(pick.patch for pick in seen).most_common(TOP)]
    firsts = [int(patches[0]) for patches in best if len(patches)]
    chosen = list(dict.fromkeys([*frequent, *firsts]))
    return [max((pick for pick in seen if pick.patch == patch), key=lambda pick: pick.score) for patch in chosen]


def above(picks: Sequence[Pick], threshold: float) -> list[Pick]:
    """Return the picks with a greater score than the threshold, best first."""
    return sorted((pick for pick in picks if pick.score > threshold), key=lambda pick: -pick.score)


def above_chance(picks: Sequence[Pick], patches: int) -> list[Pick]:
    """Return the picks that score at least as much as each of so many patches would if all were alike, best first.

    The paper has no threshold here and gives cues with a score of zero.  Only these are removed; no other number
    changes.
    """
    return sorted((pick for pick in picks if pick.score * patches >= 1 - 1e-9), key=lambda pick: -pick.score)


def near_enough(cosines: Sequence[float], threshold: float) -> list[bool]:
    """Return whether unit vectors of these cosines have a squared distance, 2 - 2 cos, of at most the threshold."""
    return [2 - 2 * cosine <= threshold + 1e-9 for cosine in cosines]


def prototype(exemplars: Floats, reducer: Reducer, text: Floats | None = None) -> NDArray[np.float32]:
    """Return what a label looks like: the mean of all its exemplars, of their largest cluster, or of three of them.

    Args:
        exemplars: (n, dim), each of length 1; n at least 1.
        reducer: ``cluster``: DBSCAN by Euclidean distance (.3, two make a cluster), all of them if there is none;
            ``rerank``: the three that are most like `text`.
        text: (dim,), the phrase's text vector, for ``rerank``.

    Returns:
        float32, (dim,): a mean of unit vectors and so no longer than 1.
    """
    vectors = np.asarray(exemplars, dtype=np.float64)
    if reducer == "rerank" and text is not None:
        vectors = vectors[np.argsort(-(vectors @ np.asarray(text)), kind="stable")[:RERANKED]]
    elif reducer == "cluster" and len(vectors) > 1:
        from sklearn.cluster import DBSCAN

        clusters = DBSCAN(eps=_CLUSTER_EPS, min_samples=_CLUSTER_MIN).fit_predict(vectors)
        if (clusters >= 0).any():
            vectors = vectors[clusters == np.bincount(clusters[clusters >= 0]).argmax()]
    return np.asarray(vectors.mean(axis=0), dtype=np.float32)
