"""A picture of four quarters (red, green, blue, grey) as raster files of every kind, and what is seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Scene
from tests.unit.raster.scenes import write_tiff

SIDE = 64
_QUARTERS = {
    "red": (200, 20, 20, 120),
    "green": (20, 180, 30, 120),
    "blue": (30, 30, 220, 120),
    "grey": (40, 100, 160, 220),
    "alpha": (255, 255, 255, 255),
}
_OTHER = (130, 60, 110, 90)
_FACTOR = {"uint8": 1, "uint16": 20, "int16": 20, "float32": 1 / 255}


@dataclass(frozen=True)
class Seen:
    """What a scene shows."""

    quarters: str
    """A letter for each, the upper two first: R, G, B; k dark, g grey, w bright; - without valid pixels."""
    valid: float
    """Share of the pixels."""
    notes: tuple[str, ...]
    assets: tuple[str, ...]
    bands: tuple[int, ...]
    modality: str


def planes(bands: Sequence[str], dtype: str = "uint8", *, missing: int = 0, fill: float = 0) -> NDArray[Any]:
    """(bands, 64, 64); the western `missing` columns hold `fill`."""
    layers = []
    for band in bands:
        a, b, c, d = _QUARTERS.get(band, _OTHER)
        layers.append(np.kron(np.array([[a, b], [c, d]]), np.ones((SIDE // 2, SIDE // 2))))
    texture = np.random.default_rng(7).integers(-6, 7, (len(layers), SIDE, SIDE))
    textured = np.stack(layers) + texture * [[[band != "alpha"]] for band in bands]
    values = (np.clip(textured, 1, 255) * _FACTOR[dtype]).astype(dtype)
    values[:, :, :missing] = fill
    return values


def write(path: Path, bands: Sequence[str], dtype: str = "uint8", **options: Any) -> Path:
    """Write a GeoTIFF of some planes; `missing` and `fill` as for :func:`planes`."""
    missing, fill = options.pop("missing", 0), options.pop("fill", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tiff(path, planes(bands, dtype, missing=missing, fill=fill), block=SIDE, **options)


def look(scene: Scene, settings: Settings) -> Seen:
    """Open a scene and say what is seen.

    Raises:
        RasterError: as reading does.
    """
    with SceneReader(scene, settings) as reader:
        picture, valid = reader.overview(SIDE)
        notes = (*scene.notes, *reader.notes)
    height, width = valid.shape
    points = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width * 3 // 8, width * 3 // 4)]
    letters = "".join(_letter(picture[point]) if valid[point] else "-" for point in points)
    bands = tuple(band.index for band in scene.imagery.bands)
    return Seen(letters, round(float(valid.mean()), 2), notes, scene.imagery.asset_keys, bands, scene.imagery.modality)


def _letter(colour: NDArray[np.uint8]) -> str:
    values = colour.astype(int)
    if values.max() - values.min() >= 40:
        return "RGB"[int(values.argmax())]
    return "k" if values.mean() < 64 else "w" if values.mean() > 190 else "g"


def like(seen: str, expected: str) -> bool:
    """Whether quarters are as expected; ``?`` is any that is valid."""
    pairs = zip(seen, expected, strict=True)
    return all(letter == wanted or (wanted == "?" and letter != "-") for letter, wanted in pairs)
