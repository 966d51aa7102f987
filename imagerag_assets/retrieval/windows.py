"""Windows far smaller than a patch: a scene is seen tile by tile, and scored at places a fraction of a window apart.

An encoder with cells (`encoders.types.CellEncoder`) sees a tile in one pass, and a window is the mean of a square of
cells.  Any other encoder sees each window as a picture of its own, which costs several times more.  How large windows
should be, and what their scores mean, is decided in `counting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from imagerag_assets.encoders.types import CellEncoder, Encoder
from imagerag_assets.retrieval.encoded import cells_of
from imagerag_assets.retrieval.types import Look, Window

Logits = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Vectors, float32 (n, dim), to log-odds (n,)."""
_WINDOW = 0.6
"""Window as a share of what fills the tower's input.  A cell sees beyond its borders: with more, neighbours melt."""
_TILE = 4
"""Side of a tile in inputs of the tower."""
_CROPS = 6
"""Crops a side of a tile."""
_CROP = 1.3
"""Side of a crop as a share of the window: an object is recognised by a little of what is around it, too."""


@dataclass(frozen=True)
class Peaks:
    """Local maxima of the score, in native pixels of one scene."""

    middles: NDArray[np.float64]
    """(n, 2): x, y."""
    logits: NDArray[np.float64]
    """(n,)."""


class Lens(Protocol):
    """How windows of one size are seen."""

    @property
    def window_px(self) -> float:
        """Side of a window in native pixels."""

    @property
    def tile_px(self) -> float:
        """Native pixels between two tiles: windows whose middles lie in that square belong to the tile."""

    @property
    def passes(self) -> int:
        """Passes of the image tower that a tile costs, in patches."""

    @property
    def level(self) -> int:
        """Level that pixels are read at."""

    def peaks(self, look: Look, scene: str, col: int, row: int, logits: Logits) -> Peaks:
        """Return the peaks of a tile.

        Raises:
            RasterError, StoreError: the scene cannot be read.
            EncoderError: the tile cannot be embedded.
        """


def lens_for(encoder: Encoder, side_px: int) -> Lens:
    """Return how windows are seen when `side_px` native pixels fill the tower's input."""
    if has_cells(encoder):
        assert isinstance(encoder, CellEncoder) and encoder.cell_px is not None
        return CellLens(encoder, side_px, encoder.image_size, encoder.cell_px)
    return CropLens(encoder, side_px)


def has_cells(encoder: Encoder) -> bool:
    """Return whether the encoder can say what is where within a patch."""
    return isinstance(encoder, CellEncoder) and encoder.cell_px is not None


@dataclass(frozen=True)
class CellLens:
    """Windows as means of cells."""

    encoder: CellEncoder
    side_px: int
    input_px: int
    cell_px: int

    @property
    def _cells(self) -> int:
        return self.input_px // self.cell_px

    @property
    def _across(self) -> int:
        """Cells a side of a window."""
        return max(1, round(_WINDOW * self._cells))

    @property
    def _kept(self) -> int:
        """Windows a side whose middles belong to a tile: all but the outermost."""
        return _TILE * self._cells - self._across - 1

    @property
    def _cell(self) -> float:
        """Side of a cell in native pixels."""
        return self.side_px / self._cells

    @property
    def window_px(self) -> float:
        return self._across * self._cell

    @property
    def tile_px(self) -> float:
        return self._kept * self._cell

    @property
    def passes(self) -> int:
        return _TILE**2

    @property
    def level(self) -> int:
        return max(0, math.floor(math.log2(self.side_px / self.input_px)))

    def peaks(self, look: Look, scene: str, col: int, row: int, logits: Logits) -> Peaks:
        """See :meth:`Lens.peaks`."""
        before = (1 + self._across / 2) * self._cell
        left, top = col * self.tile_px - before, row * self.tile_px - before
        picture = read_square(look, scene, left, top, _TILE * self.side_px, self.level)
        cells = cells_of(self.encoder, picture, _TILE * self.input_px)
        found = logits(windows_of_cells(cells, self._across).reshape(-1, cells.shape[-1]))
        number = _TILE * self._cells - self._across + 1
        return _peaks(
            found.reshape(number, number), (left + before - self._cell, top + before - self._cell), self._cell
        )


