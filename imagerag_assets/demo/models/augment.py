"""Make chips look as a sliding window may meet them: shifts, neighbours, scale, rotation and light.

Pictures are uint8 torch tensors (h, w, 3); labels are weights over classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from imagerag_assets.encoders.preprocess import preprocess

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_NEIGHBOUR_SHARE = 0.4  # share of chips shown with others around them


@dataclass(frozen=True)
class Sample:
    """One varied picture: `image` float32 (3, size, size), and (index of a chip, weight) pairs that sum to 1."""

    image: torch.Tensor
    parts: tuple[tuple[int, float], ...]


def augment(
    chips: torch.Tensor, index: int, others: np.ndarray, size: int, rng: np.random.Generator, *, mild: bool = False
) -> Sample:
    """Return one picture of chip `index` as a sliding window may show it, normalised with `MEAN` and `STD`."""
    sample = window(chips, index, others, size, rng, mild=mild)
    return Sample(_normalise(sample.image), sample.parts)


def window(
    chips: torch.Tensor, index: int, others: np.ndarray, size: int, rng: np.random.Generator, *, mild: bool = False
) -> Sample:
    """Return one picture of chip `index` as a sliding window may show it, float32 in [0, 1].

    Args:
        chips: uint8 (n, s, s, 3).
        index: The chip to show.
        others: Indices to draw neighbours from.
        size: Side of the result, in pixels.
        rng: Source of every random choice.
        mild: Keep the scale that patches have when serving, and rotate by any angle.  This is for the end of a
            training, since enlarged crops make objects larger than they will be (arXiv 1906.06423).
    """
    if rng.random() < _NEIGHBOUR_SHARE * (0.6 if mild else 1.0):
        picture, parts = _with_neighbours(chips, index, others, rng)
    else:
        picture, parts = _crop(_turn(chips[index], rng), 0.7 if mild else 0.36, rng), ((index, 1.0),)
    image = preprocess(picture[None], size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))[0]
    if mild and rng.random() < 0.5:
        image = _rotate(image, float(rng.uniform(-math.pi / 4, math.pi / 4)))
    return Sample(_light(image, rng), parts)


def plain(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return pictures as an encoder sees them when serving: float32 (n, 3, size, size)."""
    return preprocess(images, size, MEAN, STD)


def _turn(picture: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    picture = torch.rot90(picture, int(rng.integers(4)), (0, 1))
    return torch.flip(picture, (1,)) if rng.random() < 0.5 else picture


def _rotate(image: torch.Tensor, angle: float) -> torch.Tensor:
    """Rotate a float (3, h, w) picture by an angle in radians; fill the corners by reflection."""
    turn = torch.tensor([[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]])
    grid = functional.affine_grid(turn[None], [1, *image.shape], align_corners=False)
    return functional.grid_sample(image[None], grid, padding_mode="reflection", align_corners=False)[0]


def _crop(picture: torch.Tensor, least: float, rng: np.random.Generator) -> torch.Tensor:
    side = picture.shape[0]
    part = round(side * float(np.sqrt(rng.uniform(least, 1.0))))
    part = max(32, part - part % 2)
    top, left = rng.integers(0, side - part + 1, 2)
    return picture[top : top + part, left : left + part]


def _with_neighbours(
    chips: torch.Tensor, index: int, others: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, tuple[tuple[int, float], ...]]:
    """Cut a window from 2 x 2 chips that keeps much of the first, and weight the labels by visible area."""
    side = chips.shape[1]
    members = [index, *(int(i) for i in rng.choice(others, 3))]
    tiles = [_turn(chips[i], rng) for i in members]
    canvas = torch.cat([torch.cat(tiles[:2], 1), torch.cat(tiles[2:], 1)], 0)
    window = int(rng.choice([side, side, round(1.4 * side), 2 * side]))
    slack = min(2 * side - window, round(0.42 * side))
    top, left = (int(v) for v in rng.integers(0, slack + 1, 2))
    seen = canvas[top : top + window, left : left + window]
    heights = (side - top, top + window - side)
    widths = (side - left, left + window - side)
    areas = [max(0, heights[r]) * max(0, widths[c]) for r in (0, 1) for c in (0, 1)]
    weights = np.asarray(areas, np.float64) ** 0.8
    weights[0] *= 1.5  # the subject of the window matters more than its surroundings
    weights /= weights.sum()
    return seen, tuple(zip(members, (float(w) for w in weights), strict=True))


def _light(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Vary brightness, contrast, saturation and, slightly, the cast of an image, float (3, h, w) in [0, 1]."""
    contrast, saturation = rng.uniform(0.7, 1.35), rng.uniform(0.6, 1.4)
    grey = image.mean(0, keepdim=True)
    image = grey + (image - grey) * saturation
    image = (image - image.mean()) * contrast + image.mean() * rng.uniform(0.75, 1.25)
    cast = torch.tensor(rng.uniform(0.94, 1.06, 3), dtype=torch.float32)[:, None, None]
    return (image * cast).clamp(0, 1)


def _normalise(image: torch.Tensor) -> torch.Tensor:
    return (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
