"""Load and draw chips, the small labelled pictures used for training.

Augmentation is in `augment.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES, PHRASES, coloured
from imagerag_assets.demo.sprites import OBJECT_CLASSES, shade, sprite
from imagerag_assets.demo.terrain import (
    GSD_M,
    ROAD,
    WATER,
    draw_fields,
    draw_forest,
    draw_ground,
    draw_houses,
    draw_terrain,
    finish,
    road_points,
)
from imagerag_assets.errors import InputError

CHIP_PX = 256
_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
_GROUNDS = ("agricultural", "forest", "medium residential", "water", "grassland", "road")


@dataclass(frozen=True)
class Chips:
    """Labelled chips.

    images: uint8 (n, 256, 256, 3); names: class of each chip; finer: coloured class of each chip, or None.
    """

    images: np.ndarray
    names: tuple[str, ...]
    finer: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.names)


def load_chips(
    root: Path, split: str | None = None, index: Path | None = None, keep: Callable[[Path], bool] = lambda path: True
) -> Chips:
    """Read a folder with one sub-folder per class.

    Args:
        root: The folder.
        split: Keep only chips of this split of the index (columns file, split).
        index: The index; default: `index.csv` beside the folder.
        keep: Whether a file of the split is wanted.

    Raises:
        InputError: the folder has no chips, or a class without phrases.
    """
    wanted: set[str] | None = None
    if split:
        with (index or root.parent / "index.csv").open(newline="", encoding="utf-8") as lines:
            wanted = {Path(row["file"]).name for row in csv.DictReader(lines) if row["split"] == split}
    images, names = [], []
    for path in sorted(p for p in root.glob("*/*") if p.suffix.lower() in _SUFFIXES):
        if (wanted is not None and path.name not in wanted) or not keep(path):
            continue
        name = CHIP_CLASSES.get(path.parent.name, path.parent.name)
        if name not in PHRASES:
            raise InputError(f"Class {name!r} has no phrases", fix="Add it to demo/models/vocabulary.py", path=path)
        with Image.open(path) as picture:
            images.append(np.asarray(picture.convert("RGB").resize((CHIP_PX, CHIP_PX))))
        names.append(name)
    if not images:
        raise InputError("No chips found", fix="Give a folder with one sub-folder of pictures per class", path=root)
    return Chips(np.stack(images), tuple(names), (None,) * len(names))


def draw_chips(count: int, seed: int, workers: int = 2) -> Chips:
    """Draw `count` chips of objects and of bare ground; the number of workers does not change the result."""
    with ProcessPoolExecutor(workers) as pool:
        drawn = list(pool.map(partial(_draw_chip, seed), range(count), chunksize=32))
    return Chips(
        np.stack([image for image, _, _ in drawn]), tuple(n for _, n, _ in drawn), tuple(f for _, _, f in drawn)
    )


def _draw_chip(seed: int, number: int) -> tuple[np.ndarray, str, str | None]:
    rng = np.random.default_rng((seed, number))
    if rng.random() < 0.25:
        name = _GROUNDS[rng.integers(len(_GROUNDS))]
        return _draw_ground(name, rng), name, None
    name = list(OBJECT_CLASSES)[rng.integers(len(OBJECT_CLASSES))]
    kind = OBJECT_CLASSES[name]
    colour = str(rng.choice(kind.colours)) if kind.colours else None
    side = CHIP_PX + 320
    # A lake lies at one side of its terrain, so draw a large one and take a wet part.
    terrain = draw_terrain(side, side, rng, water=0.9 if kind.on_water else 0.0)
    left, top = rng.integers(0, side - CHIP_PX, 2)
    picture = terrain.image.crop((left, top, left + CHIP_PX, top + CHIP_PX))
    px = round(kind.side_m / GSD_M * rng.uniform(0.85, 1.15))
    stamp = sprite(name, colour, px, rng.uniform(0, 360), rng)
    # Place the object off the centre, as in a sliding window; at least about half of it stays inside.
    reach = CHIP_PX / 2 - 0.2 * px
    x, y = CHIP_PX / 2 + rng.uniform(-reach, reach, 2)
    picture.paste(stamp, (round(x - stamp.width / 2), round(y - stamp.height / 2)), stamp)
    return np.asarray(finish(picture, rng)), name, coloured(name, colour)


def _draw_ground(name: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a piece of land that is all `name`."""
    side = CHIP_PX
    picture = draw_ground(side, side, rng)
    pen = ImageDraw.Draw(picture)
    if name == "agricultural":
        draw_fields(pen, -80, -80, side + 160, rng)
    elif name == "forest":
        for _ in range(3):
            draw_forest(pen, -40, -40, side + 80, rng)
    elif name == "medium residential":
        mask = ImageDraw.Draw(Image.new("L", picture.size))
        draw_houses(pen, mask, int(rng.integers(-60, 0)), int(rng.integers(-60, 0)), side + 90, rng)
    elif name == "water":
        pen.rectangle((0, 0, side, side), fill=shade(WATER, rng.uniform(0.85, 1.2)))
    elif name == "road":
        points = road_points(side, side, rng)
        pen.line(points, fill=shade(ROAD, 0.8), width=40, joint="curve")
        pen.line(points, fill=ROAD, width=int(rng.integers(26, 36)), joint="curve")
        pen.line(points, fill=(216, 212, 190), width=2)
    return np.asarray(finish(picture, rng))
