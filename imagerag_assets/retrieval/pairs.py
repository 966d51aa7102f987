"""What changed between two scenes of one place: their patches paired by place, and how unusual their differences are.

Two pictures of one place always differ: by season, light, sensor and a shift of the grids.  So a difference counts only
as far as it stands out from those of all the pairs.  Works on vectors and boxes in degrees only; the caller chooses the
scenes and shows the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from imagerag_assets.retrieval.suppress import suppress

Floats = NDArray[np.float64]

UNUSUAL = 3.5
"""Robust standard deviations above the median from which a difference is a change (Iglewicz and Hoaglin, 1993)."""
LEAST_SPREAD = 0.03
"""Least spread of distances: in two equal scenes, rounding must not count as a change."""
LEAST_OVERLAP = 0.5
"""Share of the smaller of two patches that both must cover to show one place."""
_LEAST_PAIRS = 12  # pairs of a level needed to know what is typical of it
_SAME_SIZE = 1.5  # sides of patches of one place differ by at most this factor
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Patches:
    """The patches of one scene."""

    ids: NDArray[np.object_]
    """(n,), patch ids."""
    levels: NDArray[np.int64]
    """(n,)."""
    windows: NDArray[np.int64]
    """(n, 4): x0, y0, x1, y1 in native pixels."""
    boxes: Floats
    """(n, 4): west, south, east, north in degrees; NaN without a place, west > east across the antimeridian."""
    vectors: NDArray[np.float32]
    """(n, dim), each of length 1."""


@dataclass(frozen=True)
class Pairs:
    """Patches of two scenes that show the same places; p pairs."""

    before: NDArray[np.intp]
    """(p,), rows of the earlier scene's patches."""
    after: NDArray[np.intp]
    """(p,), rows of the later one's, each at most once."""
    difference: Floats
    """(p,), 1 - cosine of the two embeddings."""
    typical: Floats
    """(p, 2), median and spread of the distances of such pairs of these two scenes."""

    @property
    def unusual(self) -> Floats:
        """(p,), robust standard deviations above what is typical.

        Measured in distances: 1 - cosine grows with their square, so its upper tail would look like changes.
        """
        return (_distance(self.difference) - self.typical[:, 0]) / self.typical[:, 1]

    def with_difference(self, index: NDArray[np.intp], difference: Floats) -> Pairs:
        """Return the same pairs with better differences for some: (k,) indices and differences."""
        changed = self.difference.copy()
        changed[index] = difference
        return replace(self, difference=changed)

    def confidence(self) -> Floats:
        """Return (p,) confidences, 0 to 1, .5 at `UNUSUAL`; they do not depend on the number of pairs."""
        return 1 / (1 + np.exp(np.clip(UNUSUAL - self.unusual, -50, 50)))


def pair_patches(before: Patches, after: Patches) -> Pairs:
    """Pair each patch of the later scene with the earlier one's nearest patch of the same size on the ground.

    Grids need not be aligned.  A patch has no pair if its nearest one covers less than half of it.
    """
    places = [_places(each.boxes, _origin(before, after)) for each in (before, after)]
    partners = np.full(len(after.levels), -1, dtype=np.intp)
    for level in np.unique(after.levels):
        ours = np.flatnonzero((after.levels == level) & np.isfinite(places[1]).all(axis=1))
        theirs = _same_size(before.levels, places[0], places[1][ours])
        if len(ours) and len(theirs):
            _, nearest = cKDTree(_middles(places[0][theirs])).query(_middles(places[1][ours]))
            near = theirs[nearest]
            partners[ours] = np.where(_overlap(places[0][near], places[1][ours]) >= LEAST_OVERLAP, near, -1)
    rows = np.flatnonzero(partners >= 0)
    cosine = np.einsum("ij,ij->i", before.vectors[partners[rows]], after.vectors[rows]).astype(np.float64)
    difference = 1 - cosine
    return Pairs(partners[rows], rows, difference, _typical(difference, after.levels[rows]))


def standing_out(pairs: Pairs, considered: NDArray[np.intp], least: float) -> NDArray[np.intp]:
    """Return the indices of those considered pairs whose confidence is at least `least`, the clearest first."""
    changed = considered[pairs.confidence()[considered] >= least]
    return changed[np.argsort(-pairs.unusual[changed], kind="stable")]


def apart(after: Patches, pairs: Pairs, changed: NDArray[np.intp]) -> NDArray[np.intp]:
    """Keep, of changed pairs that overlap, the clearest; return indices, the clearest first."""
    windows = after.windows[pairs.after[changed]]
    return changed[suppress(windows, pairs.unusual[changed], [""] * len(changed))]


def _distance(difference: Floats) -> Floats:
    distance: Floats = np.sqrt(2 * np.clip(difference, 0, None))
    return distance


def _typical(difference: Floats, levels: NDArray[np.int64]) -> Floats:
    """Return (p, 2), median and spread of the distances of each pair's level; of all pairs if the level has few."""
    typical, distance = np.zeros((len(difference), 2)), _distance(difference)
    for level in np.unique(levels):
        own = levels == level
        among = distance[own] if own.sum() >= _LEAST_PAIRS else distance
        middle = float(np.median(among))
        typical[own] = middle, max(LEAST_SPREAD, _MAD_TO_DEVIATION * float(np.median(np.abs(among - middle))))
    return typical


def _origin(before: Patches, after: Patches) -> tuple[float, float]:
    """Return a longitude and latitude amid the patches, for flat coordinates that do not break at the antimeridian."""
    boxes = np.concatenate([before.boxes, after.boxes])
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    return (float(boxes[0, 0]), float(np.median(boxes[:, [1, 3]]))) if len(boxes) else (0.0, 0.0)


def _places(boxes: Floats, origin: tuple[float, float]) -> Floats:
    """Return (n, 4): left, bottom, right, top in degrees of latitude around an origin, on a flat earth."""
    width = (boxes[:, 2] - boxes[:, 0]) % 360
    left = (boxes[:, 0] - origin[0] + 180) % 360 - 180
    shrink = max(np.cos(np.radians(origin[1])), 1e-6)
    return np.stack([left * shrink, boxes[:, 1], (left + width) * shrink, boxes[:, 3]], axis=1)


def _same_size(levels: NDArray[np.int64], places: Floats, like: Floats) -> NDArray[np.intp]:
    """Return rows of the level whose patches are as large on the ground as those of `like`; none without such."""
    heights = places[:, 3] - places[:, 1]
    placed = np.isfinite(places).all(axis=1)
    wanted = np.median(like[:, 3] - like[:, 1]) if len(like) else np.nan
    ratios = {int(level): _ratio(np.median(heights[placed & (levels == level)]), wanted)
              for level in np.unique(levels[placed])}  # fmt: skip
    best = min(ratios, key=lambda level: ratios[level], default=None)
    if best is None or not ratios[best] <= _SAME_SIZE:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(placed & (levels == best))


def _ratio(one: float, other: float) -> float:
    return max(one / other, other / one) if one > 0 and other > 0 else float("inf")


def _middles(places: Floats) -> Floats:
    return np.stack([places[:, [0, 2]].mean(axis=1), places[:, [1, 3]].mean(axis=1)], axis=1)


def _overlap(one: Floats, other: Floats) -> Floats:
    """Return the intersection over the smaller area, row by row."""
    shared = np.clip(np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2]), 0, None).prod(axis=1)
    smaller = np.minimum((one[:, 2:] - one[:, :2]).prod(axis=1), (other[:, 2:] - other[:, :2]).prod(axis=1))
    share: Floats = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
    return share
