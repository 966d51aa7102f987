"""How well many objects of a kind are counted: 20 to 300 of them, on drawn scenes and on mosaics of real chips.

    python -m benchmarks.counting --images CHIPS --split dev --work DIR

Prints the figures as JSON and writes `counting.json`.  A count is good if it is within 25 % of the truth.  Beside the
count stand what patches alone give, the number of cues, and a constant: the middle of 20 and 300 on a logarithmic
scale, whatever the scene.  Drawn kinds are of two halves: the
constants were chosen on `--half tuning` and chips of split `train`.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pystac
from PIL import Image

from benchmarks.dense_scenes import ALL_KINDS, FEWEST, MOST, DenseScene, draw_dense, stitch_dense
from benchmarks.make_mosaic import chips_by_class
from benchmarks.mosaics import arguments, console, ingest, run
from imagerag_assets.demo.scenes import ScenePlan, scene_item, write_cog
from imagerag_assets.evaluation.metrics import share
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.counts import count_shown, count_unseen
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.retrieval.calibration import Calibration, load_calibration
from imagerag_assets.retrieval.coarseness import fine_enough
from imagerag_assets.retrieval.counting import BUDGET, Counted, count_objects
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Search
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_filter import Filter

HALVES = {"tuning": ALL_KINDS[0::2], "measuring": ALL_KINDS[1::2]}
GOOD = 0.25
CONSTANT = round(math.sqrt(FEWEST * MOST))


def main() -> None:
    parser = arguments(__doc__)
    parser.set_defaults(scenes=12, cells=14)
    parser.add_argument("--drawn", type=int, default=12, help="drawn scenes; default: 12")
    parser.add_argument("--drawn-px", type=int, default=1800, help="side of a drawn scene in pixels; default: 1800")
    parser.add_argument("--half", choices=sorted(HALVES), default="measuring", help="kinds of the drawn scenes")
    parser.add_argument("--budget", type=int, default=BUDGET, help="patches encoded at most for a count")
    given = parser.parse_args()
    sets = {"drawn": drawn_scenes(given), "mosaics": stitched_scenes(given)}
    settings = load_settings(home=given.work / "home")
    figures: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name, folder in sets.items():
        ingest(settings, folder / "catalog.json")
        with Platform(settings) as platform:
            truths = sorted((folder / "truth").glob("*.json"))
            own = [_kept(given.work / "rows", platform, truth, given.budget) for truth in truths]
        figures[name] = summary(own)
        rows += [{"set": name, **row} for row in own]
    figures["together"] = summary(rows)
    document = {"figures": figures, "scenes": rows}
    (given.work / "counting.json").write_text(json.dumps(document, indent=1))
    shutil.rmtree(given.work / "rows")
    print(json.dumps(figures, indent=1))


def _kept(folder: Path, platform: Platform, truth: Path, budget: int) -> Any:
    """Return a row that a killed run has measured already, or measure it."""
    file = folder / f"{truth.stem}.json"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        file.write_text(json.dumps(measure(platform, truth, budget)))
    return json.loads(file.read_text())


def measure(platform: Platform, truth: Path, budget: int) -> dict[str, Any]:
    """Count on one scene; return the truth and what was counted."""
    known = json.loads(truth.read_text())
    serving = find_serving(platform)
    assert serving is not None
    deps = serving.platform
    calibration = load_calibration(deps.store, deps.encoder.fingerprint, deps.settings.division)
    with Viewer(deps) as viewer:
        search = Search(calibration, _where(deps, truth.stem, calibration), collection=serving.collection, look=viewer)
        patches = count_objects(deps, known["kind"], Search(calibration, search.where, collection=serving.collection))
        analysis = Analysis(known["kind"], (known["kind"],), "count", wants_all=True)
        cues = retrieve(deps, analysis, search)
        counted = count_shown(deps, known["kind"], cues, search, budget)
        counted = counted or count_unseen(deps, known["kind"], cues, search, budget)
        found = counted or _of_cues(known["kind"], len(cues.cues))
    n = len(known["windows"])
    row = {
        "scene": truth.stem, "kind": known["kind"], "n": n, "side_px": known["side_px"], "layout": known["layout"],
        "count": found.count, "low": found.low, "high": found.high, "window_px": found.window_px, "how": found.how,
        "share": found.share, "passes": found.passes, "patches": patches.count, "cues": len(cues.cues),
        "constant": CONSTANT, "area": found.area_m2, "right": _right(found, known["windows"]), "notes": found.notes,
        "patches_interval": [patches.low, patches.high],
    }  # fmt: skip
    console.print(f"{row['scene']}: {row['n']} {row['kind']}, counted {found.count} ({found.low} to {found.high})")
    return row


def _of_cues(kind: str, cues: int) -> Counted:
    """Return the count of a thing that is not counted within patches."""
    return Counted(kind, (), cues, cues, cues, None, 1.0, "patches")


def _where(deps: Platform, scene: str, calibration: Calibration) -> Filter:
    (key,) = [each for each in deps.ground_distances.of() if each.endswith(scene)]
    where = Filter().scene_in([key])
    if calibration.coarsest_m is None:
        return where
    return fine_enough(where, deps.ground_distances.of([key]), calibration.coarsest_m)


def _right(found: Counted, windows: Sequence[Sequence[int]]) -> int:
    """Return how many true objects have an object counted whose middle lies in them."""
    middles = [((w[0] + w[2]) / 2, (w[1] + w[3]) / 2) for w in (each.window for each in found.objects)]
    return sum(any(x0 <= x < x1 and y0 <= y < y1 for x, y in middles) for x0, y0, x1, y1 in windows)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of some scenes; intervals are over scenes."""
    figures: dict[str, Any] = {"n": len(rows)}
    if not rows:
        return figures
    for way in ("count", "patches", "cues", "constant"):
        ratios = [row[way] / row["n"] for row in rows]
        figures[way] = {
            "within_25_percent": share(abs(ratio - 1) <= GOOD for ratio in ratios).to_dict(),
            "median_ratio": statistics.median(ratios),
            "spread_of_log": _spread(ratios),
        }
    figures["count"]["coverage"] = share(row["low"] <= row["n"] <= row["high"] for row in rows).to_dict()
    figures["count"]["width"] = statistics.median((row["high"] - row["low"]) / row["n"] for row in rows)
    figures["count"]["found"] = sum(row["right"] for row in rows) / sum(row["n"] for row in rows)
    figures["count"]["passes"] = statistics.median(row["passes"] for row in rows)
    return figures


