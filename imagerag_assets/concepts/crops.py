"""Cut examples: a window of a scene with what a patch would show around it, or a picture file.

An encoder sees a thing in patches, so that is how it is to be shown: a box smaller than a patch is widened to one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imagerag_assets.concepts.types import ConceptExample, Origin, Sign
from imagerag_assets.errors import ConceptError
from imagerag_assets.objects.local_files import open_file
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.scenes.ground import pixel_m
from imagerag_assets.scenes.records import SceneRecord

Window = tuple[int, int, int, int]
Read = Callable[[Window, int], tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""A native window at a level to its picture, uint8 (h, w, 3), and which pixels hold data, bool (h, w)."""
LONGEST_PX = 2048
"""Of a picture file: far more than an encoder sees."""
_LEAST_VALID = 0.25
"""Share of what was shown that must hold data."""


@dataclass(frozen=True)
class Crop:
    """The pixels of an example, and where they come from."""

    pixels: NDArray[np.uint8]
    """uint8 (h, w, 3)."""
    origin: Origin
    window: Window | None = None
    """The crop in native pixels of its scene."""
    metres_a_pixel: float | None = None

    def example(self, sign: Sign, now: str) -> ConceptExample:
        """Return it as an example of a concept."""
        height, width = self.pixels.shape[:2]
        digest = hashlib.sha256(f"{self.pixels.shape}".encode() + np.ascontiguousarray(self.pixels).tobytes())
        return ConceptExample(
            id=digest.hexdigest()[:16],
            sign=sign,
            width=width,
            height=height,
            crop_window=self.window,
            metres_a_pixel=self.metres_a_pixel,
            added_at=now,
            origin=self.origin,
        )


def crop_of_scene(record: SceneRecord, read: Read, window: Window, *, patch_px: int, origin: Origin) -> Crop:
    """Cut a window of a scene as patches show it.

    Args:
        record: The scene.
        read: Reads its pixels.
        window: What is shown, in native pixels, half-open.
        patch_px: Side of a patch at its level.
        origin: How the window was named.

    Raises:
        ConceptError: the window is empty, lies outside the scene, or holds hardly any data.
        RasterError: the scene cannot be read.
    """
    scene, grid = record.scene.scene_key, record.grid
    x0, y0, x1, y1 = window
    if x1 <= x0 or y1 <= y0:
        raise ConceptError(f"The box {x0},{y0},{x1},{y1} is empty", fix="Give X0,Y0,X1,Y1 with X0 < X1, Y0 < Y1")
    if x0 < 0 or y0 < 0 or x1 > grid.width or y1 > grid.height:
        raise ConceptError(
            f"The box {x0},{y0},{x1},{y1} reaches outside the scene",
            fix=f"It has {grid.width} x {grid.height} pixels",
            scene=scene,
        )
    side = max(x1 - x0, y1 - y0, patch_px)
    level = 0
    while side > patch_px << level and side >> (level + 1) >= patch_px:
        level += 1
    left, top = (_start(low, high, side, whole) for low, high, whole in ((x0, x1, grid.width), (y0, y1, grid.height)))
    around = left, top, min(left + side, max(grid.width, x1)), min(top + side, max(grid.height, y1))
    _, shown = read(window, level)
    if shown.mean() < _LEAST_VALID:
        raise ConceptError(
            f"The box {x0},{y0},{x1},{y1} holds hardly any data", fix="Show a part with imagery", scene=scene
        )
    pixels, _ = read(around, level)
    metres, acquired = pixel_m(grid), record.scene.acquired_at
    about = origin.model_copy(
        update={
            "scene": scene,
            "scene_version": record.scene.version,
            "window": window,
            "bbox": pixel_window_to_lonlat_bbox(grid, window),
            "acquired": None if acquired is None else acquired.isoformat(),
        }
    )
    return Crop(pixels, about, around, None if metres is None else metres * (1 << level))


def crop_of_file(path: Path) -> Crop:
    """Read a picture file as an example.

    Raises:
        ConceptError: it cannot be read, or shows one colour only.
    """
    pixels = read_picture(path)
    if (pixels == pixels[0, 0]).all():
        raise ConceptError("The picture shows one colour only", fix="Show a part with imagery", file=str(path))
    return Crop(pixels, Origin(kind="picture", file=path.name))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture file as uint8 (h, w, 3), at most `LONGEST_PX` a side.

    Raises:
        ConceptError: it cannot be read.
    """
    try:
        with open_file(path) as file, Image.open(file) as opened:
            opened.thumbnail((LONGEST_PX, LONGEST_PX))
            return np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        raise ConceptError(
            f"The example cannot be read ({reason})",
            fix="Give a JPEG, PNG or TIFF picture, or a patch_id",
            file=str(path),
        ) from None


def _start(low: int, high: int, side: int, whole: int) -> int:
    """Return where a window of this side around an interval begins, inside the scene if it fits."""
    return max(0, min((low + high - side) // 2, whole - side))
