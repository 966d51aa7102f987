"""Collars: frames of a constant value around a rotated or clipped scene that nothing declares as missing.

They are found in the small overview from which display limits come, and kept with the scene's render as a value and a
coarse map of where it counts, so that each window leaves out the same pixels.  A pixel of that value elsewhere, such as
a shadow, stays.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy  # whose parts are imported when they are used first: a process that only reads uses none
from numpy.typing import NDArray

_CELLS = 256
"""Most cells a side of the map."""
_SMALLEST_SHARE = 0.005
"""Of the scene."""
_AT_THE_BORDER = 0.03
"""Share of the pixels at the border that have the value."""
_GREY_AT_THE_BORDER = 0.5
"""The same for a value that is neither the darkest nor the brightest: then it is a frame only if it is most of that."""
_LOSSY_TOLERANCE = 8
"""By how much lossy compression changes black and white, of 255."""
_TRIED = 4
_FLAT = 16
"""Different colours at most of a picture of flat parts, such as a map of classes: any of them may be at the border."""
_SAME_AS_NEIGHBOURS = 0.4
"""Share of pixels in a picture of flat parts and many colours."""
_OWN_ELSEWHERE = 0.01
"""Share of the rest that may have the value of a frame around a picture of flat parts."""
_AROUND = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Collar:
    """A constant value at the border of a scene."""

    value: tuple[float | None, ...]
    """Of each band that is read, in the order of the files; None where a band may have any."""
    tolerance: float
    share: float
    """Of the scene's pixels, 0-1."""
    size: tuple[int, int]
    """(columns, rows) of the map."""
    packed: str
    """The map, row by row as bits: compressed, base64."""

    @cached_property
    def cells(self) -> NDArray[np.bool_]:
        """Bool (rows, columns): where the value is the collar's; one cell more on each side than was seen."""
        columns, rows = self.size
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.packed)), np.uint8)
        return np.unpackbits(bits, count=rows * columns).astype(bool).reshape(rows, columns)

    @property
    def note(self) -> str:
        """What a person should know."""
        shown = " ".join(f"{each:g}" for each in dict.fromkeys(self.value) if each is not None)
        if None in self.value:
            return f"{self.share:.1%} of the scene, at its border, is the constant value {shown} in one band only"
        return (
            f"{self.share:.1%} of the scene, at its border, is the constant value {shown}, which nothing declares as "
            "missing"
        )

    def covers(
        self,
        values: NDArray[Any],
        window: tuple[int, int, int, int],
        scene: tuple[int, int],
        *,
        blurred: bool,
    ) -> NDArray[np.bool_]:
        """Return which pixels (h, w) of a window are the collar's.

        Args:
            values: (bands, h, w) of source values.
            window: x0, y0, x1, y1 in native pixels.
            scene: (width, height) in native pixels.
            blurred: Whether pixels at the collar's edge are mixed with it, because the read is reduced or the file's
                compression lossy: they are left out as well.
        """
        height, width = values.shape[1:]
        columns = _cell_of(window[0], window[2], width, scene[0], self.size[0])
        rows = _cell_of(window[1], window[3], height, scene[1], self.size[1])
        near = self.cells[rows][:, columns]
        if not near.any():
            return near
        found = near & _equal(values, self.value, self.tolerance)
        return near & scipy.ndimage.binary_dilation(found, _AROUND) if blurred else found

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it back."""
        return {
            "value": list(self.value),
            "tolerance": self.tolerance,
            "share": self.share,
            "size": list(self.size),
            "packed": self.packed,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Collar:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        columns, rows = (int(each) for each in record["size"])
        value = tuple(None if each is None else float(each) for each in record["value"])
        return cls(value, float(record["tolerance"]), float(record["share"]), (columns, rows), str(record["packed"]))


def find_collars(values: NDArray[Any], valid: NDArray[np.bool_], *, lossy: bool) -> tuple[Collar, ...]:
    """Find the collars of a scene, the largest first; none where it is constant.

    Args:
        values: (bands, h, w) of an overview of the whole scene.
        valid: (h, w).
        lossy: Whether compression may have changed values.
    """
    border = _border(valid)
    at_border = values[:, border].T
    if not len(at_border):
        return ()
    found: list[Collar] = []
    left = valid.copy()
    for value, tolerance in [*_candidates(at_border, lossy), *_of_one_band(at_border, lossy)]:
        same = left & _equal(values, value, tolerance)
        touching = same & border
        if touching.sum() < _AT_THE_BORDER * border.sum():
            continue
        part = scipy.ndimage.binary_propagation(touching, _AROUND, same)
        rest = left & ~part
        share = float(part.mean())
        if share < _SMALLEST_SHARE or not rest.any():
            continue
        if not _is_extreme(value, tolerance, values[:, rest]) and touching.sum() < _GREY_AT_THE_BORDER * border.sum():
            continue
        flat, one_band = _is_flat(values, rest), None in value
        if (flat or one_band) and not (
            _is_all_around(touching, valid) and touching.sum() >= _GREY_AT_THE_BORDER * border.sum()
        ):
            continue
        # Deep water has no red, and colours of a map share a value.
        if flat and (one_band or not _is_around_others(values, rest, same & ~part)):
            continue
        found.append(_collar(value, tolerance, share, part))
        left = rest
    return tuple(sorted(found, key=lambda collar: -collar.share))


def _border(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the valid pixels at the picture's border, or beside pixels that are declared as missing."""
    inner = scipy.ndimage.binary_erosion(valid, _AROUND, border_value=0)
    border: NDArray[np.bool_] = valid & ~inner
    return border


