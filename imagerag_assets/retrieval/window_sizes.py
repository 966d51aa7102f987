"""At which size windows show one object each: a few tiles are seen at each size, coarse first.

Smaller windows show parts of an object side by side, larger ones several objects each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.retrieval.close_look import CloseLook, Scan, Tile
from imagerag_assets.retrieval.windows import Lens

FINER, COARSER = 3, 1
"""Octaves of size tried below and above the side of a patch."""
BEST = 8
"""Windows at each size, and patches, that the choice goes by."""
_PILOTS = 2
"""Tiles seen at each size before one is chosen."""
_SIZE_COSTS = 0.8
"""Log-odds for each halving or doubling of the patches' own size, which encoders are made for: a part of a runway looks
like a runway, too, and so does the ground around one."""
_TOLERANCE = 2.0
"""Factor by which windows may be smaller or larger than objects are known to be."""
_STILL = 1.5
"""Log-odds below the best size down to which windows look about as much like the phrase."""
_STANDS_APART = 1.3
"""Distance between neighbours, in windows, that three quarters of at least three have where each shows an object.
Of windows that show parts it is 1.0 to 1.15."""
_GIVE_UP = 2.0  # log-odds below the best size, twice in succession, at which finer ones are not tried


def choose_size(
    close: CloseLook,
    windows: NDArray[np.int64],
    logits: NDArray[np.float64],
    *,
    length_px: tuple[float, float] | None = None,
) -> Scan | None:
    """See a few tiles at each size; return the scan at the size that is about that of an object.

    Of the sizes that look most like the phrase only those count at which windows stand apart, if there are any.

    Args:
        close: Sees the tiles.
        windows: Of the patches, int64 (n, 4): x0, y0, x1, y1 in native pixels.
        logits: Their log-odds, (n,).
        length_px: How long an object may be in native pixels, shortest and longest; None: unknown.

    Returns:
        None: the budget is too small, or nothing can be read.

    Raises:
        EncoderError: A tile cannot be embedded.
    """
    tried: list[tuple[float, int, Scan]] = []
    own, sizes = _sizes(close, windows, logits)
    for size in _as_large_as_objects(close, sizes, length_px):
        scan = close.scan(size)
        for tile in _pilots(close, scan.lens, [each for _, _, each in tried[-2:]]):
            close.see(scan, tile)
        best = scan.best()[:BEST]
        if not len(best):
            continue
        tried.append((float(np.median(best)), size, scan))
        if max(alike for alike, _, _ in tried[-2:]) < max(alike for alike, _, _ in tried) - _GIVE_UP:
            break
    highest = max((alike for alike, _, _ in tried), default=-math.inf)
    likely = [each for each in tried if each[0] >= highest - _STILL]
    likely = [each for each in likely if each[2].spacing(close.threshold) >= _STANDS_APART] or tried
    worth = [(alike - _SIZE_COSTS * abs(math.log2(size / own)), scan) for alike, size, scan in likely]
    return max(worth, key=lambda each: each[0])[1] if worth else None


def _sizes(close: CloseLook, windows: NDArray[np.int64], logits: NDArray[np.float64]) -> tuple[int, list[int]]:
    """Return the side of the patches that promise most, and sizes around it, coarse first.

    A size is how many native pixels fill the tower's input.
    """
    sides = windows[:, 2] - windows[:, 0]
    side = int(sides.min())
    octaves = np.rint(np.log2(sides / side))  # scenes may start at patches of different sizes
    promising = int(np.median(octaves[np.argsort(-logits)[:BEST]]))
    own = side << promising
    largest = max(side, *(max(ground.size) for ground in close.grounds))
    sizes = [round(own * 2.0**octave) for octave in range(COARSER, -FINER - promising - 1, -1)]
    return own, [each for each in sizes if each <= largest]


def _as_large_as_objects(close: CloseLook, sizes: Sequence[int], length_px: tuple[float, float] | None) -> list[int]:
    """Return the sizes whose windows an object may fill; the nearest one, if none is so large."""
    if length_px is None:
        return list(sizes)
    shortest, longest = length_px
    windows = {size: close.scan(size).lens.window_px for size in sizes}
    fitting = [size for size in sizes if shortest / _TOLERANCE <= windows[size] <= longest * _TOLERANCE]
    middle = math.sqrt(shortest * longest)
    return fitting or sorted(sizes, key=lambda size: abs(math.log(windows[size] / middle)))[:1]


def _pilots(close: CloseLook, lens: Lens, hints: Sequence[Scan]) -> list[Tile]:
    """Return the tiles where coarser windows, or at first patches, look most like the phrase."""
    promise: dict[Tile, float] = {}
    for hint in hints:
        for number, (middles, logits) in hint.by_ground().items():
            for (x, y), logit in zip(middles, logits, strict=True):
                tile = (number, math.floor(x / lens.tile_px), math.floor(y / lens.tile_px))
                promise[tile] = max(promise.get(tile, -math.inf), float(logit))
    if not hints:
        promise = {tile: worth for worth, tile in close.tiles(lens)}
    tiles = [tile for tile in sorted(promise, key=lambda tile: -promise[tile]) if close.promise(lens, tile) > -math.inf]
    return tiles[:_PILOTS]