@dataclass(frozen=True)
class CropLens:
    """Windows as pictures of their own, half a window apart."""

    encoder: Encoder
    side_px: int

    @property
    def window_px(self) -> float:
        return _WINDOW * self.side_px

    @property
    def tile_px(self) -> float:
        return _CROPS * self.window_px / 2

    @property
    def passes(self) -> int:
        return (_CROPS + 2) ** 2

    @property
    def level(self) -> int:
        return max(0, math.floor(math.log2(_CROP * self.window_px / self.encoder.image_size)))

    def peaks(self, look: Look, scene: str, col: int, row: int, logits: Logits) -> Peaks:
        """See :meth:`Lens.peaks`."""
        step, number = self.window_px / 2, _CROPS + 2
        side = max(2, round(_CROP * self.window_px / (1 << self.level)))
        first = (col * self.tile_px - step, row * self.tile_px - step)
        left, top = (at - side * (1 << self.level) / 2 for at in first)
        whole = read_square(look, scene, left, top, (number - 1) * step + side * (1 << self.level), self.level)
        starts = [round(i * step / (1 << self.level)) for i in range(number)]
        crops = [whole[y : y + side, x : x + side] for y in starts for x in starts]
        found = logits(self.encoder.encode_images(np.stack([_fitted(crop, side) for crop in crops])))
        return _peaks(found.reshape(number, number), first, step)


def windows_of_cells(cells: NDArray[np.float32], across: int) -> NDArray[np.float32]:
    """Return the vectors of all squares of cells.

    Args:
        cells: float32, (rows, columns, dim), as `encode_cells` gives them.
        across: Cells a side of a square.

    Returns:
        float32, (rows - across + 1, columns - across + 1, dim), of length 1.
    """
    rows, cols = (each - across + 1 for each in cells.shape[:2])
    total = np.zeros((rows, cols, cells.shape[2]), dtype=np.float32)
    for down in range(across):
        for right in range(across):
            total += cells[down : down + rows, right : right + cols]
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    vectors: NDArray[np.float32] = total / np.maximum(length, 1e-12)
    return vectors


def read_square(look: Look, scene: str, left: float, top: float, side: float, level: int) -> NDArray[np.uint8]:
    """Read a square of native pixels at a level.  Beyond the scene its border pixels are repeated.

    Returns:
        uint8, (n, n, 3) with n = side / 2**level, rounded.
    """
    step = 1 << level
    number = max(2, round(side / step))
    width, height = look.size(scene)
    x, y = round(left / step), round(top / step)
    last_x, last_y = max(1, width // step), max(1, height // step)
    cols, rows = np.clip(np.arange(x, x + number), 0, last_x - 1), np.clip(np.arange(y, y + number), 0, last_y - 1)
    x0, y0, x1, y1 = int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1
    window: Window = (x0 * step, y0 * step, min(x1 * step, width), min(y1 * step, height))
    pixels = look.read(scene, window, level)
    inside = (np.minimum(rows - y0, len(pixels) - 1)[:, None], np.minimum(cols - x0, pixels.shape[1] - 1)[None, :])
    return np.ascontiguousarray(pixels[inside])


def _fitted(crop: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a crop that rounding left a pixel short at full size."""
    short = ((0, side - crop.shape[0]), (0, side - crop.shape[1]), (0, 0))
    return np.pad(crop, short, mode="edge")


def _peaks(found: NDArray[np.float64], first: tuple[float, float], step: float) -> Peaks:
    """Return the local maxima of a map; its outermost places only decide whether those within are maxima.

    Args:
        found: (n, n), log-odds.
        first: x, y of the middle of the first place.
        step: Native pixels between places.
    """
    highest = maximum_filter(found, size=3, mode="constant", cval=-np.inf) == found
    highest[[0, -1], :] = highest[:, [0, -1]] = False
    rows, cols = np.nonzero(highest)
    middles = np.stack([first[0] + cols * step, first[1] + rows * step], axis=1).astype(np.float64)
    return Peaks(middles, found[rows, cols])
