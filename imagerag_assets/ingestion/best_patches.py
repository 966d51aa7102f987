"""Choose the patches of a scene in which no patch has enough valid pixels: those with the most.

Such a scene, e.g. a sliver at the edge of a swath, would not be found at all otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.patches.supertiles import SuperTile

_DIGITS = 6  # of shares that are compared: reads of several levels round differently


class Best(NamedTuple):
    """A patch without enough valid pixels, none of which a better patch of its level shows."""

    position: int
    """In `SuperTile.patches`."""
    level: int
    share: float
    """Of valid pixels, above 0."""


def best_patches(valid: NDArray[np.bool_], tile: SuperTile, fractions: NDArray[np.float64]) -> tuple[Best, ...]:
    """Return the patches of a super-tile that together show all of its valid pixels, the best first, level by level.

    Args:
        valid: bool, of the super-tile's `shape_px`.
        tile: The super-tile.
        fractions: float64 (patches of the tile,), the share of each patch that is valid.
    """
    found: list[Best] = []
    shown: dict[int, NDArray[np.bool_]] = {}
    for position in np.argsort(-fractions, kind="stable").tolist():
        if not fractions[position] > 0:
            break
        patch = tile.patches[position]
        cut, left = tile.cut(patch), shown.setdefault(patch.level, valid.copy())
        if left[cut].any():
            found.append(Best(position, patch.level, round(float(fractions[position]), _DIGITS)))
            left[cut] = False
    return tuple(sorted(found, key=lambda each: each.level))


def choose_best(candidates: Iterable[tuple[int, tuple[Best, ...]]]) -> dict[int, tuple[int, ...]]:
    """Return the patches to keep, as positions by super-tile: those of the level whose best patch has the most.

    Of levels that are equally good, the one with more patches shows more detail.

    Args:
        candidates: Each super-tile's number with its best patches.
    """
    levels: dict[int, dict[int, list[Best]]] = {}
    for index, patches in candidates:
        for each in patches:
            levels.setdefault(each.level, {}).setdefault(index, []).append(each)
    if not levels:
        return {}

    def goodness(tiles: dict[int, list[Best]]) -> tuple[float, int]:
        every = [each for patches in tiles.values() for each in patches]
        return max(each.share for each in every), len(every)

    chosen = max(levels.values(), key=goodness)
    return {index: tuple(sorted(each.position for each in patches)) for index, patches in sorted(chosen.items())}
