"""Scenes with kinds of things that an encoder was not taught: drawn ones on real ground, or chips of another source.

`concepts.py` measures on them.  Kinds of `drawn` are in no training text of the demo encoders and in none of their
drawn objects; those of a folder of chips are whatever its sub-folders are, e.g. EuroSAT, which `demo-lite` never saw.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin

from imagerag_assets.demo.sprites import RGB, SUPERSAMPLE, Pen, shade

CELL_PX = 256
Window = tuple[int, int, int, int]
Draw = Callable[[Pen, np.random.Generator], None]
_SHADOW: RGB = (28, 30, 34)
_STEEL: RGB = (205, 206, 204)
_SAND: RGB = (186, 168, 132)
_KINDS_A_SCENE, _MOST_OF_A_KIND = 3, 3


def _pumpjack(pen: Pen, rng: np.random.Generator) -> None:
    pen.box(-0.9, -0.55, 0.9, 0.55, shade(_SAND, rng.uniform(0.85, 1.15)))
    pen.line([(-0.6, 0.12), (0.75, 0.12)], _SHADOW, 0.1)
    pen.line([(-0.7, 0), (0.65, 0)], (168, 60, 44), 0.12)
    pen.polygon([(0.6, -0.2), (0.85, -0.2), (0.85, 0.2), (0.6, 0.2)], (168, 60, 44))
    pen.polygon([(-0.2, -0.3), (0.1, 0), (-0.2, 0.3)], _STEEL)
    pen.disc(-0.6, 0, 0.16, (70, 72, 78))


def _wind_turbine(pen: Pen, rng: np.random.Generator) -> None:
    pen.disc(0, 0, 0.2, shade(_SAND, rng.uniform(0.9, 1.1)))
    pen.line([(0, 0), (0.9, 0.55)], _SHADOW, 0.06)
    start = rng.uniform(0, 120)
    for angle in (start, start + 120, start + 240):
        tip = (0.9 * math.cos(math.radians(angle)), 0.9 * math.sin(math.radians(angle)))
        pen.line([(0, 0), tip], (240, 240, 240), 0.08)
    pen.disc(0, 0, 0.1, (250, 250, 250))


def _star_fort(pen: Pen, rng: np.random.Generator) -> None:
    points = int(rng.integers(5, 8))
    for outer, colour in ((0.98, (74, 96, 112)), (0.8, (150, 140, 110)), (0.62, (104, 128, 82))):
        corners = []
        for step in range(2 * points):
            radius, angle = (outer if step % 2 == 0 else 0.62 * outer), math.pi * step / points
            corners.append((radius * math.cos(angle), radius * math.sin(angle)))
        pen.polygon(corners, colour)
    pen.box(-0.16, -0.16, 0.16, 0.16, (178, 92, 74))


def _maze(pen: Pen, rng: np.random.Generator) -> None:
    pen.box(-0.95, -0.95, 0.95, 0.95, (190, 180, 150))
    for ring in range(6):
        half, gap = 0.9 - 0.15 * ring, rng.uniform(-0.5, 0.5) * (0.9 - 0.15 * ring)
        sides = [[(-half, -half), (half, -half)], [(half, -half), (half, half)], [(-half, half), (-half, -half)]]
        for side in [*sides, [(-half, half), (gap, half)], [(min(half, gap + 0.14), half), (half, half)]]:
            pen.line(side, (46, 84, 44), 0.06)


def _salt_pans(pen: Pen, rng: np.random.Generator) -> None:
    tones: Sequence[RGB] = ((212, 142, 150), (230, 224, 214), (188, 96, 92), (156, 190, 192), (222, 190, 170))
    pen.box(-1, -1, 1, 1, (150, 140, 118))
    for row in range(4):
        for col in range(4):
            x, y = -0.96 + 0.49 * col, -0.96 + 0.49 * row
            pen.box(x, y, x + 0.45, y + 0.45, tones[int(rng.integers(len(tones)))])


def _radio_telescope(pen: Pen, rng: np.random.Generator) -> None:
    pen.disc(0.22, 0.22, 0.72, _SHADOW, alpha=170)
    pen.disc(0, 0, 0.74, _STEEL)
    pen.disc(-0.05, -0.05, 0.5, (236, 236, 236))
    for angle in (90, 210, 330):
        turn = math.radians(angle + rng.uniform(-8, 8))
        pen.line([(0.7 * math.cos(turn), 0.7 * math.sin(turn)), (0.05, 0.05)], (90, 92, 96), 0.05)
    pen.disc(0.05, 0.05, 0.12, (60, 60, 64))


def _heliostats(pen: Pen, rng: np.random.Generator) -> None:
    pen.disc(0, 0, 0.98, shade((172, 150, 118), rng.uniform(0.9, 1.1)))
    for ring in range(3, 10):
        for step in range(6 * ring):
            angle = 2 * math.pi * step / (6 * ring)
            x, y = 0.1 * ring * math.cos(angle), 0.1 * ring * math.sin(angle)
            pen.box(x - 0.025, y - 0.025, x + 0.025, y + 0.025, (60, 86, 132))
    pen.disc(0, 0, 0.12, (245, 245, 240))


def _fish_cages(pen: Pen, rng: np.random.Generator) -> None:
    pen.box(-1, -0.75, 1, 0.75, (36, 66, 84))
    for row in (-0.36, 0.36):
        for col in range(4):
            x = -0.72 + 0.48 * col + rng.uniform(-0.02, 0.02)
            pen.disc(x, row, 0.2, (24, 46, 58))
            pen.ring(x, row, 0.2, (210, 212, 208), 0.05)
    pen.line([(-0.95, 0), (0.95, 0)], (150, 150, 140), 0.05)


DRAWN: Mapping[str, Draw] = {
    "pumpjack": _pumpjack,
    "wind turbine": _wind_turbine,
    "star fort": _star_fort,
    "hedge maze": _maze,
    "salt pans": _salt_pans,
    "radio telescope": _radio_telescope,
    "heliostat field": _heliostats,
    "fish cages": _fish_cages,
}
"""Kinds by their common name."""
WORDS: Mapping[str, str] = {
    "AnnualCrop": "annual crops", "Forest": "forest", "HerbaceousVegetation": "herbaceous vegetation",
    "Highway": "highway", "Industrial": "industrial buildings", "Pasture": "pasture",
    "PermanentCrop": "permanent crops", "Residential": "residential buildings", "River": "river", "SeaLake": "lake",
}  # fmt: skip
"""Common names of EuroSAT's classes; of other folders, the folder's name is the word."""


@dataclass(frozen=True)
class Known:
    """What a scene shows."""

    key: str
    cells: Mapping[str, tuple[Window, ...]]
    """Windows of each kind, native pixels."""
    ground: tuple[str, ...]
    """Classes of chips that the rest is made of: kinds among them are nowhere and everywhere, and not asked for."""


def make_scenes(
    chips: Mapping[str, Sequence[Path]], folder: Path, *, drawn: bool, scenes: int, cells: int, seed: int
) -> list[Known]:
    """Write scenes as plain GeoTIFF files beside their truth, unless they are there; return what they show.

    Args:
        chips: Files by class; the ground, or the kinds themselves.
        folder: Where to write.
        drawn: Whether the kinds are drawn on the chips; else they are classes of chips, hidden among two others.
        scenes: Number of scenes.
        cells: Cells a side.
        seed: Seed of the first scene; the next have the next ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_scene(chips, folder, drawn, cells, number) for number in range(seed, seed + scenes)]


