"""Make a picture look as another sensor, season, ground distance or compression would show the same place.

Pictures are float32 torch tensors (3, h, w) in [0, 1].
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

_COARSEST = 5.0
"""The most that a picture loses in resolution: 160 px of 0.48 m become 32 px of 2.4 m."""


def vary(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return the picture by another sensor; each change has a chance of its own."""
    if rng.random() < 0.5:
        image = coarser(image, float(np.exp(rng.uniform(np.log(1.1), np.log(_COARSEST)))), rng)
    if rng.random() < 0.35:
        image = _season(image, rng)
    if rng.random() < 0.15:
        image = image.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.2:
        image = _haze(image, rng)
    if rng.random() < 0.25:
        image = image.clamp(0, 1) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    if rng.random() < 0.2:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.01, 0.05), tuple(image.shape))).float()
    if rng.random() < 0.2:
        image = _compressed(image, int(rng.integers(20, 80)))
    return image.clamp(0, 1)


def coarser(image: torch.Tensor, factor: float, rng: np.random.Generator | None = None) -> torch.Tensor:
    """Return the picture with a ground distance `factor` times as large, enlarged to its own size again."""
    side = max(8, round(image.shape[-1] / factor))
    small = functional.interpolate(image[None], size=(side, side), mode="bilinear", antialias=True)
    back = "bicubic" if rng is None or rng.random() < 0.6 else "bilinear"
    return functional.interpolate(small, size=tuple(image.shape[-2:]), mode=back, align_corners=False)[0].clamp(0, 1)


def _season(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Shift what is green towards brown, or to a deeper green, and the whole a little towards one colour."""
    greenness = (image[1] - image[[0, 2]].mean(0)).clamp(min=0) * 4
    shift = torch.tensor([rng.uniform(-0.15, 0.35), rng.uniform(-0.15, 0.1), rng.uniform(-0.15, 0.1)]).float()
    cast = torch.from_numpy(rng.uniform(0.85, 1.15, 3)).float()
    return (image + greenness.clamp(max=1) * shift[:, None, None]) * cast[:, None, None]


def _haze(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    share, colour = rng.uniform(0.1, 0.45), torch.from_numpy(rng.uniform(0.6, 0.9, 3)).float()
    return image * (1 - share) + share * colour[:, None, None]


def _compressed(image: torch.Tensor, quality: int) -> torch.Tensor:
    pixels = (image.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(held)).copy()).permute(2, 0, 1).float() / 255
