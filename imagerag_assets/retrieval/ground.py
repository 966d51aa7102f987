"""The ground that a search covers, scene by scene, and what the patches of a collection say about each piece of it.

Made of the rows of a patch collection; no pixels are read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.retrieval.types import Look, Window
from imagerag_assets.scenes.ground import box_size_m

_FINE = 4
"""Squares a side of the smallest patch."""


@dataclass(frozen=True)
class Ground:
    """Of one scene, what is searched: squares of `step` native pixels."""

    scene: str
    step: int
    evidence: NDArray[np.float64]
    """(rows, columns): log-odds of the best patch that shows the square; -inf where nothing is searched."""
    size: tuple[int, int]
    """(width, height) of the scene in native pixels."""
    square_m2: float | None
    """Square metres that a native pixel covers; None: the scene has no place on the ground."""

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(rows, columns), bool: the squares that are searched."""
        return np.isfinite(self.evidence)

    def squares(self, left: float, top: float, side: float) -> tuple[slice, slice]:
        """Return rows and columns of the squares that a square of native pixels meets."""
        rows, cols = (
            slice(max(0, math.floor(low / self.step)), max(0, math.ceil((low + side) / self.step)))
            for low in (top, left)
        )
        return rows, cols

    def best(self, left: float, top: float, side: float) -> float:
        """Return the log-odds of the best patch in a square of native pixels; -inf: nothing of it is searched."""
        found = self.evidence[self.squares(left, top, side)]
        return float(found.max()) if found.size else -math.inf

    def promises(self, middles: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
        """Return which points, (n, 2): x, y, lie on ground whose best patch has at least so much log-odds."""
        cols, rows = (np.floor(middles / self.step).astype(np.int64)).T
        inside = (middles >= 0).all(axis=1) & (middles < np.array(self.size)).all(axis=1)
        inside &= (rows < self.evidence.shape[0]) & (cols < self.evidence.shape[1])
        held = np.zeros(len(middles), dtype=bool)
        found = self.evidence[rows[inside], cols[inside]]
        held[inside] = np.isfinite(found) & (found >= least)
        return held

    def pixels(self, squares: NDArray[np.bool_]) -> float:
        """Return how many native pixels a mask of squares, (rows, columns), covers."""
        down = np.clip(self.size[1] - np.arange(squares.shape[0]) * self.step, 0, self.step)
        across = np.clip(self.size[0] - np.arange(squares.shape[1]) * self.step, 0, self.step)
        return float(down @ squares.astype(np.float64) @ across)


def grounds(look: Look, scenes: Sequence[str], windows: NDArray[np.int64], logits: NDArray[np.float64]) -> list[Ground]:
    """Return the ground of each scene that has patches.

    Args:
        look: Knows the scenes.
        scenes: n scene keys, one a patch.
        windows: int64, (n, 4): x0, y0, x1, y1 in native pixels.
        logits: (n,), log-odds that a patch shows what is looked for.
    """
    keys = np.asarray(scenes, dtype=str)
    found = []
    for scene in dict.fromkeys(scenes):
        own = np.flatnonzero(keys == scene)
        size = look.size(scene)
        step = max(1, int((windows[own, 2] - windows[own, 0]).min()) // _FINE)
        evidence = np.full((-(-size[1] // step), -(-size[0] // step)), -np.inf)
        for number in own[np.argsort(logits[own])]:  # the best patch of a square is written last
            x0, y0, x1, y1 = (int(each) for each in windows[number])
            evidence[max(0, y0 // step) : -(-y1 // step), max(0, x0 // step) : -(-x1 // step)] = logits[number]
        found.append(Ground(scene, step, evidence, size, _square_m2(look, scene, size)))
    return found


def _square_m2(look: Look, scene: str, size: tuple[int, int]) -> float | None:
    whole: Window = (0, 0, *size)
    bbox = look.bbox(scene, whole)
    if bbox is None:
        return None
    across, down = box_size_m(bbox)
    return across * down / (size[0] * size[1])
