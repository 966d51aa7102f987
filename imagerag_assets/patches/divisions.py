"""The divisions: pure functions from a scene's size to windows, and their registry.

``pyramid`` cuts windows of a fixed size with overlap at every power-of-two level, from the native one or from another
(`layout` says which). ``vit``, ``cc`` and ``grid`` are those of the ImageRAG paper. No reading happens here.

The paper's divisions first enlarge the image so that it divides evenly, then cut the enlarged image. Nothing is
enlarged here: an edge at ``e`` of an axis of ``native`` pixels, enlarged to ``enlarged``, becomes the native pixel
``floor(e * native / enlarged)`` in exact integer arithmetic. An edge shared by two windows stays shared, and a window
that would vanish on a tiny scene keeps one pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from imagerag_assets.errors import InputError, SettingsError
from imagerag_assets.patches.types import Division, Intervals, LevelGrid

DEFAULT_PATCH_PX = 256
DEFAULT_OVERLAP = 0.5

VIT_PX = 448
CC_UNITS = 20
GRID_LEVELS = 10

# A window of the paper's divisions may be thousands of pixels a side, and the encoder sees a few hundred. It is read at
# the coarsest power of two that leaves at least this many pixels a side: no less than what an encoder takes.
PAPER_READ_PX = 448


def division(
    name: str, *, patch_px: int = DEFAULT_PATCH_PX, patch_overlap: float = DEFAULT_OVERLAP, start: int = 0
) -> Division:
    """Return the division of this name.

    Args:
        name: A key of :data:`DIVISIONS`.
        patch_px: Side of a ``pyramid`` patch in pixels of its level; the paper's divisions do not use it.
        patch_overlap: Share of a ``pyramid`` patch's side that the next one repeats, in [0, 1).
        start: Finest level of a ``pyramid``; below 0, its patches have fewer native pixels than `patch_px`.

    Raises:
        SettingsError: no division has this name, or a parameter is out of range.
    """
    if name not in DIVISIONS:
        raise SettingsError("unknown division", division=name, fix=f"Use one of {', '.join(DIVISIONS)}")
    if patch_px < 1 or not 0 <= patch_overlap < 1:
        raise SettingsError("patch_px must be at least 1 and patch_overlap in [0, 1)", patch_px=patch_px,
                            patch_overlap=patch_overlap)  # fmt: skip
    return DIVISIONS[name](patch_px, patch_overlap, start)


def _pyramid(patch_px: int, overlap: float, start: int) -> Division:
    default = (patch_px, overlap) == (DEFAULT_PATCH_PX, DEFAULT_OVERLAP)
    key = "pyramid" if default else f"pyramid-p{patch_px}-o{number(overlap)}"
    return Division("pyramid", key, partial(pyramid_grids, patch_px=patch_px, overlap=overlap, start=start))


def pyramid_grids(width: int, height: int, *, patch_px: int, overlap: float, start: int = 0) -> tuple[LevelGrid, ...]:
    """Cut windows of ``patch_px * 2**level`` native pixels, ``round(patch_px * (1 - overlap)) * 2**level`` apart.

    The last row and column are moved back so that they end at the scene's border. A level above `start` exists while
    its longer side exceeds a patch and its shorter side half a patch, so the top level has few windows and none is
    mostly padding. Levels below 0 are read at native resolution: their windows are smaller, and an encoder enlarges
    them.

    Raises:
        InputError: a side is not positive.
    """
    _check(width, height)
    stride_px = max(1, round(patch_px * (1 - overlap)))
    grids: list[LevelGrid] = []
    level = start
    while True:
        side, stride = (max(1, round(pixels * 2.0**level)) for pixels in (patch_px, stride_px))
        if grids and (max(width, height) <= side or 2 * min(width, height) <= side):
            return tuple(grids)
        grids.append(LevelGrid(level, max(0, level), _strided(width, side, stride), _strided(height, side, stride)))
        level += 1


def vit_grids(width: int, height: int) -> tuple[LevelGrid, ...]:
    """Cut the paper's ``vit``: one level (0) of tiles of the image enlarged to multiples of 448.

    Raises:
        InputError: a side is not positive.
    """
    _check(width, height)
    x, y = (_cells(side, -(-side // VIT_PX)) for side in (width, height))
    return (LevelGrid(0, _read_level(x, y), x, y),)


def cc_grids(width: int, height: int) -> tuple[LevelGrid, ...]:
    """Cut the paper's ``cc`` (complete cover): level n = 1..20 has windows of ``(21 - n) / 20`` of each side.

    Of levels with the same number of windows only the last is kept: for large images levels 1, 10 and 14 to 20.

    Raises:
        InputError: a side is not positive.
    """
    _check(width, height)
    last_of_count: dict[int, LevelGrid] = {}
    for level in range(1, CC_UNITS + 1):
        x, y = (_covering(side, level) for side in (width, height))
        last_of_count[len(x) * len(y)] = LevelGrid(level, _read_level(x, y), x, y)
    return tuple(sorted(last_of_count.values(), key=lambda grid: grid.level))


def grid_grids(width: int, height: int) -> tuple[LevelGrid, ...]:
    """Cut the paper's ``grid`` (cascade): level n = 1..10 has n x n cells of the image enlarged to multiples of n.

    Raises:
        InputError: a side is not positive.
    """
    _check(width, height)
    grids = []
    for level in range(1, GRID_LEVELS + 1):
        x, y = _cells(width, level), _cells(height, level)
        grids.append(LevelGrid(level, _read_level(x, y), x, y))
    return tuple(grids)


DIVISIONS: dict[str, Callable[[int, float, int], Division]] = {
    "pyramid": _pyramid,
    "vit": lambda *_: Division("vit", "vit", vit_grids),
    "cc": lambda *_: Division("cc", "cc", cc_grids),
    "grid": lambda *_: Division("grid", "grid", grid_grids),
}


def number(value: float) -> str:
    """Write a number of a key briefly, and in full where six digits are not enough to read it back."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _check(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise InputError(f"a scene of {width}x{height} px cannot be divided")


