"""Scenes with 20 to 300 objects of one kind, all of them known: drawn ones, and mosaics of real chips.

Drawn objects are small and stand scattered, in rows or in clusters, among fewer objects of other kinds.  In a mosaic,
an object is a cell of 256 px.  What is measured on them is in `counting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from benchmarks.make_mosaic import BACKGROUND, CELL_PX, TARGETS
from imagerag_assets.demo.sprites import OBJECT_CLASSES, sprite
from imagerag_assets.demo.terrain import Terrain, draw_terrain, finish

FEWEST, MOST = 20, 300
Box = tuple[int, int, int, int]

ALL_KINDS = tuple(OBJECT_CLASSES)
LAYOUTS = ("scattered", "rows", "clusters")


@dataclass(frozen=True)
class DenseScene:
    """A picture and where its objects are."""

    name: str
    pixels: NDArray[np.uint8]
    """uint8 (h, w, 3)."""
    kind: str
    """Name of what there is much of."""
    windows: tuple[Box, ...]
    """x0, y0, x1, y1 of each object of the kind in pixels."""
    side_px: int
    layout: str
    others: tuple[str, ...] = ()
    """Kinds of the few other objects."""


def draw_dense(
    name: str, seed: Sequence[int], kinds: Sequence[str] = ALL_KINDS, *, size: int = 2400, least_px: int = 40
) -> DenseScene:
    """Draw one scene.  Number, size, layout and the other kinds follow from the seed.

    Args:
        name: Of the scene.
        seed: Of all that is drawn.
        kinds: Names of `OBJECT_CLASSES` that the dense kind is one of.
        size: Side of the scene in pixels.
        least_px: Least side of an object; the largest is 160 px.
    """
    rng = np.random.default_rng(seed)
    kind = OBJECT_CLASSES[str(rng.choice(list(kinds)))]
    terrain = draw_terrain(size, size, rng, water=0.55 if kind.on_water else None)
    wanted = round(math.exp(rng.uniform(math.log(FEWEST), math.log(MOST))))
    room = (terrain_share(terrain.water) if kind.on_water else 0.6) * size * size * 0.35
    most_px = min(160.0, math.sqrt(room / wanted))
    side = round(math.exp(rng.uniform(math.log(least_px), math.log(max(most_px, least_px + 1)))))
    layout = str(rng.choice(LAYOUTS))
    picture, taken = terrain.image.copy(), list[Box]()
    colours = list(kind.colours[: int(rng.integers(1, len(kind.colours) + 1))]) if kind.colours else [None]

    def put(which: str, x: int, y: int, px: int, colour: str | None, angle: float) -> Box:
        stamp = sprite(which, colour, px, angle, rng)
        picture.paste(stamp, (x - stamp.width // 2, y - stamp.height // 2), stamp)
        box = (x - px // 2, y - px // 2, x + px - px // 2, y + px - px // 2)
        taken.append(box)
        return box

    windows = []
    for x, y, angle in _spots(terrain, layout, wanted, side, kind.on_water, rng):
        if _free(x, y, side, taken, side * 0.15 if layout == "rows" else side * 0.3):
            px = max(16, round(side * rng.uniform(0.9, 1.1)))
            windows.append(put(kind.name, x, y, px, colours[int(rng.integers(len(colours)))], angle))
    others = []
    for _ in range(int(rng.integers(0, max(2, len(windows) // 6)))):
        other = OBJECT_CLASSES[str(rng.choice([each for each in ALL_KINDS if each != kind.name]))]
        px = round(side * rng.uniform(0.8, 1.5))
        for x, y, angle in _spots(terrain, "scattered", 1, px, other.on_water, rng):
            if _free(x, y, px, taken, side * 0.3):
                put(other.name, x, y, px, str(rng.choice(other.colours)) if other.colours else None, angle)
                others.append(other.name)
    pixels = np.asarray(finish(picture, rng))
    return DenseScene(name, pixels, kind.name, tuple(windows), side, layout, tuple(others))


def terrain_share(mask: Image.Image) -> float:
    """Return the share of a mask that is set."""
    return float(ImageStat.Stat(mask).mean[0]) / 255


def _free(x: int, y: int, side: int, taken: Sequence[Box], gap: float) -> bool:
    reach = side / 2 + gap
    return all(x + reach <= b[0] or b[2] <= x - reach or y + reach <= b[1] or b[3] <= y - reach for b in taken)


def _spots(
    terrain: Terrain, layout: str, wanted: int, side: int, on_water: bool, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    """Return centres and angles of at most `wanted` places where objects may stand."""
    width, height = terrain.image.size
    mask = np.asarray(terrain.water if on_water else terrain.busy) > 127
    margin = side

    def allowed(x: int, y: int) -> bool:
        if not (margin <= x < width - margin and margin <= y < height - margin):
            return False
        part = mask[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2]
        return bool(part.mean() > 0.98 if on_water else part.mean() < 0.05)

    found: list[tuple[int, int, float]] = []
    taken: list[Box] = []

    def add(x: int, y: int, angle: float) -> None:
        gap = side * 0.15 if layout == "rows" else side * 0.3
        if len(found) < wanted and allowed(x, y) and _free(x, y, side, taken, gap):
            found.append((x, y, angle))
            taken.append((x - side // 2, y - side // 2, x + side // 2, y + side // 2))

    for _ in range(60):
        if len(found) >= wanted:
            break
        if layout == "rows":
            angle, pitch = rng.uniform(0, 90), side * rng.uniform(1.5, 2.2)
            cx, cy, turn = rng.uniform(0, width), rng.uniform(0, height), math.radians(angle)
            across, down = (int(n) for n in rng.integers(3, 12, 2))
            for i in range(across):
                for j in range(down):
                    u, v = (i - across / 2) * pitch, (j - down / 2) * pitch
                    add(
                        round(cx + u * math.cos(turn) - v * math.sin(turn)),
                        round(cy + u * math.sin(turn) + v * math.cos(turn)),
                        -angle,
                    )
        elif layout == "clusters":
            cx, cy, spread = rng.uniform(0, width), rng.uniform(0, height), side * rng.uniform(2, 5)
            for _ in range(40):
                add(round(rng.normal(cx, spread)), round(rng.normal(cy, spread)), rng.uniform(0, 360))
        else:
            for _ in range(60):
                add(int(rng.integers(0, width)), int(rng.integers(0, height)), rng.uniform(0, 360))
    return found


def stitch_dense(
    name: str, seed: Sequence[int], chips: Mapping[str, Sequence[Path]], *, cells: int = 24, most: int = MOST
) -> DenseScene:
    """Stitch a mosaic in which many cells show one class and a few show others.

    Args:
        name: Of the scene.
        seed: Of the layout and the choice of chips.
        chips: Paths by class, all of `BACKGROUND` and `TARGETS`.
        cells: Cells a side.
        most: Most cells of the class.
    """
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(list(TARGETS)))
    wanted = round(math.exp(rng.uniform(math.log(FEWEST), math.log(min(most, cells * cells // 2)))))
    layout = str(rng.choice(["scattered", "clusters"]))
    ground = _smooth_classes(cells, rng)
    if layout == "scattered":
        order = rng.permutation(cells * cells)
    else:  # the cells nearest to a few places, so that they touch
        middles = rng.uniform(0, cells, (int(rng.integers(2, 7)), 2))
        at = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), axis=-1).reshape(-1, 1, 2)
        far = np.linalg.norm(at - middles[None], axis=2).min(axis=1) + rng.uniform(0, 2, cells * cells)
        order = np.argsort(far)
    for number in order[:wanted]:
        ground[number // cells][number % cells] = kind
    others = []
    for number in order[wanted : wanted + int(rng.integers(0, 1 + cells))]:
        other = str(rng.choice([each for each in TARGETS if each != kind]))
        ground[number // cells][number % cells] = other
        others.append(other)
    pixels = np.zeros((cells * CELL_PX, cells * CELL_PX, 3), np.uint8)
    windows = []
    for row in range(cells):
        for col in range(cells):
            each = ground[row][col]
            with Image.open(chips[each][int(rng.integers(len(chips[each])))]) as chip:
                cell = np.rot90(np.asarray(chip.convert("RGB").resize((CELL_PX, CELL_PX))), int(rng.integers(4)))
            x, y = col * CELL_PX, row * CELL_PX
            pixels[y : y + CELL_PX, x : x + CELL_PX] = cell[:, ::-1] if rng.random() < 0.5 else cell
            if each == kind:
                windows.append((x, y, x + CELL_PX, y + CELL_PX))
    # Cells do not line up with any division: what is cut off on the left and top is less than half a cell.
    down, across = (int(n) for n in rng.integers(0, CELL_PX // 2, 2))
    moved = tuple((x0 - across, y0 - down, x1 - across, y1 - down) for x0, y0, x1, y1 in windows)
    return DenseScene(name, pixels[down:, across:], TARGETS[kind], moved, CELL_PX, layout, tuple(others))


def _smooth_classes(cells: int, rng: np.random.Generator) -> list[list[str]]:
    coarse = rng.random((len(BACKGROUND), 5, 5)).astype(np.float32)
    maps = [
        np.asarray(Image.fromarray(each, mode="F").resize((cells, cells), Image.Resampling.BILINEAR)) for each in coarse
    ]
    return [[BACKGROUND[int(each)] for each in row] for row in np.stack(maps).argmax(axis=0)]
