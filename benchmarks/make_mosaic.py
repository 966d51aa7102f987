"""Stitch real aerial chips into very large scenes in which every target is known.

    python -m benchmarks.make_mosaic --images CHIPS --split dev --rows 40 --cols 40 --out DIR

The pixels are real and the layout is drawn: cells of a few target classes (1 to 4 cells of each) hidden among
background that changes smoothly, so that a target covers far less than 1 % of the scene. DIR receives, for scene seeds
SEED, SEED + 1, ...:

    catalog.json                   a static STAC catalog that links all items
    SCENE/SCENE.json, SCENE.tif    the STAC item, and a uint8 RGB COG with overviews
    truth/SCENE.json               class, chip and pixel window (x0, y0, x1, y1) of each target cell
    truth/SCENE.questions.jsonl    multiple-choice questions (position, count, presence, absent) with their answers

The same seed and chips give the same scenes. Memory holds one row of cells at a time.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from imagerag_assets.errors import ImageRAGError, InputError

CELL_PX = 256
_GSD_M, _EPSG = 0.3, 32611
_FEWEST_CELLS = 8  # a side

BACKGROUND = ("agricultural", "chaparral", "forest", "mediumresidential", "river")
TARGETS = {
    "airplane": "airplane",
    "baseballdiamond": "baseball diamond",
    "beach": "beach",
    "buildings": "large building",
    "freeway": "freeway",
    "golfcourse": "golf course",
    "harbor": "harbor",
    "intersection": "road intersection",
    "mobilehomepark": "mobile home park",
    "overpass": "overpass",
    "parkinglot": "parking lot",
    "runway": "runway",
    "storagetanks": "storage tank",
    "tenniscourt": "tennis court",
}
_QUADRANTS = ["upper left", "upper right", "lower left", "lower right"]
_ABSENT = "This image does not feature it"


def make_mosaics(
    images: Path,
    out: Path,
    *,
    split: str | None = None,
    index: Path | None = None,
    rows: int = 40,
    cols: int = 40,
    scenes: int = 1,
    seed: int = 1,
) -> Path:
    """Write `scenes` mosaics of `rows` x `cols` cells into `out`.

    Args:
        images: Folder with one sub-folder of chips per class.
        out: Where to write; created if missing.
        split: Use only chips of this split of the index.
        index: CSV with the columns file and split; default: `index.csv` beside `images`.
        rows: Number of cells down.
        cols: Number of cells across.
        scenes: Number of mosaics; their seeds are `seed`, `seed` + 1, ...
        seed: Seed of the first mosaic.

    Returns:
        The path of the catalog.

    Raises:
        InputError: a mosaic is too small, or a class has no chips.
    """
    if min(rows, cols) < _FEWEST_CELLS:
        raise InputError(
            f"A mosaic of {rows} x {cols} cells is too small", fix=f"Ask for {_FEWEST_CELLS} x {_FEWEST_CELLS}"
        )
    chips = chips_by_class(images, split, index)
    out.mkdir(parents=True, exist_ok=True)
    names = [_make_mosaic(chips, out, rows, cols, number) for number in range(seed, seed + scenes)]
    links = [{"rel": "item", "href": f"./{name}/{name}.json", "type": "application/geo+json"} for name in names]
    catalog = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "mosaics",
        "description": "Mosaics of real aerial chips",
        "links": [{"rel": "root", "href": "./catalog.json", "type": "application/json"}, *links],
    }
    (out / "catalog.json").write_text(json.dumps(catalog, indent=1), encoding="utf-8")
    return out / "catalog.json"


def chips_by_class(images: Path, split: str | None, index: Path | None) -> dict[str, list[Path]]:
    """Map each class to the paths of its chips, sorted."""
    wanted: set[str] | None = None
    if split:
        with (index or images.parent / "index.csv").open(newline="", encoding="utf-8") as lines:
            wanted = {Path(row["file"]).name for row in csv.DictReader(lines) if row["split"] == split}
    found = {
        folder.name: sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in {".jpg", ".png", ".tif"} and (wanted is None or path.name in wanted)
        )
        for folder in sorted(images.iterdir())
        if folder.is_dir()
    }
    if missing := [name for name in (*BACKGROUND, *TARGETS) if not found.get(name)]:
        raise InputError(
            f"There are no chips of {', '.join(missing)}", fix="Add a sub-folder of chips for each class", path=images
        )
    return found


def _make_mosaic(chips: dict[str, list[Path]], out: Path, rows: int, cols: int, seed: int) -> str:
    """Write one mosaic, its item and its truth; return its name."""
    # The draws below keep a fixed order: another order would give another scene for the same seed.
    name, rng = f"mosaic-{seed:04d}", random.Random(seed)
    cells, counts = _lay_out(rows + 1, cols + 1, rng)
    height, width = rows * CELL_PX, cols * CELL_PX
    down, across = rng.randrange(CELL_PX), rng.randrange(CELL_PX)  # cells do not line up with any division
    decks = {each: rng.sample(paths, len(paths)) for each, paths in chips.items()}
    left, top = 480_000 + (seed % 50) * 20_000, 3_650_000 + (seed // 50) * 20_000
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "crs": f"EPSG:{_EPSG}",
        "transform": from_origin(left, top, _GSD_M, _GSD_M), "tiled": True, "blockxsize": 512, "blockysize": 512,
        "interleave": "pixel", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "raw.tif"
    truth: list[dict[str, Any]] = []
    with rasterio.open(plain, "w", **profile) as file:
        for row, classes in enumerate(cells):
            strip = np.empty((3, CELL_PX, width + CELL_PX), np.uint8)
            y0 = row * CELL_PX - down
            for col, each in enumerate(classes):
                deck = decks[each]
                path = deck[rng.randrange(len(deck))]
                strip[:, :, col * CELL_PX : (col + 1) * CELL_PX] = _turned_chip(path, rng)
                if each in TARGETS:
                    x0 = col * CELL_PX - across
                    window = [x0, y0, x0 + CELL_PX, y0 + CELL_PX]
                    truth.append({"class": each, "chip": path.stem, "window": window})
            first, last = max(y0, 0), min(y0 + CELL_PX, height)
            if first < last:
                part = strip[:, first - y0 : last - y0, across : across + width]
                file.write(part, window=Window(0, first, width, last - first))
    rasterio.shutil.copy(
        plain, folder / f"{name}.tif", driver="COG", compress="JPEG", quality=92, blocksize=512,
        overview_resampling="average", BIGTIFF="IF_SAFER",
    )  # fmt: skip
    plain.unlink()
    (folder / f"{name}.json").write_text(json.dumps(_item(name, seed, profile), indent=1), encoding="utf-8")
    (out / "truth").mkdir(exist_ok=True)
    known = json.dumps({"size": [height, width], "cells": truth})
    (out / "truth" / f"{name}.json").write_text(known, encoding="utf-8")
    asked = _questions(name, truth, counts, (height, width), rng)
    lines = "".join(json.dumps(each) + "\n" for each in asked)
    (out / "truth" / f"{name}.questions.jsonl").write_text(lines, encoding="utf-8")
    return name


def _lay_out(rows: int, cols: int, rng: random.Random) -> tuple[list[list[str]], dict[str, int]]:
    """Return the class of each cell, and how many cells each target class has."""
    coarse = np.random.default_rng(rng.randrange(2**32)).random((len(BACKGROUND), 5, 5))
    ys, xs = np.linspace(0, 4, rows), np.linspace(0, 4, cols)
    y0, x0 = np.minimum(ys.astype(int), 3), np.minimum(xs.astype(int), 3)
    fy, fx = (ys - y0)[:, None], (xs - x0)[None, :]

    def at(dy: int, dx: int) -> NDArray[np.float64]:
        return coarse[:, y0 + dy][:, :, x0 + dx]

    smooth = (1 - fy) * ((1 - fx) * at(0, 0) + fx * at(0, 1)) + fy * ((1 - fx) * at(1, 0) + fx * at(1, 1))
    cells = [[BACKGROUND[number] for number in row] for row in smooth.argmax(0)]
    chosen = rng.sample(list(TARGETS), k=min(7, max(2, rows * cols // 40)))
    counts = {name: rng.randint(1, 4) for name in chosen}
    inner = [(row, col) for row in range(1, rows - 1) for col in range(1, cols - 1)]
    free = rng.sample(inner, k=sum(counts.values()))
    for name, count in counts.items():
        for _ in range(count):
            row, col = free.pop()
            cells[row][col] = name
    return cells, counts


def _turned_chip(path: Path, rng: random.Random) -> NDArray[np.uint8]:
    """Read a chip as uint8 (3, 256, 256), turned and mirrored by chance."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((CELL_PX, CELL_PX)))
    pixels = np.rot90(pixels, rng.randrange(4))
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _item(name: str, seed: int, profile: dict[str, Any]) -> dict[str, Any]:
    """Return the STAC item of a mosaic with this rasterio profile."""
    height, width, transform = profile["height"], profile["width"], profile["transform"]
    bounds = (transform.c, transform.f - height * _GSD_M, transform.c + width * _GSD_M, transform.f)
    west, south, east, north = transform_bounds(profile["crs"], "EPSG:4326", *bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"2026-{1 + seed % 12:02d}-{1 + seed % 28:02d}T10:00:00Z",
            "gsd": _GSD_M,
            "platform": "mosaic",
            "proj:epsg": _EPSG,
            "proj:shape": [height, width],
            "proj:transform": list(transform)[:6],
        },
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
        ],
        "assets": {
            "visual": {
                "href": f"./{name}.tif",
                "roles": ["data", "visual"],
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            }
        },
    }


