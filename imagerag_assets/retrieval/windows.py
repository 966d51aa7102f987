"""Places far smaller than a patch: a scene is seen tile by tile, and scored on a lattice.

An encoder with cells (`encoders.types.CellEncoder`) sees a whole tile in a few passes; a window is about the mean of a
square of cells.  Of another one, each window half a window apart is seen as a picture of its own, with a little of what
is around it: every other window first, and those between where these show some of the phrase.  How large windows
should be, and what their scores mean, is decided in `window_sizes.py` and `counting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from imagerag_assets.encoders.types import CellEncoder, Encoder
from imagerag_assets.retrieval.encoded import cells_of, vectors_of
from imagerag_assets.retrieval.types import Look, Window

Logits = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Vectors, float32 (n, dim), to log-odds (n,)."""
_WINDOW = 0.6
"""Window as a share of what fills the tower's input."""
_CROPS = 15
"""Windows a side of a tile, half a window apart; with those around it, every other one is at an even place."""
_CROP = 1.3
"""Side of a crop as a share of the window: an object is recognised by a little of what is around it, too."""
_TILE = 6
"""Side of what is seen as cells for a tile, in inputs of the tower."""
_AROUND = 3
"""Cells around a tile that only give those within it what they see beyond their borders."""
_DOUBT = 6.0
"""Log-odds below the least of an object down to which a window promises one nearby."""


@dataclass(frozen=True)
class Lens:
    """How places are seen with windows of one size."""

    encoder: Encoder
    side_px: int
    """Native pixels that fill the tower's input."""

    @property
    def window_px(self) -> float:
        """Side of a window in native pixels."""
        return _WINDOW * self.side_px

    @property
    def step_px(self) -> float:
        """Native pixels between two places of the lattice."""
        cells = _cells_across(self.encoder)
        return self.side_px / cells if cells else self.window_px / 2

    @property
    def places(self) -> int:
        """Places a side of a tile."""
        cells = _cells_across(self.encoder)
        return _TILE * cells - 2 * _AROUND if cells else _CROPS

    @property
    def tile_px(self) -> float:
        """Native pixels between two tiles."""
        return self.places * self.step_px

    @property
    def passes(self) -> int:
        """Passes of the image tower that a tile costs at most, in patches."""
        return _TILE**2 if _cells_across(self.encoder) else (_CROPS + 2) ** 2

    def middles(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the middles of places in native pixels, (n, 2): x, y, by their columns and rows in the scene."""
        half = 0.5 if _cells_across(self.encoder) else 0.0
        return (places.astype(np.float64) + half) * self.step_px

    @property
    def level(self) -> int:
        """Level that pixels are read at."""
        side = self.side_px if _cells_across(self.encoder) else _CROP * self.window_px
        return max(0, math.floor(math.log2(side / self.encoder.image_size)))

    def see(
        self, look: Look, scene: str, col: int, row: int, logits: Logits, least: float
    ) -> tuple[NDArray[np.float64], int]:
        """See the places of a tile, and one more on each side.

        Args:
            look: Where pixels are read.
            scene: Key of the scene.
            col: Number of the tile from the left.
            row: Number of the tile from the top.
            logits: Scores vectors.
            least: Log-odds of an object at least; between windows that show far less no others are seen.

        Returns:
            Log-odds, float64 (`places` + 2, `places` + 2), rows from the top; minus infinity where nothing was seen;
            and the patches encoded for them.

        Raises:
            RasterError, StoreError: the scene cannot be read.
            EncoderError: the tile cannot be embedded.
        """
        if _cells_across(self.encoder):
            return self._by_cells(look, scene, col, row, logits), _TILE**2
        number, passes = self.places + 2, 0
        first = (col * self.tile_px - self.step_px, row * self.tile_px - self.step_px)
        found = np.full((number, number), -np.inf)
        coarse = np.zeros((number, number), dtype=bool)
        coarse[::2, ::2] = True
        for wanted in (coarse, ~coarse):
            wanted = wanted & (coarse | (maximum_filter(found, size=3) >= least - _DOUBT))
            if wanted.any():
                found[wanted] = logits(self._crops(look, scene, first, wanted))
            passes += int(wanted.sum())
        return found, passes

    def _crops(
        self, look: Look, scene: str, first: tuple[float, float], wanted: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Embed the crops of these windows, float32 (n, dim)."""
        step, scale = self.window_px / 2, 1 << self.level
        side = max(2, round(_CROP * self.window_px / scale))
        left, top = (at - side * scale / 2 for at in first)
        whole = read_square(look, scene, left, top, (len(wanted) - 1) * step + side * scale, self.level)
        starts = [round(i * step / scale) for i in range(len(wanted))]
        crops = [whole[starts[y] : starts[y] + side, starts[x] : starts[x] + side] for y, x in np.argwhere(wanted)]
        return vectors_of(self.encoder, [_fitted(crop, side) for crop in crops])

    def _by_cells(self, look: Look, scene: str, col: int, row: int, logits: Logits) -> NDArray[np.float64]:
        """Return the log-odds of the cells of a tile, and of one more on each side."""
        assert isinstance(self.encoder, CellEncoder)
        left, top = (at * self.tile_px - _AROUND * self.step_px for at in (col, row))
        picture = read_square(look, scene, left, top, _TILE * self.side_px, self.level)
        cells = cells_of(self.encoder, picture, _TILE * self.encoder.image_size)
        across = max(1, round(_WINDOW * _cells_across(self.encoder)))
        before = _AROUND - 1 - across // 2
        seen = windows_of_cells(cells, across)[before:, before:][: self.places + 2, : self.places + 2]
        return logits(seen.reshape(-1, seen.shape[-1])).reshape(seen.shape[:2])


def _cells_across(encoder: Encoder) -> int:
    """Return how many cells a side an encoder sees in its input; 0: it has none."""
    if isinstance(encoder, CellEncoder) and encoder.cell_px is not None:
        return encoder.image_size // encoder.cell_px
    return 0


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
