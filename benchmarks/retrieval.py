"""Measure whether cues show the target, for ours and the published retrieval with one encoder, on mosaics of two sizes.

    python -m benchmarks.retrieval --images CHIPS --split dev --work DIR

Prints the figures and writes `retrieval.json`; `python -m benchmarks.quality` makes the table of `docs/results.md`.
The last figure puts the pixels of one small scene into a very large one, and compares the confidence of its targets in
both scenes: at a place where patches are cut alike, so that only the size differs, and at any place.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window

from benchmarks.mosaics import Mosaics, arguments, ask_all, finish, ingest, make, prepare, run, told
from imagerag_assets.evaluation.cases import COVERED, Judged, compare_windows
from imagerag_assets.evaluation.loaders import load_cases
from imagerag_assets.evaluation.metrics import measure_run
from imagerag_assets.evaluation.run import load_run
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.settings import Settings

FIGURES = ("false_cues", "instances_found", "cue_precision", "calibration_error")
PLACES = {"at any place": 1, "patches cut alike": 1024}
"""Where the small scene goes: its offset is a multiple of this many pixels. Patches of its levels recur every 1024."""


def main() -> None:
    """Run the command."""
    parser = arguments(__doc__)
    parser.add_argument("--paper", default="vit,cc,grid", help="divisions of the published retrieval; empty: none")
    parser.add_argument("--grow", type=int, default=80, help="cells a side of the very large scene; 0: none")
    given = parser.parse_args()
    settings, sets = prepare(given)
    figures = measure(settings, sets, given.work / "runs", [each for each in given.paper.split(",") if each])
    if given.grow:
        figures["growth"] = measure_growth(given, settings)
    finish(figures, given.work / "retrieval.json", table(figures))


def measure(settings: Settings, sets: Sequence[Mosaics], runs: Path, divisions: Sequence[str]) -> dict[str, Any]:
    """Return the figures of our retrieval and of each published division, by size of the mosaics and over all.

    Args:
        settings: Settings of the installation that has the mosaics.
        sets: Mosaics of each size.
        runs: Folder of the runs; killed runs continue.
        divisions: Divisions of the published retrieval.
    """
    figures: dict[str, Any] = {}
    with Platform(settings) as platform:
        for each in sets:
            systems = {"ours": _measure(platform, each, runs, "ours")}
            for division in divisions:
                paper = _measure(platform, each, runs, division, retrieval="paper", division=division)
                systems[f"paper, {division}"] = paper
            figures[f"{each.cells} x {each.cells} cells"] = systems
    if len(sets) > 1:
        figures["together"] = {"ours": _together(sets, runs, "ours")}
        figures["together"] |= {f"paper, {division}": _together(sets, runs, division) for division in divisions}
    return figures


def _measure(platform: Platform, mosaics: Mosaics, runs: Path, name: str, **options: Any) -> dict[str, Any]:
    return _figures(ask_all(platform, [mosaics], _folder(runs, mosaics, name), answer=False, **options)["metrics"])


def _together(sets: Sequence[Mosaics], runs: Path, name: str) -> dict[str, Any]:
    """Return the figures over mosaics of every size, because one size alone has few questions."""
    judged: list[Judged] = []
    for each in sets:
        cases = [case for loaded in load_cases(each.questions) for case in loaded.cases]
        judged += load_run(_folder(runs, each, name), cases).judged.values()
    return _figures(measure_run(judged))


def _folder(runs: Path, mosaics: Mosaics, name: str) -> Path:
    return runs / f"{mosaics.folder.name}-{name}"


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    return {"found": metrics["recall"]["position+count"]["half_covered"], **{key: metrics[key] for key in FIGURES}}


def measure_growth(given: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Compare the confidence of a small scene's targets with that of the same targets in a very large one."""
    small = make(given, "part", 1, 8, given.seed + 1000)
    ingest(settings, small.folder / "catalog.json")
    (part,) = sorted(small.folder.glob("*/*.tif"))
    found = {}
    for number, (where, step) in enumerate(PLACES.items(), start=1):
        large = make(given, f"whole-{step}", 1, given.grow, given.seed + 1000 + number)
        (whole,) = sorted(large.folder.glob("*/*.tif"))
        place = large.folder / "pasted.json"
        if not place.exists():
            with rasterio.open(part) as inner, rasterio.open(whole) as outer:
                room = outer.width - inner.width, outer.height - inner.height
            rng = random.Random(given.seed)
            drawn = rng.randrange(0, room[0], step), rng.randrange(0, room[1], step)
            _paste(part, whole, drawn)
            place.write_text(json.dumps(drawn))
        left, top = json.loads(place.read_text())
        ingest(settings, large.folder / "catalog.json")
        found[where] = _changes(settings, small, (part.stem, whole.stem), (left, top))
    return found


