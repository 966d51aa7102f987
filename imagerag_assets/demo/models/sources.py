"""The pictures that a demo encoder learns from, by where they come from.

UC Merced chips, drawn chips, drawn objects pasted on real ground, EuroSAT's chips of 10 m, and NAIP crops with trees.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

from imagerag_assets.demo.models.chips import CHIP_PX, Chips, draw_chips
from imagerag_assets.demo.models.vocabulary import coloured
from imagerag_assets.demo.sprites import OBJECT_CLASSES, sprite
from imagerag_assets.demo.terrain import GSD_M

LAND_CLASSES = {
    "AnnualCrop": "agricultural",
    "Forest": "forest",
    "HerbaceousVegetation": "grassland",
    "Highway": "freeway",
    "Industrial": "industrial area",
    "Pasture": "pasture",
    "PermanentCrop": "permanent crops",
    "Residential": "residential area",
    "River": "river",
    "SeaLake": "water",
}
"""Our classes by EuroSAT's."""
_GROUNDS = ("agricultural", "chaparral", "forest", "sparse residential", "beach", "golf course")
_FEWEST_TREES = 3


@dataclass(frozen=True)
class Source:
    """Pictures of one kind; `share`: of all pictures that are shown; `apart`: never shown beside another source's."""

    chips: Chips
    share: float
    apart: bool = False


def number_of(path: Path) -> int:
    """Return the number that ends a chip's name; neighbouring numbers are often cut from one picture."""
    found = re.search(r"(\d+)$", path.stem)
    return int(found.group(1)) if found else -1


def all_sources(real: Chips, eurosat: Path | None, trees: Path | None, drawn: int, seed: int) -> list[Source]:
    """Return every source, in an order that stays.

    Args:
        real: UC Merced chips.
        eurosat: Folder of EuroSAT with `index.csv`, or None to go without.
        trees: Folder of NAIP crops with `images` and `csv`, or None.
        drawn: Number of drawn chips; a quarter as many are pasted on real ground.
        seed: Of what is drawn.
    """
    sources = [
        Source(real, 0.6),
        Source(draw_chips(drawn, seed), 0.16),
        Source(paste_chips(real, drawn // 4, seed), 0.06),
    ]
    if eurosat is not None:
        sources.append(Source(land_chips(eurosat), 0.13, apart=True))
    if trees is not None:
        sources.append(Source(tree_chips(trees), 0.05, apart=True))
    return sources


def paste_chips(grounds: Chips, count: int, seed: int) -> Chips:
    """Paste drawn objects on chips of open ground, and ships on none of them."""
    usable = [i for i, name in enumerate(grounds.names) if name in _GROUNDS]
    kinds = [kind for kind in OBJECT_CLASSES.values() if not kind.on_water]
    images, names, finer = [], [], []
    for number in range(count):
        rng = np.random.default_rng((seed, 41, number))
        kind = kinds[int(rng.integers(len(kinds)))]
        colour = str(rng.choice(kind.colours)) if kind.colours else None
        picture = Image.fromarray(grounds.images[int(rng.choice(usable))])
        px = round(kind.side_m / GSD_M * rng.uniform(0.7, 1.3))
        stamp = sprite(kind.name, colour, px, rng.uniform(0, 360), rng)
        x, y = CHIP_PX / 2 + rng.uniform(-0.3, 0.3, 2) * CHIP_PX
        picture.paste(stamp, (round(x - stamp.width / 2), round(y - stamp.height / 2)), stamp)
        images.append(np.asarray(picture))
        names.append(kind.name)
        finer.append(coloured(kind.name, colour))
    return Chips(np.stack(images), tuple(names), tuple(finer))


def land_chips(root: Path, per_class: int = 250) -> Chips:
    """Read chips of EuroSAT, evenly from each class, enlarged to 256 px."""
    by_folder, images, names = land_files(root), [], []
    for folder, name in LAND_CLASSES.items():
        files = sorted(by_folder[folder])
        for file in files[:: max(1, len(files) // per_class)][:per_class]:
            with Image.open(root / file) as picture:
                large = picture.convert("RGB").resize((CHIP_PX, CHIP_PX), Image.Resampling.BICUBIC)
            images.append(np.asarray(large))
            names.append(name)
    return Chips(np.stack(images), tuple(names), (None,) * len(names))


def land_files(root: Path) -> dict[str, list[str]]:
    """Return EuroSAT's files by its own classes, relative to its folder, in the order of its index."""
    found: dict[str, list[str]] = {}
    with (root / "index.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["class"], []).append(row["file"])
    return found


def tree_chips(root: Path) -> Chips:
    """Cut NAIP crops, whole and in quarters, that show trees."""
    images = [
        np.asarray(Image.fromarray(image).resize((CHIP_PX, CHIP_PX), Image.Resampling.BICUBIC))
        for image, count in tree_crops(root)
        if count >= _FEWEST_TREES
    ]
    return Chips(np.stack(images), ("tree",) * len(images), (None,) * len(images))


def tree_crops(root: Path, keep: Callable[[str], bool] = lambda city: True) -> Iterator[tuple[np.ndarray, int]]:
    """Yield NAIP crops, uint8 (h, w, 3), whole and in quarters, and the number of trees in each.

    Args:
        root: Folder with `images` and `csv`.
        keep: Whether a city's crops are wanted; the city is the name before the year.
    """
    for path in sorted((root / "images").rglob("*.tif*")):
        points = root / "csv" / f"{path.stem}.csv"
        if not points.is_file() or not keep(path.stem.partition("_")[0]):
            continue
        with rasterio.open(path) as source:
            image = np.moveaxis(source.read([1, 2, 3]), 0, -1)
        with points.open(newline="", encoding="utf-8") as lines:
            places = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(lines)]
        half = image.shape[0] // 2
        windows = [(0, 0, image.shape[1]), *((x, y, half) for x in (0, half) for y in (0, half))]
        for x0, y0, side in windows:
            count = sum(x0 <= x < x0 + side and y0 <= y < y0 + side for x, y in places)
            yield image[y0 : y0 + side, x0 : x0 + side], count