def _questions(
    scene: str, truth: list[dict[str, Any]], counts: dict[str, int], size: tuple[int, int], rng: random.Random
) -> list[dict[str, Any]]:
    """Return multiple-choice questions with their answers, about what is there and what is not."""
    asked: list[dict[str, Any]] = []

    def add(kind: str, name: str, text: str, options: list[str], right: str) -> None:
        if right != _ABSENT and _ABSENT not in options:
            options = [*options, _ABSENT]
        asked.append(
            {
                "id": f"{scene}-{len(asked):02d}",
                "scene": scene,
                "kind": kind,
                "class": name,
                "question": text,
                "choices": dict(zip("ABCDE", options, strict=False)),
                "answer": "ABCDE"[options.index(right)],
                "roi": [cell["window"] for cell in truth if cell["class"] == name],
            }
        )

    absent = [name for name in TARGETS if name not in counts]
    for name, count in counts.items():
        word = TARGETS[name]
        if count == 1:
            x0, y0, x1, y1 = next(cell["window"] for cell in truth if cell["class"] == name)
            quadrant = _QUADRANTS[2 * ((y0 + y1) / 2 >= size[0] / 2) + ((x0 + x1) / 2 >= size[1] / 2)]
            add("position", name, f"In which part of the image is the {word}?", _QUADRANTS, quadrant)
        sites = f"How many separate sites with a {word} are there in the image?"
        add("count", name, sites, ["1", "2", "3", "4"], str(count))
        options = [TARGETS[each] for each in (name, *rng.sample(absent, 3))]
        rng.shuffle(options)
        add("presence", name, "Which of these can be seen in the image?", options, word)
    for name in rng.sample(absent, min(3, len(absent))):
        text = f"In which part of the image is the {TARGETS[name]}?"
        add("absent", name, text, [*_QUADRANTS, _ABSENT], _ABSENT)
    return asked


def main(given: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with one sub-folder of chips per class")
    parser.add_argument("--split", help="use only chips of this split of the index")
    parser.add_argument("--index", type=Path, help="index.csv with a split column; default: beside the chips")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=40, help="cells down, of 256 px each")
    parser.add_argument("--cols", type=int, default=40, help="cells across")
    parser.add_argument("--scenes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args(given))
    try:
        make_mosaics(options.pop("images"), options.pop("out"), **options)
    except ImageRAGError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
