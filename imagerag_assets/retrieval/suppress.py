"""Overlap suppression: of windows that show largely the same ground, only the best is kept.

Geometry in native pixels on numpy arrays.  The caller knows what a window was found for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_OVERLAP = 0.2
"""Largest share of the smaller of two windows that both may cover.

Pyramid neighbours share half, diagonal ones a quarter, and a coarse window holds its fine ones whole.  Below a quarter,
the patches around one target collapse into one, and two targets a patch side apart stay two.
"""


def overlap_of_smaller(windows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the intersection over the smaller area of every pair.

    Args:
        windows: integers, (n, 4): x0, y0, x1, y1, half-open.

    Returns:
        float64, (n, n); 0 where a window is empty.
    """
    box = np.asarray(windows, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(box[:, None, :2], box[None, :, :2])
    high = np.minimum(box[:, None, 2:], box[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = np.clip(box[:, 2:] - box[:, :2], 0, None).prod(axis=1)
    smaller = np.minimum(area[:, None], area[None, :])
    share: NDArray[np.float64] = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
    return share


def suppress(
    windows: NDArray[np.integer],
    order_by: NDArray[np.floating],
    scenes: Sequence[str],
) -> NDArray[np.intp]:
    """Return the indices of the windows to keep, best first.

    A window that shares more than `MAX_OVERLAP` of the smaller area with a better one that is kept is dropped.

    Args:
        windows: integers, (n, 4): x0, y0, x1, y1 in native pixels of the window's scene.
        order_by: (n,), larger is better; of equals the first comes first.
        scenes: n scene keys; windows of different scenes never overlap.
    """
    order = np.argsort(-np.asarray(order_by, dtype=np.float64), kind="stable")
    if len(order) == 0:
        return order
    _, codes = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
    clash = (overlap_of_smaller(windows) > MAX_OVERLAP) & (codes[:, None] == codes[None, :])
    alive = np.ones(len(order), dtype=bool)
    kept = []
    for index in order:
        if alive[index]:
            kept.append(index)
            alive &= ~clash[index]
    return np.array(kept, dtype=np.intp)