def _spread(ratios: Sequence[float]) -> float:
    logs = [math.log(max(ratio, 0.01)) for ratio in ratios]
    return math.sqrt(sum(each**2 for each in logs) / len(logs))


def drawn_scenes(given: argparse.Namespace) -> Path:
    """Draw scenes with many objects, unless they are there, and return their folder."""
    name = f"drawn-{given.half}-{given.seed}-{given.drawn}-{given.drawn_px}"
    kinds = HALVES[given.half]
    scenes = ((f"{name}-{number:02d}", (given.seed, number)) for number in range(given.drawn))
    return _write(given.work / name, (draw_dense(each, seed, kinds, size=given.drawn_px) for each, seed in scenes))


def stitched_scenes(given: argparse.Namespace) -> Path:
    """Stitch mosaics with many objects, unless they are there, and return their folder."""
    name = f"stitched-{given.split}-{given.seed}-{given.scenes}-{given.cells}"
    chips = chips_by_class(given.images, given.split, given.index)
    made = (
        stitch_dense(f"{name}-{number:02d}", (given.seed, 1000 + number), chips, cells=given.cells)
        for number in range(given.scenes)
    )
    return _write(given.work / name, made)


def _write(folder: Path, scenes: Any) -> Path:
    """Write a catalog of scenes with their truth beside it, unless it is there."""
    if (folder / "catalog.json").exists():
        return folder
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    catalog = pystac.Catalog("dense-scenes", "Scenes with many objects of one kind")
    for number, scene in enumerate(scenes):
        _write_scene(folder, catalog, scene, number)
    catalog.normalize_hrefs(str(folder))
    for item in catalog.get_items():
        item.make_asset_hrefs_relative()
    catalog.save(pystac.CatalogType.SELF_CONTAINED)
    return folder


def _write_scene(folder: Path, catalog: pystac.Catalog, scene: DenseScene, number: int) -> None:
    height, width = scene.pixels.shape[:2]
    path = folder / scene.name / f"{scene.name}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = (500_000.0 + 4_000 * number, 5_350_000.0 + 3_000 * number)
    write_cog(Image.fromarray(scene.pixels), path, origin)
    catalog.add_item(scene_item(ScenePlan(scene.name, width, height), number, origin, path))
    known = {"kind": scene.kind, "windows": scene.windows, "side_px": scene.side_px, "layout": scene.layout}
    (folder / "truth" / f"{scene.name}.json").write_text(json.dumps(known))


if __name__ == "__main__":
    run(main, __doc__)
