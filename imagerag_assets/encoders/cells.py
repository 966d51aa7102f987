"""Vectors of the cells of a patch: what a convolutional image tower holds at each place before it averages.

A tower that averages its last map and then projects linearly gives the mean of its cells' vectors, so that the vectors
of cells are exact.  Whether a tower does so is tried out, not guessed from its name: attention pools, transformers and
towers that normalise after the average have no cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

_SAME = 1e-3
"""Largest difference between the mean of cells and the tower's own vector, as a share of its length."""


@dataclass(frozen=True)
class Cells:
    """The cells of one image tower."""

    cell_px: int
    """Side of a cell in pixels of the tower's input."""
    encode: Callable[[torch.Tensor], torch.Tensor]
    """Pixels (n, 3, h, w), sides multiples of `cell_px`, to cells (n, h / cell_px, w / cell_px, dim)."""


def find_cells(visual: Any, size: int) -> Cells | None:
    """Return the cells of an open_clip image tower, or None if its vectors are not means of cells.

    Args:
        visual: The tower.
        size: Side of its input in pixels.
    """
    trunk, head = getattr(visual, "trunk", None), getattr(visual, "head", None)
    if trunk is None or head is None or not hasattr(trunk, "forward_features"):
        return None

    # The projection is open_clip's head or, where that is empty, the trunk's own classifier; the other one is empty.
    classifier = trunk.get_classifier() if hasattr(trunk, "get_classifier") else torch.nn.Identity()

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = trunk.forward_features(pixels)
        cells: torch.Tensor = head(classifier(found.permute(0, 2, 3, 1)))
        return cells

    # Any picture shows a difference; noise of a fixed seed has no symmetry that could hide one.
    device = next(trunk.parameters()).device
    noise = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0)).to(device)
    try:
        with torch.inference_mode():
            own, cells = visual(noise), encode(noise)
    except (AttributeError, RuntimeError, TypeError, ValueError, IndexError):
        return None  # no map with rows and columns
    if cells.ndim != 4 or cells.shape[1] != cells.shape[2] or size % cells.shape[1]:
        return None
    mean = cells.mean(dim=(1, 2))
    if mean.shape != own.shape or float((mean - own).norm() / own.norm()) > _SAME:
        return None
    return Cells(size // cells.shape[1], encode)
