"""What a patch and a division are, as plain values.

Pure geometry in native pixels lives here: no reading, no coordinates on the ground, no embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Patch:
    """One window of a scene.

    The window ``[x0, x1) x [y0, y1)`` is in native pixels, x to the right and y down. It lies inside the scene, with
    one exception: along an axis on which the whole scene is shorter than the window, the window starts at 0 and reaches
    beyond the scene's far edge (a scene smaller than a patch gives a single padded patch).
    """

    level: int
    """Level of the division: a power-of-two exponent for ``pyramid``, below 0 where patches have fewer native pixels
    than the usual ones; the paper's number for ``cc`` and ``grid``."""
    row: int
    col: int
    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in native pixels, half-open."""
        return (self.x0, self.y0, self.x1, self.y1)


@dataclass(frozen=True, eq=False)
class LevelGrid:
    """All windows of one level, as the product of column intervals and row intervals.

    Keeping the two axes apart makes a division of a 100,000 px scene cheap to hold: a few thousand numbers stand for
    hundreds of thousands of windows.
    """

    level: int
    """The level number its patches carry."""
    read_level: int
    """Pixels are read at ``1 / 2**read_level`` of the native resolution."""
    x: Intervals
    """int64 array (columns, 2): first and past-the-last native pixel of each column, ascending."""
    y: Intervals
    """int64 array (rows, 2), likewise for rows."""

    def __len__(self) -> int:
        return len(self.x) * len(self.y)

    def patch(self, row: int, col: int) -> Patch:
        """Return the patch at one row and column of this level."""
        (x0, x1), (y0, y1) = self.x[col], self.y[row]
        return Patch(self.level, row, col, int(x0), int(y0), int(x1), int(y1))


@dataclass(frozen=True)
class Division:
    """A way to cut a scene of any size into patches. Picklable; holds no scene."""

    name: str
    """Name in the registry."""
    key: str
    """Name, and a tag with the parameters where they are not the default; part of patch ids and shard paths."""
    grids: Callable[[int, int], tuple[LevelGrid, ...]]
    """Maps (width, height) in native pixels to the levels, ascending."""

    def levels(self, width: int, height: int) -> tuple[int, ...]:
        """Return the level numbers of a scene of this size, ascending."""
        return tuple(grid.level for grid in self.grids(width, height))

    def count(self, width: int, height: int) -> int:
        """Count the patches of a scene of this size."""
        return sum(len(grid) for grid in self.grids(width, height))

    def patches(self, width: int, height: int) -> Iterator[Patch]:
        """Yield every patch, by level, then row, then column."""
        for grid in self.grids(width, height):
            for row in range(len(grid.y)):
                for col in range(len(grid.x)):
                    yield grid.patch(row, col)

    def as_arrays(self, width: int, height: int) -> dict[str, NDArray[np.int32]]:
        """Return every patch, in the order of :meth:`patches`, as int32 columns level, row, col, x0, y0, x1, y1."""
        parts: list[NDArray[np.int32]] = [np.empty((0, 7), np.int32)]
        for grid in self.grids(width, height):
            row, col = (index.ravel() for index in np.indices((len(grid.y), len(grid.x))))
            level = np.full(len(row), grid.level)
            x, y = grid.x[col], grid.y[row]
            parts.append(np.stack([level, row, col, x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.int32))
        table = np.concatenate(parts)
        return {name: table[:, index] for index, name in enumerate(("level", "row", "col", "x0", "y0", "x1", "y1"))}


def patch_id(scene_key: str, division: str, patch: Patch) -> str:
    """Return a patch's id, ``{scene_key}:{division}:{level}:{row}:{col}``; `division` is a :attr:`Division.key`."""
    return f"{scene_key}:{division}:{patch.level}:{patch.row}:{patch.col}"