def _changes(settings: Settings, small: Mosaics, scenes: tuple[str, str], at: tuple[int, int]) -> dict[str, Any]:
    changes: list[tuple[float, float]] = []
    cases = [case for case in load_cases(small.questions)[0].cases if case.roi and case.kind in ("position", "count")]
    with Platform(settings) as platform, Viewer(platform) as viewer:
        for case in cases:
            for x0, y0, x1, y1 in case.roi or ():
                before = _confidence(platform, viewer, case.question, scenes[0], (x0, y0, x1, y1))
                moved = (x0 + at[0], y0 + at[1], x1 + at[0], y1 + at[1])
                changes.append((before, _confidence(platform, viewer, case.question, scenes[1], moved)))
    gaps = [abs(after - before) for before, after in changes]
    return {"confidences": changes, "largest": max(gaps), "mean": sum(gaps) / len(gaps), "n": len(gaps)}


def _paste(part: Path, whole: Path, at: tuple[int, int]) -> None:
    """Put the pixels of one raster into another at (left, top) in pixels, without the losses of JPEG."""
    aside = whole.with_name("aside.tif")
    with rasterio.open(part) as source, rasterio.open(whole) as target:
        profile = {**target.profile, "driver": "GTiff", "compress": "deflate", "photometric": "rgb"}
        with rasterio.open(aside, "w", **profile) as out:
            for _, window in target.block_windows(1):
                out.write(target.read(window=window), window=window)
            out.write(source.read(), window=Window(*at, source.width, source.height))
    with rasterio.open(aside, "r+") as out:
        out.build_overviews([2, 4, 8, 16, 32], rasterio.enums.Resampling.average)
    shutil.move(aside, whole)


def _confidence(
    platform: Platform, viewer: Viewer, question: str, scene: str, window: tuple[int, int, int, int]
) -> float:
    """Return the confidence of the best cue that covers half of a window, without a threshold; 0 if there is none."""
    asked = Question(question, scenes=(scene,), answer=False, top_k=50)
    answer = ask(platform.using(min_confidence=0.0), asked, viewer=viewer).to_dict()
    _, covered = compare_windows([cue["window"] for cue in answer["cues"]], [window])
    shown = covered[:, 0] >= COVERED
    return max((cue["confidence"] for cue, hit in zip(answer["cues"], shown, strict=True) if hit), default=0.0)


def table(figures: dict[str, Any]) -> list[str]:
    """Return the figures in Markdown."""
    names = {
        "found": "half of the target covered by one of the top 3 cues",
        "instances_found": "count questions: instances found",
        "cue_precision": "count questions: cues that are right",
        "false_cues": "cue offered for an absent target",
        "calibration_error": "calibration error (ECE, 10 bins)",
    }
    lines: list[str] = []
    for size, systems in figures.items():
        if size == "growth":
            lines += ["", "Change of confidence from 8 x 8 cells to the very large scene:"]
            lines += [
                f"{where} mean {of['mean']:.3f}, largest {of['largest']:.3f} (n {of['n']})"
                for where, of in systems.items()
            ]
            continue
        lines += ["", f"| {size} | {' | '.join(systems)} |", "|" + "---|" * (len(systems) + 1)]
        for key, name in names.items():
            lines.append(f"| {name} | {' | '.join(told(system[key]) for system in systems.values())} |")
    return lines


if __name__ == "__main__":
    run(main, __doc__)
