"""Group patches into super-tiles: one aligned read each, from which every patch of the group is cut.

Which pixels to read together, and where a patch lies in them, belong here; `raster.reader` reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.patches.types import Division, Intervals, LevelGrid, Patch

DEFAULT_SUPERTILE_PX = 3584  # 28 strides of 128 px, 7 blocks of 512 px

# COG blocks are 256 or 512 px; a read that starts on a multiple of 512 px of its level decodes no block for a sliver.
BLOCK_PX = 512


@dataclass(frozen=True, slots=True)
class SuperTile:
    """One read and the patches cut from it."""

    index: int
    """Position in the deterministic order of :func:`supertiles`, stable for a division, size and `supertile_px`."""
    level: int
    """Read level: pixels are read at ``1 / 2**level`` of the native resolution."""
    window: tuple[int, int, int, int]
    """(x0, y0, x1, y1) in native pixels, half-open; beyond the scene only where its patches are."""
    shape_px: tuple[int, int]
    """(height, width) of the read in level pixels."""
    patches: tuple[Patch, ...]

    @property
    def cuts(self) -> list[tuple[slice, slice]]:
        """:meth:`cut` of each patch: rows and columns are worked out once for all patches that share them."""
        rows: dict[tuple[int, int], slice] = {}
        cols: dict[tuple[int, int], slice] = {}
        found = []
        for patch in self.patches:
            down, across = (patch.y0, patch.y1), (patch.x0, patch.x1)
            if down not in rows:
                rows[down] = self.cut(patch)[0]
            if across not in cols:
                cols[across] = self.cut(patch)[1]
            found.append((rows[down], cols[across]))
        return found

    def cut(self, patch: Patch) -> tuple[slice, slice]:
        """Return the rows and columns of `patch` in an array of :attr:`shape_px`.

        Exact for windows that are multiples of ``2**level``; the others are off by less than a level pixel, so that
        windows which touch have no gap between them, and what ends at the scene's border ends there in the read.
        """
        x0, y0, x1, y1 = self.window
        height, width = self.shape_px
        rows = _cut(patch.y0 - y0, patch.y1 - y0, y1 - y0, self.level, height)
        cols = _cut(patch.x0 - x0, patch.x1 - x0, x1 - x0, self.level, width)
        return rows, cols


def supertiles(
    division: Division, width: int, height: int, supertile_px: int = DEFAULT_SUPERTILE_PX, *, strip: int | None = None
) -> Iterator[SuperTile]:
    """Yield the super-tiles of a scene; each patch of the division is in exactly one.

    Windows that start in the same cell of `supertile_px` level pixels a side (rounded to whole blocks) are read
    together. A read is larger than a cell by what its last windows reach into the next one, and by at most a quarter of
    a cell where a short rest at the border is joined to it.

    Args:
        division: How the scene is cut.
        width: Native width in pixels.
        height: Native height in pixels.
        supertile_px: Side of a cell, in pixels of the level that is read.
        strip: Yield each level in strips of so many columns, from top to bottom, with the same indices: a read then
            finds the blocks that it shares with the one above in a cache of a few super-tiles.  None: by index.
    """
    first = 0
    for grid in division.grids(width, height):
        columns, rows = (_groups(axis, grid.read_level, supertile_px) for axis in (grid.x, grid.y))
        for left in range(0, len(columns), strip or len(columns)):
            for row, row_range in enumerate(rows):
                for col, col_range in enumerate(columns[left : left + (strip or len(columns))], left):
                    yield _supertile(first + row * len(columns) + col, grid, row_range, col_range)
        first += len(columns) * len(rows)


def supertile_at(
    division: Division, width: int, height: int, index: int, supertile_px: int = DEFAULT_SUPERTILE_PX
) -> SuperTile:
    """Return one super-tile of :func:`supertiles` by its index, without building those before it.

    Raises:
        IndexError: the scene has no such super-tile.
    """
    before = 0
    for grid in division.grids(width, height):
        columns, rows = (_groups(axis, grid.read_level, supertile_px) for axis in (grid.x, grid.y))
        if 0 <= index - before < len(rows) * len(columns):
            row, column = divmod(index - before, len(columns))
            return _supertile(index, grid, rows[row], columns[column])
        before += len(rows) * len(columns)
    raise IndexError(f"There is no super-tile {index} of {before}")


def supertile_count(division: Division, width: int, height: int, supertile_px: int = DEFAULT_SUPERTILE_PX) -> int:
    """Count the super-tiles that :func:`supertiles` yields, without building any."""
    return sum(
        len(_groups(grid.x, grid.read_level, supertile_px)) * len(_groups(grid.y, grid.read_level, supertile_px))
        for grid in division.grids(width, height)
    )


def _groups(axis: Intervals, level: int, supertile_px: int) -> list[range]:
    """Group consecutive intervals of one axis that are read together, as ranges of their indices."""
    cell = max(BLOCK_PX, supertile_px // BLOCK_PX * BLOCK_PX) << level
    cell_of: NDArray[np.int64] = axis[:, 0] // cell
    firsts = np.flatnonzero(np.diff(cell_of, prepend=-1)).tolist()
    groups = [range(first, end) for first, end in zip(firsts, [*firsts[1:], len(axis)], strict=True)]
    if len(groups) > 1:
        before, rest = groups[-2:]
        reach = axis[rest[-1], 1] - cell_of[before[0]] * cell
        if 4 * reach <= 5 * cell:
            groups[-2:] = [range(before.start, rest.stop)]
    return groups


def _supertile(index: int, grid: LevelGrid, rows: range, cols: range) -> SuperTile:
    level = grid.read_level
    x0, y0 = (int(axis[part[0], 0]) for axis, part in ((grid.x, cols), (grid.y, rows)))
    x0, y0 = (start // (BLOCK_PX << level) * (BLOCK_PX << level) for start in (x0, y0))
    x1, y1 = (int(axis[part[0] : part[-1] + 1, 1].max()) for axis, part in ((grid.x, cols), (grid.y, rows)))
    lefts, tops = (axis[part[0] : part[-1] + 1].tolist() for axis, part in ((grid.x, cols), (grid.y, rows)))
    patches = tuple(
        Patch(grid.level, row, col, left, top, right, bottom)
        for row, (top, bottom) in zip(rows, tops, strict=True)
        for col, (left, right) in zip(cols, lefts, strict=True)
    )
    return SuperTile(index, level, (x0, y0, x1, y1), (_ceil(y1 - y0, level), _ceil(x1 - x0, level)), patches)


def _ceil(native_px: int, level: int) -> int:
    return -(-native_px >> level)


def _cut(first: int, last: int, end: int, level: int, available: int) -> slice:
    """Return where the native pixels [first, last) of a read of `end` fall in its `available` pixels."""
    half = (1 << level) >> 1
    start, stop = (first + half) >> level, (last + half) >> level
    length = stop - start
    if last == end:  # the last pixel may stand for a sliver of the scene, which no other patch has
        stop = available
        if (last - first) % (1 << level) == 0:
            start = stop - length
    stop = max(1, min(stop, available))
    return slice(max(0, min(start, stop - 1)), stop)
