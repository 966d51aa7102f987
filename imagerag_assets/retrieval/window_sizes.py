"""At which size windows show one object each: a few tiles are seen at each size, coarse first.

Windows that are much smaller than objects show parts of them, side by side, and between much larger ones, which show
several objects each, the score hardly dips.  Then the number of peaks changes with the size.  Where each object is a
peak, the next size finds as many, and they stand apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from imagerag_assets.retrieval.close_look import CloseLook, Scan, Tile
from imagerag_assets.retrieval.windows import Lens

FINER, COARSER = 3, 1
"""Octaves of size tried below and above the side of a patch."""
BEST = 8
"""Windows at each size, and patches, that the choice goes by."""
_STEPS = 2
"""Sizes an octave."""
_PILOTS, _PILOT_PASSES = 4, 600
"""Tiles seen at each size before one is chosen, and the patches that they may cost."""
_SIZE_COSTS = 0.8
"""Log-odds for each halving or doubling of the patches' own size, which encoders are made for: a part of a runway looks
like a runway, too, and so does the ground around one."""
_TOLERANCE = 3.0
"""Factor by which windows may be smaller or larger than objects are known to be."""
_STILL = 3.0
"""Log-odds below the best size down to which windows look about as much like the phrase."""
_STANDS_APART, _FEWEST = 1.3, 6
"""Distance between neighbours, in windows, that three quarters of at least so many have where each shows an object.
Of windows that show parts it is 1.0 to 1.2."""
_AS_MANY = 1.4
"""Ratio of two numbers of peaks up to which they are about the same."""
_GLANCE_TILES, _SEVERAL = 2, 2
"""Tiles seen at each size at a first glance, and the peaks in all of them for which looking on is worth it."""
_GIVE_UP = 4.0  # log-odds below the best size, twice in succession, at which finer ones are not tried


@dataclass(frozen=True)
class Choice:
    """The size of windows that was chosen."""

    scan: Scan
    apart: bool
    """Whether what passes stands apart, so that each is an object."""


@dataclass(frozen=True)
class _Tried:
    size: int
    alike: float
    """How much its best windows look like the phrase, log-odds."""
    scan: Scan


def choose_size(
    close: CloseLook,
    windows: NDArray[np.int64],
    logits: NDArray[np.float64],
    *,
    length_px: tuple[float, float] | None = None,
) -> Choice | None:
    """See a few tiles at each size; return the scan at the size that is about that of an object.

    Of the sizes that look about as much like the phrase as any, it is the finest at which peaks stand apart and the
    next one finds as many; where there is none, or objects are few, the size that looks most like the phrase.

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
    tried: list[_Tried] = []
    own, sizes = _sizes(close, windows, logits)
    for size in _as_large_as_objects(close, sizes, length_px):
        scan = close.scan(size)
        tiles = _pilots(close, scan.lens, [each.scan for each in tried[-2:]])
        for tile in tiles:
            close.see(scan, tile)
        best = scan.best()[:BEST]
        if not len(best):
            continue
        tried.append(_Tried(size, float(np.median(best)), scan))
        if max(each.alike for each in tried[-2:]) < max(each.alike for each in tried) - _GIVE_UP:
            break
    if not tried:
        return None
    highest = max(each.alike for each in tried)
    likely = [each for each in tried if each.alike >= highest - _STILL]
    for coarse, fine in reversed(list(pairwise(likely))):
        if _as_many(close, coarse, fine) and coarse.scan.spacing(close.threshold, _FEWEST) >= _STANDS_APART:
            return Choice(coarse.scan, True)
    return Choice(max(tried, key=lambda each: each.alike - _SIZE_COSTS * abs(math.log2(each.size / own))).scan, False)


def shows_several(
    close: CloseLook,
    windows: NDArray[np.int64],
    logits: NDArray[np.float64],
    length_px: tuple[float, float],
    largest_px: float,
) -> bool:
    """Return whether the most promising tiles show several objects, an octave of size at a time.

    It costs a tenth of :func:`choose_size`, for what is mostly not there.

    Args:
        close: Sees the tiles; what it has seen costs nothing when sizes are chosen.
        windows: As for :func:`choose_size`.
        logits: As for :func:`choose_size`.
        length_px: How long an object may be in native pixels, shortest and longest.
        largest_px: Side of the largest windows that are of use, in native pixels.

    Raises:
        EncoderError: A tile cannot be embedded.
    """
    shortest, longest = length_px
    _, sizes = _sizes(close, windows, logits)
    scans = [close.scan(size) for size in sizes]
    fitting = [scan for scan in scans if shortest <= scan.lens.window_px <= min(longest, largest_px)]
    fitting = fitting or sorted(scans, key=lambda scan: abs(math.log(scan.lens.window_px / shortest)))[:1]
    seen: list[Scan] = []
    for scan in fitting[(len(fitting) - 1) % _STEPS :: _STEPS]:  # the finest among them
        for tile in _pilots(close, scan.lens, seen[-1:])[:_GLANCE_TILES]:
            close.see(scan, tile)
        if (scan.best() >= close.threshold).sum() >= _SEVERAL:
            return True
        seen.append(scan)
    return False


def _as_many(close: CloseLook, coarse: _Tried, fine: _Tried) -> bool:
    """Return whether as many peaks pass at two sizes, on the ground that was seen at both."""
    numbers = [_number(close, each.scan, coarse, fine) for each in (coarse, fine)]
    return min(numbers) >= _FEWEST and max(numbers) <= _AS_MANY * min(numbers)


def _number(close: CloseLook, scan: Scan, *seen: _Tried) -> int:
    """Return the number of peaks that pass, on the ground that each of these has seen."""
    total = 0
    for number, (middles, logits) in scan.peaks().items():
        held = logits >= close.threshold
        for each in seen:
            at = np.floor(middles / each.scan.lens.tile_px).astype(int)
            held &= np.array([(number, int(x), int(y)) in each.scan.tiles for x, y in at], dtype=bool)
        total += int(held.sum())
    return total


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
    steps = range(COARSER * _STEPS, -(FINER + promising) * _STEPS - 1, -1)
    sizes = [round(own * 2.0 ** (step / _STEPS)) for step in steps]
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
        for number, (middles, logits) in hint.peaks().items():
            for (x, y), logit in zip(middles, logits, strict=True):
                tile = (number, math.floor(x / lens.tile_px), math.floor(y / lens.tile_px))
                promise[tile] = promise.get(tile, 0.0) + float(expit(logit - close.threshold))
    if not hints:
        promise = {tile: worth for worth, tile in close.tiles(lens)}
    tiles = [tile for tile in sorted(promise, key=lambda tile: -promise[tile]) if close.promise(lens, tile) > -math.inf]
    return tiles[: max(1, min(_PILOTS, _PILOT_PASSES // lens.passes))]
