"""The colours of a place, measured: what share of the pixels around its middle has which basic colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from imagerag_assets.plans.colours import BASIC, colours_in, in_words
from imagerag_assets.plans.result import AttributeResult

Part = Literal["middle", "around", "all"]

_SHADES: Mapping[str, tuple[tuple[int, int, int], ...]] = {
    "white": ((245, 245, 240), (220, 220, 215)),
    "black": ((15, 15, 15), (45, 45, 45)),
    "grey": ((128, 128, 128), (165, 165, 160), (190, 190, 190), (95, 95, 95)),
    "red": ((190, 40, 35), (150, 60, 50), (205, 90, 75), (175, 115, 115), (160, 95, 90), (190, 128, 128)),
    "orange": ((230, 130, 40),),
    "yellow": ((235, 215, 60), (200, 170, 80)),
    "green": (
        (60, 130, 60), (90, 110, 70), (40, 75, 50), (120, 150, 90), (70, 110, 90), (128, 140, 108), (145, 172, 155),
        (25, 60, 50),
    ),
    "turquoise": ((80, 190, 190), (130, 200, 205)),
    "blue": ((50, 90, 180), (70, 110, 150), (30, 50, 95), (100, 140, 190), (88, 106, 126), (120, 138, 158)),
    "purple": ((120, 60, 140),),
    "pink": ((230, 150, 170),),
    "brown": ((120, 85, 60), (95, 65, 45), (150, 110, 80)),
    "beige": ((215, 195, 160), (190, 170, 135)),
}  # fmt: skip
"""sRGB of what is called so in aerial imagery, which is paler than paint, and in haze nearly grey."""
_SIDE = 64
_WEIGHTS = np.array([0.5, 2.0, 2.0])
"""How far lightness and the two colour axes of CIELAB count: shadows change the lightness of what has one colour."""
_NARROW = 4.0
"""Pixels count by exp(-_NARROW * r^2), where r is the distance from the middle and 1 that of the middle of a side."""
_LEAST = 0.02


def colours_of(pictures: Sequence[Image.Image], part: Part = "middle") -> dict[str, float]:
    """Return the share of each basic colour, the largest first; nothing without pictures, or if they have no colours.

    Args:
        pictures: RGB, of any sizes; each counts alike.
        part: What of each counts most.
    """
    coloured = [np.asarray(each.convert("RGB").resize((_SIDE, _SIDE))) for each in pictures]
    if not any((each.max(axis=2) != each.min(axis=2)).any() for each in coloured):
        return {}
    across = np.linspace(-1, 1, _SIDE)
    near = np.exp(-_NARROW * (across[:, None] ** 2 + across[None, :] ** 2)).ravel()
    weights = {"middle": near, "around": 1 - near, "all": np.ones_like(near)}[part]
    names, shades = _shades()
    total = np.zeros(len(BASIC))
    for each in coloured:
        apart = np.linalg.norm((_lab(each.reshape(-1, 1, 3)) - shades[None]) * _WEIGHTS, axis=2)
        total += np.bincount(names[apart.argmin(axis=1)], weights=weights, minlength=len(BASIC))
    shares = dict(zip(BASIC, (total / total.sum()).round(3).tolist(), strict=True))
    kept = {name: share for name, share in shares.items() if share >= _LEAST}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def with_colours(result: AttributeResult, colours: Mapping[str, float]) -> AttributeResult:
    """Return a result that says the colours, as sure as they are of the pixels.

    Args:
        result: Of a part about a colour.
        colours: As :func:`colours_of` returns them; without any the result has no value, and no model is to guess one.
    """
    value = in_words(colours) if colours else None
    said = sum(colours[name] for name in colours_in(value)) if value else 0.0
    sure = None if result.confidence is None or not value else round(result.confidence * said, 4)
    return result.model_copy(update={"colours": colours, "value": value, "confidence": sure})


@cache
def _shades() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the number of each shade's colour, (n,), and the shades in CIELAB, (n, 3)."""
    names = np.array([BASIC.index(name) for name, shades in _SHADES.items() for _ in shades])
    rgb = np.array([shade for shades in _SHADES.values() for shade in shades], dtype=np.uint8)
    return names, _lab(rgb[:, None])[:, 0]


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return CIELAB, float64 (n, 1, 3), of sRGB, uint8 (n, 1, 3)."""
    seen = ImageCms.applyTransform(Image.fromarray(rgb), _to_lab())
    assert seen is not None
    values = np.asarray(seen, dtype=np.float64)
    signed = np.where(values[..., 1:] > 127, values[..., 1:] - 256, values[..., 1:])
    return np.concatenate([values[..., :1] * 100 / 255, signed], axis=2)


@cache
def _to_lab() -> ImageCms.ImageCmsTransform:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