def _scene(chips: Mapping[str, Sequence[Path]], folder: Path, drawn: bool, cells: int, seed: int) -> Known:
    name, truth = f"concepts-{seed:04d}", folder / f"concepts-{seed:04d}.truth.json"
    if not truth.exists():
        rng = random.Random(seed)
        kinds = list(DRAWN) if drawn else sorted(chips)
        chosen = rng.sample(kinds, k=_KINDS_A_SCENE)
        ground = sorted(chips) if drawn else rng.sample([each for each in kinds if each not in chosen], k=2)
        inner = [(row, col) for row in range(1, cells - 1) for col in range(1, cells - 1)]
        places = {}
        for kind in chosen:
            for _ in range(rng.randint(1, _MOST_OF_A_KIND)):
                places[inner.pop(rng.randrange(len(inner)))] = kind
        picture: NDArray[np.uint8] = np.zeros(((cells + 1) * CELL_PX, (cells + 1) * CELL_PX, 3), dtype=np.uint8)
        found: dict[str, list[Window]] = {kind: [] for kind in chosen}
        down, across = rng.randrange(CELL_PX), rng.randrange(CELL_PX)
        for row in range(cells + 1):
            for col in range(cells + 1):
                hidden, y, x = places.get((row, col)), row * CELL_PX, col * CELL_PX
                source = hidden if hidden is not None and not drawn else rng.choice(ground)
                cell, box = _chip(rng.choice(chips[source]), rng), (0, 0, CELL_PX, CELL_PX)
                if hidden is not None and drawn:
                    cell, box = _with(DRAWN[hidden], cell, rng)
                picture[y : y + CELL_PX, x : x + CELL_PX] = cell
                if hidden is not None:
                    left, top = x - across, y - down
                    found[hidden].append((left + box[0], top + box[1], left + box[2], top + box[3]))
        side = cells * CELL_PX
        _write(picture[down : down + side, across : across + side], folder / f"{name}.tif", seed)
        truth.write_text(json.dumps({"cells": found, "ground": ground}), encoding="utf-8")
    read = json.loads(truth.read_text(encoding="utf-8"))
    known = {kind: tuple((w[0], w[1], w[2], w[3]) for w in windows) for kind, windows in read["cells"].items()}
    return Known(name, known, tuple(read["ground"]))


def _chip(path: Path, rng: random.Random) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC))
    pixels = np.rot90(pixels, rng.randrange(4))
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _with(draw: Draw, cell: NDArray[np.uint8], rng: random.Random) -> tuple[NDArray[np.uint8], Window]:
    """Return a cell with an object on it, and the object's window in the cell."""
    side = rng.randint(96, 176)
    pen = Pen(side * SUPERSAMPLE)
    draw(pen, np.random.default_rng(rng.randrange(2**32)))
    turned = pen.image.rotate(rng.uniform(0, 360), resample=Image.Resampling.BILINEAR, expand=True)
    size = round(turned.width / SUPERSAMPLE)
    turned = turned.resize((size, size), Image.Resampling.BOX)
    x, y = (rng.randint(0, max(0, CELL_PX - size)) for _ in "xy")
    picture = Image.fromarray(cell)
    picture.paste(turned, (x, y), turned)
    left, top, right, bottom = turned.getbbox() or (0, 0, size, size)
    return np.asarray(picture), (x + left, y + top, min(CELL_PX, x + right), min(CELL_PX, y + bottom))


def _write(picture: NDArray[np.uint8], path: Path, seed: int) -> None:
    height, width = picture.shape[:2]
    origin = from_origin(480_000 + (seed % 50) * 20_000, 3_650_000 + (seed // 50) * 20_000, 0.3, 0.3)
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "crs": "EPSG:32611",
               "transform": origin, "tiled": True, "blockxsize": 512, "blockysize": 512}  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(picture.transpose(2, 0, 1))
        file.build_overviews([2, 4, 8], rasterio.enums.Resampling.average)
