"""Make the demo's data: a static STAC catalog of drawn scenes with known contents, and chips for its knowledge bases.

Everything is drawn from a seed; nothing is downloaded.  `terrain.py` and `sprites.py` do the drawing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pystac
import rasterio
from PIL import Image, ImageStat
from pyproj import CRS
from rasterio.enums import ColorInterp
from rasterio.shutil import copy as raster_copy
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping

from imagerag_assets.demo.sprites import OBJECT_CLASSES, sprite
from imagerag_assets.demo.terrain import GSD_M, Terrain, draw_terrain, finish
from imagerag_assets.objects.aside import written_aside
from imagerag_assets.training.question_maker import KINDS, DemoQuestion, Placed, QuestionMaker

CRS_CODE = 32632
_TRIES = 400
_EXEMPLARS = 6
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ScenePlan:
    """Name, size in pixels, sample depth and share of water of a scene to draw."""

    name: str
    width: int
    height: int
    sixteen_bit: bool = False
    water: float = 0.12


@dataclass(frozen=True)
class DemoCatalog:
    """Paths of the demo's data: the catalog, its answer key and questions, and the chips of the knowledge bases."""

    catalog: Path
    truth: Path
    questions: Path
    knowledge: Path


PLANS = (
    ScenePlan("lakeside", 4096, 3584),
    ScenePlan("valley", 3584, 4096, water=0.0),
    ScenePlan("estuary", 3072, 3072, sixteen_bit=True, water=0.2),
)


