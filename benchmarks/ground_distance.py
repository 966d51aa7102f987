"""Measure patches of so many metres against patches of so many pixels, on imagery of several ground distances.

Mosaics of chips are shrunk by box averages; scenes of 10 m are stitched of EuroSAT chips that the demo's encoders were
not taught.  Each set is ingested and asked in both layouts.  One JSON line is printed for each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image
from rasterio.transform import Affine

from imagerag_assets.demo.models.sources import LAND_CLASSES, land_files
from imagerag_assets.evaluation.cases import compare_windows
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.retrieval.calibration import parse, save_calibration
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene

_FOUND, _OWN_BOX = 0.5, 0.3
"""Share of a target that a cue covers, and intersection over union from which it is a box of its own."""
_GROUND = ("AnnualCrop", "Forest", "Pasture")
_LAND_CELL, _LAND_CELLS, _LAND_M = 64, 16, 10.0


@dataclass(frozen=True)
class Target:
    """A thing that is looked for in a scene."""

    file: str
    question: str
    windows: tuple[tuple[int, ...], ...]
    """Where it is, in native pixels; none: it is absent."""


def main() -> None:
    """Print the figures of each set and layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosaics", type=Path, required=True, help="folder of make_mosaic.py")
    parser.add_argument("--targets", type=Path, required=True, help="JSONL: scene, question, roi")
    parser.add_argument("--eurosat", type=Path, help="folder of EuroSAT with index.csv")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--encoder", default="demo")
    parser.add_argument("--encoders", type=Path, help="file of encoders")
    parser.add_argument("--calibration", type=Path, help="of the encoder, for `pyramid`; default: as packaged")
    parser.add_argument("--factors", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--layouts", nargs="+", default=["pixels", "76.8"], help="values of IMAGERAG_PATCH_M")
    parser.add_argument("--second-look", type=int, default=432)
    given = parser.parse_args()
    sets = [(f"{factor * 0.3:.1f} m", given.work / f"x{factor}", factor) for factor in given.factors]
    for name, folder, factor in sets:
        _report(given, name, folder, shrink(given.mosaics, given.targets, factor, folder, given.scenes))
    if given.eurosat:
        folder = given.work / "land"
        _report(given, "10 m", folder, stitch(given.eurosat, folder, given.scenes))


def _report(given: argparse.Namespace, name: str, folder: Path, targets: Sequence[Target]) -> None:
    for layout in given.layouts:
        print(json.dumps({"imagery": name, "layout": layout} | measure(given, folder, layout, targets)), flush=True)


def shrink(mosaics: Path, asked: Path, factor: int, out: Path, scenes: int) -> list[Target]:
    """Write the first mosaics, shrunk; return what is looked for in them."""
    rows = [json.loads(line) for line in asked.read_text(encoding="utf-8").splitlines()]
    names = sorted({row["scene"] for row in rows})[:scenes]
    for name in names:
        with rasterio.open(mosaics / name / f"{name}.tif") as source:
            pixels = np.moveaxis(source.read(), 0, -1)
            small = np.asarray(Image.fromarray(pixels).reduce(factor))
            _write(out / "imagery" / f"{name}.tif", small, source.transform * Affine.scale(factor))
    return [
        Target(row["scene"], row["question"], tuple(tuple(v // factor for v in box) for box in row["roi"]))
        for row in rows
        if row["scene"] in names
    ]


def stitch(eurosat: Path, out: Path, scenes: int) -> list[Target]:
    """Write scenes of 10 m with one to three chips of some classes amid ground of three others."""
    files = {folder: sorted(each)[1::2] for folder, each in land_files(eurosat).items()}
    targets = []
    for number in range(scenes):
        rng = np.random.default_rng((47, number))
        cells: dict[tuple[int, ...], str] = {
            place: str(rng.choice(_GROUND)) for place in np.ndindex(_LAND_CELLS, _LAND_CELLS)
        }
        wanted: dict[str, list[tuple[int, ...]]] = {each: [] for each in LAND_CLASSES if each not in _GROUND}
        places = [tuple(int(v) for v in each) for each in rng.permutation(list(cells))]
        for folder, windows in wanted.items():
            for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.5 else 0):
                row, col = places.pop()
                cells[row, col] = folder
                x, y = col * _LAND_CELL, row * _LAND_CELL
                windows.append((x, y, x + _LAND_CELL, y + _LAND_CELL))
        pixels = np.zeros((_LAND_CELLS * _LAND_CELL, _LAND_CELLS * _LAND_CELL, 3), np.uint8)
        for (row, col), folder in cells.items():
            with Image.open(eurosat / str(rng.choice(files[folder]))) as picture:
                chip = np.asarray(picture.convert("RGB"))
            pixels[row * _LAND_CELL : (row + 1) * _LAND_CELL, col * _LAND_CELL : (col + 1) * _LAND_CELL] = chip
        name = f"land-{number}"
        _write(out / "imagery" / f"{name}.tif", pixels, Affine(_LAND_M, 0, 500_000, 0, -_LAND_M, 5_500_000))
        for folder, windows in wanted.items():
            targets.append(Target(name, f"Where is the {LAND_CLASSES[folder]}?", tuple(windows)))
    return targets


def _write(path: Path, pixels: np.ndarray[Any, Any], transform: Affine) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, bands = pixels.shape
    about = {"driver": "COG", "dtype": "uint8", "compress": "deflate", "crs": "EPSG:32611", "transform": transform}
    with rasterio.open(path, "w", width=width, height=height, count=bands, **about) as file:
        file.write(np.moveaxis(pixels, -1, 0))


def measure(given: argparse.Namespace, folder: Path, layout: str, targets: Sequence[Target]) -> dict[str, Any]:
    """Ingest the imagery of a folder in a layout, ask for all targets, and return the figures."""
    settings = load_settings(
        home=folder / f"home-{layout}", encoder=given.encoder, encoders_file=given.encoders, patch_m=layout,
        second_look=given.second_look, planner="rules", _env_file=None,
    )  # fmt: skip
    with Platform(settings) as platform:
        if given.calibration:
            save_calibration(platform.store, parse(given.calibration.read_bytes(), str(given.calibration)))
        keys, patches = {}, 0
        for scene in find_scenes(str(folder / "imagery"), settings):
            assert isinstance(scene, Scene), scene
            made = ingest_scene(platform, scene)
            assert made.error is None, made.error
            keys[Path(scene.imagery.hrefs[0]).stem] = scene.scene_key
            patches += made.patches
        asked = ((each, _cues(platform, keys[each.file], each.question)) for each in targets)
        return {"scenes": len(keys), "patches": patches} | _figures(asked)


def _cues(platform: Platform, scene: str, question: str) -> list[list[int]]:
    answer = ask(platform, Question(question, scenes=(scene,), answer=False, top_k=3)).to_dict()
    return [cue["window"] for cue in answer["cues"]]


def _figures(asked: Iterable[tuple[Target, list[list[int]]]]) -> dict[str, Any]:
    counts = dict.fromkeys(("present", "found", "own_box", "cues", "right_cues", "absent", "false_cues"), 0)
    for target, cues in asked:
        print(target.file, target.question, len(target.windows), cues, file=sys.stderr, flush=True)
        if not target.windows:
            counts["absent"] += 1
            counts["false_cues"] += bool(cues)
            continue
        iou, share = compare_windows(cues, target.windows)
        counts["present"] += 1
        counts["found"] += bool((share >= _FOUND).any())
        counts["own_box"] += bool((iou >= _OWN_BOX).any())
        counts["cues"] += len(cues)
        counts["right_cues"] += int((share >= _FOUND).any(axis=1).sum()) if cues else 0
    return counts


if __name__ == "__main__":
    main()
