"""Sizes of pictures, and where the parts of a window go in them."""

from __future__ import annotations


def fitted(width: int, height: int, max_px: int) -> tuple[int, int]:
    """Return (h, w) of a picture whose longest side is at most `max_px`."""
    scale = min(1.0, max_px / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def placed(start: int, stop: int, native: int, size: int) -> slice:
    """Return where the native pixels [start, stop) of a window of `native` go in `size` pixels; at least one pixel."""
    first = min(round(start * size / native), size - 1)
    return slice(first, max(first + 1, round(stop * size / native)))
