"""Whether a window is a whole scene, and so lies in no part of it."""

from __future__ import annotations

from imagerag_assets.raster.types import Window

_NEARLY_ALL = 0.8
"""Share of a scene's sides from which a window is all of it, rather than a part."""


def is_whole(window: Window, width: int, height: int) -> bool:
    """Return whether a window is nearly all of its scene.

    Args:
        window: x0, y0, x1, y1 in native pixels; may reach beyond the scene.
        width: Of the scene, native pixels.
        height: Of the scene, native pixels.
    """
    x0, y0, x1, y1 = window
    across, down = min(x1, width) - max(x0, 0), min(y1, height) - max(y0, 0)
    return min(across / width, down / height) >= _NEARLY_ALL
