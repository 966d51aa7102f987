"""Windows far smaller than a patch: a scene is seen tile by tile, and scored at places half a window apart.

Each window is seen as a picture of its own, with a little of what is around it: every other one first, and those
between where these show some of the phrase.  An encoder with cells
(`encoders.types.CellEncoder`) first sees the whole tile in a few passes, as a window is about the mean of a square of
cells, and only places that show some of the phrase are seen as pictures: cells see far beyond their borders, so that
they tell whether there is something and not exactly where.  How large windows should be, and what their scores mean,
is decided in `counting.py`.
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
_DOUBT = 2.0
"""Log-odds below the least of an object down to which cells promise one nearby.  On drawn scenes for tuning, all of 375
windows that passed had a cell nearby above it."""


@dataclass(frozen=True)
class Peaks:
    """Local maxima of the score, in native pixels of one scene."""

    middles: NDArray[np.float64]
    """(n, 2): x, y."""
    logits: NDArray[np.float64]
    """(n,)."""
    passes: int = 0
    """Patches encoded for them."""


@dataclass(frozen=True)
class Lens:
    """How windows of one size are seen."""

    encoder: Encoder
    side_px: int
    """Native pixels that fill the tower's input."""

    @property
    def window_px(self) -> float:
        """Side of a window in native pixels."""
        return _WINDOW * self.side_px

    @property
    def tile_px(self) -> float:
        """Native pixels between two tiles: windows whose middles lie in that square belong to the tile."""
        return _CROPS * self.window_px / 2

    @property
    def passes(self) -> int:
        """Passes of the image tower that a tile costs at most, in patches."""
        return (_CROPS + 2) ** 2 + (_TILE**2 if has_cells(self.encoder) else 0)

    @property
    def level(self) -> int:
        """Level that pixels are read at."""
        return max(0, math.floor(math.log2(_CROP * self.window_px / self.encoder.image_size)))

    def peaks(self, look: Look, scene: str, col: int, row: int, logits: Logits, least: float) -> Peaks:
        """Return the peaks of a tile.

        Args:
            look: Where pixels are read.
            scene: Key of the scene.
            col: Number of the tile from the left.
            row: Number of the tile from the top.
            logits: Scores vectors.
            least: Log-odds of an object at least; what cells show far below it is not seen as pictures.

        Raises:
            RasterError, StoreError: the scene cannot be read.
            EncoderError: the tile cannot be embedded.
        """
        step, number = self.window_px / 2, _CROPS + 2
        first = (col * self.tile_px - step, row * self.tile_px - step)
        promising, passes = np.ones((number, number), dtype=bool), 0
        if has_cells(self.encoder):
            promising = self._by_cells(look, scene, first, logits) >= least - _DOUBT
            passes = _TILE**2
        found = np.full((number, number), -np.inf)
        coarse = np.zeros_like(promising)
        coarse[::2, ::2] = True
        for wanted in (promising & coarse, promising & ~coarse):
            wanted &= coarse | (maximum_filter(found, size=3) >= least - _DOUBT)
            if wanted.any():
                found[wanted] = logits(self._crops(look, scene, first, wanted))
            passes += int(wanted.sum())
        return _peaks(found, first, step, passes)

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

    def _by_cells(self, look: Look, scene: str, first: tuple[float, float], logits: Logits) -> NDArray[np.float64]:
        """Return the best log-odds of cells near each window of a tile, (n, n)."""
        assert isinstance(self.encoder, CellEncoder) and self.encoder.cell_px is not None
        across = self.encoder.image_size // self.encoder.cell_px
        cell, step, number = self.side_px / across, self.window_px / 2, _CROPS + 2
        around = (_TILE * self.side_px - (number - 1) * step) / 2
        level = max(0, math.floor(math.log2(self.side_px / self.encoder.image_size)))
        picture = read_square(look, scene, first[0] - around, first[1] - around, _TILE * self.side_px, level)
        cells = cells_of(self.encoder, picture, _TILE * self.encoder.image_size)
        own = max(1, round(_WINDOW * across))
        found = logits(windows_of_cells(cells, own).reshape(-1, cells.shape[-1]))
        side = _TILE * across - own + 1
        near = maximum_filter(found.reshape(side, side), size=3, mode="nearest")
        at = np.clip(np.rint((around + np.arange(number) * step) / cell - own / 2).astype(int), 0, side - 1)
        best: NDArray[np.float64] = near[np.ix_(at, at)]
        return best


def has_cells(encoder: Encoder) -> bool:
    """Return whether the encoder can say what is where within a patch."""
    return isinstance(encoder, CellEncoder) and encoder.cell_px is not None


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


def _peaks(found: NDArray[np.float64], first: tuple[float, float], step: float, passes: int) -> Peaks:
    """Return the local maxima of a map; its outermost places only decide whether those within are maxima.

    Args:
        found: (n, n), log-odds; minus infinity where nothing was seen.
        first: x, y of the middle of the first place.
        step: Native pixels between places.
        passes: Patches encoded for the map.
    """
    highest = (maximum_filter(found, size=3, mode="constant", cval=-np.inf) == found) & np.isfinite(found)
    highest[[0, -1], :] = highest[:, [0, -1]] = False
    rows, cols = np.nonzero(highest)
    middles = np.stack([first[0] + cols * step, first[1] + rows * step], axis=1).astype(np.float64)
    return Peaks(middles, found[rows, cols], passes)