def _of_one_band(at_border: NDArray[Any], lossy: bool) -> list[tuple[tuple[float | None, ...], float]]:
    """Return the commonest value of each band at the border, where there are several bands."""
    bands = at_border.shape[1]
    if lossy or bands == 1:
        return []
    found: list[tuple[tuple[float | None, ...], float]] = []
    for band in range(bands):
        levels, counts = np.unique(at_border[:, band], return_counts=True)
        commonest = float(levels[np.argmax(counts)])
        found.append((tuple(commonest if each == band else None for each in range(bands)), 0.0))
    return found


def _candidates(at_border: NDArray[Any], lossy: bool) -> list[tuple[tuple[float | None, ...], float]]:
    """Return the commonest values (one of each band) of pixels at the border, and how far others may be from them."""
    bands = at_border.shape[1]
    if lossy and at_border.dtype == np.uint8:
        return [((float(level),) * bands, float(_LOSSY_TOLERANCE)) for level in (0, 255)]
    rows, counts = np.unique(at_border, axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_TRIED]
    return [(tuple(float(each) for each in rows[index]), 0.0) for index in most if counts[index] > 1]


def _equal(values: NDArray[Any], value: Sequence[float | None], tolerance: float) -> NDArray[np.bool_]:
    same = np.ones(values.shape[1:], bool)
    for band, wanted in zip(values, value, strict=True):
        if wanted is None:
            continue
        same &= band == wanted if tolerance == 0 else np.abs(band.astype(np.float32) - wanted) <= tolerance
    return same


def _is_extreme(value: Sequence[float | None], tolerance: float, rest: NDArray[Any]) -> bool:
    """Return whether a value is darker or brighter than the rest of the scene, in each band."""
    of = [position for position, each in enumerate(value) if each is not None]
    low, high = rest[of].min(axis=1).astype(np.float64), rest[of].max(axis=1).astype(np.float64)
    mine = np.asarray([value[position] for position in of], np.float64)
    return bool((mine <= low + tolerance).all() or (mine >= high - tolerance).all())


def _is_flat(values: NDArray[Any], rest: NDArray[np.bool_]) -> bool:
    """Return whether the rest has few colours, or most of its pixels that of their neighbours."""
    inside = values[:, rest]
    if len(np.unique(inside[:, :: max(1, inside.shape[1] // 4096)], axis=1).T) <= _FLAT:
        return True
    beside = rest[1:, 1:] & rest[:-1, 1:] & rest[1:, :-1]
    here = values[:, 1:, 1:]
    same = ((here == values[:, :-1, 1:]) & (here == values[:, 1:, :-1])).all(axis=0)
    return bool(beside.any() and same[beside].mean() > _SAME_AS_NEIGHBOURS)


def _is_around_others(values: NDArray[Any], rest: NDArray[np.bool_], elsewhere: NDArray[np.bool_]) -> bool:
    """Return whether a value is around a solid picture of other values, of which it is not one itself."""
    others = rest & ~elsewhere
    if elsewhere.sum() > _OWN_ELSEWHERE * rest.sum() or len(np.unique(values[:, others], axis=1).T) < 2:
        return False
    return bool(scipy.ndimage.binary_erosion(rest, _AROUND).sum() > rest.sum() / 2)


def _is_all_around(touching: NDArray[np.bool_], valid: NDArray[np.bool_]) -> bool:
    """Return whether the value is at all four sides of what is valid."""
    rows, columns = (np.flatnonzero(valid.any(axis=axis)) for axis in (1, 0))
    sides = (touching[rows[0]], touching[rows[-1]], touching[:, columns[0]], touching[:, columns[-1]])
    return all(side.any() for side in sides)


def _collar(value: tuple[float | None, ...], tolerance: float, share: float, part: NDArray[np.bool_]) -> Collar:
    rows, columns = (min(_CELLS, side) for side in part.shape)
    y, x = np.nonzero(part)
    cells = np.zeros((rows, columns), bool)
    cells[y * rows // part.shape[0], x * columns // part.shape[1]] = True
    cells = scipy.ndimage.binary_dilation(cells, _AROUND)
    packed = base64.b64encode(zlib.compress(np.packbits(cells).tobytes(), 9)).decode("ascii")
    return Collar(value, tolerance, round(share, 4), (columns, rows), packed)


def _cell_of(start: int, stop: int, pixels: int, native: int, cells: int) -> NDArray[np.int64]:
    """Return the cell of each pixel's centre along one axis."""
    centres = start + (np.arange(pixels) + 0.5) * (stop - start) / pixels
    return np.clip((centres * cells / native).astype(np.int64), 0, cells - 1)