def _strided(length: int, side: int, stride: int) -> Intervals:
    """Return intervals of `side`, `stride` apart; the last is moved back to end at `length`, if it is not shorter."""
    last = max(0, length - side)
    starts = np.minimum(np.arange(-(-last // stride) + 1, dtype=np.int64) * stride, last)
    return np.stack([starts, starts + side], axis=1)


def _cells(length: int, cells: int) -> Intervals:
    """Divide `length` native pixels, enlarged to a multiple of `cells`, into that many equal intervals."""
    edges = np.arange(cells + 1, dtype=np.int64)
    return _to_native(np.stack([edges[:-1], edges[1:]], axis=1), length, cells)


def _covering(length: int, level: int) -> Intervals:
    """Cut one axis of a ``cc`` level: kernel k of (21 - level) units c, stride ``k - (k - c) / c``."""
    unit = -(-length // CC_UNITS)
    enlarged = unit * CC_UNITS
    kernel = (CC_UNITS + 1 - level) * unit
    stride = kernel - (kernel - unit) // unit
    return _to_native(_strided(enlarged, kernel, stride), length, enlarged)


def _to_native(intervals: Intervals, length: int, enlarged: int) -> Intervals:
    """Convert intervals of an axis of `enlarged` units to native pixels of an axis of `length`, as described above."""
    native = intervals * length // enlarged
    native[:, 1] = np.maximum(native[:, 1], native[:, 0] + 1)
    return native


def _read_level(x: Intervals, y: Intervals) -> int:
    """Return the coarsest level at which the largest window keeps PAPER_READ_PX a side (as a square of its area)."""
    width, height = int((x[:, 1] - x[:, 0]).max()), int((y[:, 1] - y[:, 0]).max())
    return max(0, math.floor(math.log2(math.sqrt(width * height) / PAPER_READ_PX)))