def draw_scene(plan: ScenePlan, rng: np.random.Generator) -> tuple[Image.Image, tuple[Placed, ...]]:
    """Draw one scene; return an RGB picture, and the objects placed in it."""
    terrain = draw_terrain(plan.width, plan.height, rng, water=plan.water)
    usable = [c for c in OBJECT_CLASSES.values() if plan.water or not c.on_water]
    chosen = rng.choice(len(usable), size=min(7, len(usable)), replace=False)
    picture, placed = terrain.image.copy(), []
    taken: list[tuple[int, int, int, int]] = []
    for order, number in enumerate(chosen):
        kind = usable[int(number)]
        # Draw only one object of each of the first three classes, so that questions can ask for its place and colour.
        for _ in range(1 if order < 3 else int(rng.integers(1, 5))):
            colour = str(rng.choice(kind.colours)) if kind.colours else None
            side = round(kind.side_m / GSD_M)
            spot = _find_spot(terrain, side, kind.on_water, taken, rng)
            if spot is None:
                continue
            stamp = sprite(kind.name, colour, side, rng.uniform(0, 360), rng)
            x, y = spot
            picture.paste(stamp, (x - stamp.width // 2, y - stamp.height // 2), stamp)
            window = (x - side // 2, y - side // 2, x + side // 2, y + side // 2)
            taken.append(window)
            placed.append(Placed(kind.name, kind.plural, colour, window))
    return finish(picture, rng), tuple(placed)


def _find_spot(
    terrain: Terrain, side: int, on_water: bool, taken: list[tuple[int, int, int, int]], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Return the centre of a free place (x, y) in pixels, or None after a bounded number of tries."""
    reach = round(side * 0.75)
    width, height = terrain.image.size
    for _ in range(_TRIES):
        x = int(rng.integers(reach, width - reach))
        y = int(rng.integers(reach, height - reach))
        around = (x - reach, y - reach, x + reach, y + reach)
        mask = terrain.water if on_water else terrain.busy
        share = ImageStat.Stat(mask.crop(around)).mean[0] / 255
        if (share < 0.98) if on_water else (share > 0.02):
            continue
        gap = 90
        if all(
            around[2] + gap < t[0] or t[2] + gap < around[0] or around[3] + gap < t[1] or t[3] + gap < around[1]
            for t in taken
        ):
            return x, y
    return None


def write_cog(picture: Image.Image, path: Path, origin: tuple[float, float], *, sixteen_bit: bool = False) -> None:
    """Write a picture as a COG with overviews: uint8 RGB, or uint16 with a fourth, near-infrared band and nodata 0."""
    pixels = np.asarray(picture)
    bands = pixels.transpose(2, 0, 1)
    if sixteen_bit:
        # Reflectance-like numbers; vegetation (green over red) shines in the near infrared.
        rgb = bands.astype(np.float32) * 11 + 180
        infrared = 400 + 9 * np.clip(120 + 3.0 * (bands[1].astype(np.float32) - bands[0]), 0, 255)
        bands = np.concatenate([rgb, infrared[None]]).astype(np.uint16)
    profile = {
        "driver": "GTiff",
        "width": picture.width,
        "height": picture.height,
        "count": len(bands),
        "dtype": bands.dtype,
        "crs": CRS.from_epsg(CRS_CODE).to_wkt(),
        "transform": from_origin(*origin, GSD_M, GSD_M),
        "tiled": True,
        "nodata": 0 if sixteen_bit else None,
    }
    raw = path.with_suffix(".raw.tif")
    with rasterio.open(raw, "w", **profile) as target:
        target.write(bands)
        target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined][: len(bands)]
    options = {"compress": "DEFLATE", "predictor": "YES"} if sixteen_bit else {"compress": "JPEG", "quality": 90}
    with written_aside(path) as aside:
        raster_copy(raw, aside, driver="COG", blocksize=512, overview_resampling="average", **options)
    raw.unlink()


def scene_item(plan: ScenePlan, number: int, origin: tuple[float, float], path: Path) -> pystac.Item:
    """Return the STAC item of a drawn scene with its upper left corner at `origin` (x, y in metres)."""
    left, top = origin
    bounds = (left, top - plan.height * GSD_M, left + plan.width * GSD_M, top)
    west, south, east, north = transform_bounds(f"EPSG:{CRS_CODE}", "EPSG:4326", *bounds)
    bands = [{"name": n, "eo:common_name": n} for n in ("red", "green", "blue", "nir")[: 4 if plan.sixteen_bit else 3]]
    when = datetime(2026, 5, 4, 10, 30, tzinfo=UTC) + timedelta(days=11 * number)
    item = pystac.Item(
        plan.name,
        mapping(box(west, south, east, north)),
        [west, south, east, north],
        when,
        {
            "gsd": GSD_M,
            "platform": "drawn",
            "eo:cloud_cover": 0,
            "proj:code": f"EPSG:{CRS_CODE}",
            "proj:shape": [plan.height, plan.width],
            "proj:transform": list(from_origin(*origin, GSD_M, GSD_M))[:6],
        },
        stac_extensions=[
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
        ],
    )
    roles = ["data"] if plan.sixteen_bit else ["data", "visual"]
    asset = pystac.Asset(str(path), media_type=pystac.MediaType.COG, roles=roles, extra_fields={"bands": bands})
    item.add_asset("image", asset)
    return item


def scene_questions(
    placed: tuple[Placed, ...], size: tuple[int, int], rng: np.random.Generator, per_kind: int = 2
) -> list[DemoQuestion]:
    """Make up to `per_kind` different questions of every kind about one scene of `size` (width, height)."""
    vocabulary = {c.name: c.plural for c in OBJECT_CLASSES.values()}
    maker = QuestionMaker(placed, size, vocabulary, {c.name: c.colours for c in OBJECT_CLASSES.values()}, rng)
    found: dict[tuple[str, str], DemoQuestion] = {}
    for kind in KINDS:
        for _ in range(4 * per_kind):
            question = maker.make(kind)
            if question and sum(k == kind for k, _ in found) < per_kind:
                found.setdefault((kind, question.name), question)
    return list(found.values())


def generate_demo(folder: Path, *, seed: int = 20, progress: Progress | None = None) -> DemoCatalog:
    """Draw the demo's scenes and knowledge, unless an earlier call with the same seed finished.

    Args:
        folder: Where to write `catalog/` (to ingest), `truth/` (the answer key) and `knowledge/` (labelled chips).
        seed: The same seed gives the same pixels.
        progress: Called with (done, total, what).

    Returns:
        The paths of the data.
    """
    folder = folder.absolute()  # hrefs are made relative to their item, which needs absolute paths
    catalog = DemoCatalog(
        folder / "catalog" / "catalog.json",
        folder / "truth",
        folder / "truth" / "questions.jsonl",
        folder / "knowledge",
    )
    stamp = folder / "seed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == str(seed):
        return catalog
    report = progress or (lambda done, total, what: None)
    shutil.rmtree(folder, ignore_errors=True)
    catalog.truth.mkdir(parents=True)
    root = pystac.Catalog("drawn-scenes", "Drawn scenes with objects of known class, colour, number and place")
    lines: list[dict[str, object]] = []
    for number, plan in enumerate(PLANS):
        report(number, len(PLANS) + 1, f"drawing scene {plan.name}")
        rng = np.random.default_rng((seed, number))
        picture, placed = draw_scene(plan, rng)
        path = catalog.catalog.parent / plan.name / f"{plan.name}.tif"
        path.parent.mkdir(parents=True)
        origin = (500_000.0 + 4_000 * number, 5_350_000.0 + 3_000 * number)
        write_cog(picture, path, origin, sixteen_bit=plan.sixteen_bit)
        root.add_item(scene_item(plan, number, origin, path))
        truth = [{"class": p.name, "colour": p.colour, "window": list(p.window)} for p in placed]
        (catalog.truth / f"{plan.name}.json").write_text(
            json.dumps({"size": [plan.height, plan.width], "cells": truth})
        )
        for question in scene_questions(placed, (plan.width, plan.height), rng):
            lines.append(question.to_dict(plan.name, len(lines)))
    root.normalize_hrefs(str(catalog.catalog.parent))
    for item in root.get_items():
        item.make_asset_hrefs_relative()
    root.save(pystac.CatalogType.SELF_CONTAINED)
    catalog.questions.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    report(len(PLANS), len(PLANS) + 1, "drawing the chips of the knowledge base")
    draw_knowledge(catalog.knowledge, seed)
    stamp.write_text(str(seed), encoding="utf-8")
    report(len(PLANS) + 1, len(PLANS) + 1, "drawn")
    return catalog


def draw_knowledge(folder: Path, seed: int) -> None:
    """Draw the knowledge base: `labels/LABEL/*.jpg`, and `captions.jsonl` over the same pictures.

    The packaged glossary (`knowledge/glossary.json`) has the analysts' terms for these labels.
    """
    captions = []
    for number, (name, kind) in enumerate(OBJECT_CLASSES.items()):
        target = folder / "labels" / name
        target.mkdir(parents=True)
        for k in range(_EXEMPLARS):
            rng = np.random.default_rng((seed, 1000 + number, k))
            colour = kind.colours[k % len(kind.colours)] if kind.colours else None
            side = 512
            land = draw_terrain(side, side, rng, water=0.9 if kind.on_water else 0.0).image.crop((128, 128, 384, 384))
            stamp = sprite(name, colour, round(kind.side_m / GSD_M), rng.uniform(0, 360), rng)
            land.paste(stamp, (128 - stamp.width // 2, 128 - stamp.height // 2), stamp)
            finish(land, rng).save(target / f"{k}.jpg", quality=92)
            caption = f"an aerial photo of a {colour + ' ' if colour else ''}{name}"
            captions.append({"image": f"labels/{name}/{k}.jpg", "caption": caption})
    (folder / "captions.jsonl").write_text("".join(json.dumps(c) + "\n" for c in captions), encoding="utf-8")
