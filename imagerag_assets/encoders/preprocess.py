"""From uint8 patches to the tensor an image tower takes; the one definition that training and serving share.

Only the pixel arithmetic lives here.  The encoder decides which size, mean and std apply.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

PREPROCESS_VERSION = 1
"""Version of the arithmetic in :func:`preprocess`; part of every fingerprint, so raise it when results change."""

_SHORT_ROWS = 2**15 // 2**8  # sums of so many bytes fit into 16 bits

Interpolation = Literal["area", "bilinear", "bicubic"]


def preprocess(
    images: torch.Tensor,
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    interpolation: Interpolation = "area",
) -> torch.Tensor:
    """Resize whole patches (never crop or pad) to ``size`` and normalise.

    ``area`` takes the mean of each block of pixels when both sides are a whole multiple of ``size``, which is exact and
    several times cheaper, and is ``bilinear`` otherwise.  ``bilinear`` and ``bicubic`` are antialiased.

    Args:
        images: uint8, (n, h, w, 3), RGB.
        size: Side of the result, in pixels.
        mean: Per-channel mean, on the 0-1 scale.
        std: Per-channel standard deviation, on the 0-1 scale.
        interpolation: How to resize; ``bicubic`` is what CLIP and SigLIP were trained with.

    Returns:
        float32, (n, 3, size, size), contiguous, on the input's device.

    Raises:
        ValueError: the input is not (n, h, w, 3) uint8, or a side is zero.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
        raise ValueError(f"expected uint8 (n, h, w, 3), got {images.dtype} {tuple(images.shape)}")
    height, width = images.shape[1:3]
    if height == 0 or width == 0:
        raise ValueError(f"expected a patch with pixels, got {tuple(images.shape)}")
    if interpolation == "area" and height % size == 0 and width % size == 0:
        pixels = _means(images, height // size, width // size)
    else:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        if (height, width) != (size, size):
            mode = "bicubic" if interpolation == "bicubic" else "bilinear"
            pixels = functional.interpolate(pixels, size=(size, size), mode=mode, align_corners=False, antialias=True)
            pixels = pixels.clamp_(0.0, 255.0)  # bicubic overshoots at edges; a picture cannot
    # One multiply-add over the small result: (x / 255 - mean) / std.
    scale = torch.tensor([1.0 / (255.0 * s) for s in std], device=pixels.device).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=pixels.device).view(1, 3, 1, 1)
    return torch.addcmul(shift, pixels, scale).contiguous()


def _means(images: torch.Tensor, down: int, across: int) -> torch.Tensor:
    """Return the mean of each block of `down` x `across` pixels: float32, (n, 3, h, w), channels last.

    Sums of bytes are exact as integers, so this gives what `avg_pool2d` gives, to the last bit.  Rows come first, as
    integers that are short: turning all pixels into floats takes most of the time of a cheap encoder.
    """
    n, height, width = images.shape[:3]
    if down == across == 1:
        return images.permute(0, 3, 1, 2).to(torch.float32)
    rows = images.reshape(n, height // down, down, width * 3)
    sums = rows[:, :, 0].to(torch.int16 if down <= _SHORT_ROWS else torch.int32)
    for row in range(1, down):
        sums += rows[:, :, row]
    columns = sums.view(n, height // down, width // across, across, 3)
    pixels = columns[..., 0, :].to(torch.float32)
    for column in range(1, across):
        pixels += columns[..., column, :]
    return (pixels / (down * across)).permute(0, 3, 1, 2)
