"""Mosaics of real chips with known truth, made by `make_mosaic.py` and ingested into a folder of their own.

What is measured on them is in `retrieval.py` and `answers.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.make_mosaic import make_mosaics
from imagerag_assets.errors import ImageRAGError
from imagerag_assets.evaluation.evaluate import evaluate
from imagerag_assets.evaluation.loaders import Loaded, load_cases
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.settings import Settings, load_settings

console = Console(stderr=True)


@dataclass(frozen=True)
class Mosaics:
    """A set of mosaics of one size."""

    folder: Path
    """Holds `catalog.json` and `truth/`."""
    cells: int

    @property
    def questions(self) -> list[Path]:
        return sorted((self.folder / "truth").glob("*.questions.jsonl"))


def arguments(about: str | None) -> argparse.ArgumentParser:
    """What every benchmark on mosaics is told."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with one sub-folder of chips a class")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--index", type=Path, help="index.csv with a split column; default: beside the chips")
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes, the installation and the runs")
    parser.add_argument("--scenes", type=int, default=20, help="mosaics of --cells a side")
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--large", type=int, default=4, help="mosaics of --large-cells a side")
    parser.add_argument("--large-cells", type=int, default=40)
    parser.add_argument("--seed", type=int, default=501)
    return parser


def make(given: argparse.Namespace, name: str, scenes: int, cells: int, seed: int) -> Mosaics:
    """Stitch mosaics into WORK/name, unless they are there."""
    made = Mosaics(given.work / name, cells)
    if not (made.folder / "catalog.json").exists():
        console.print(f"stitching {scenes} mosaics of {cells} x {cells} cells")
        options = {"rows": cells, "cols": cells, "scenes": scenes, "seed": seed}
        make_mosaics(given.images, made.folder, split=given.split, index=given.index, **options)
    return made


def prepare(given: argparse.Namespace) -> tuple[Settings, list[Mosaics]]:
    """Settings of the installation in WORK, and the mosaics of both sizes, ingested; the large ones' seeds follow."""
    settings = load_settings(home=given.work / "home")
    wanted = [("small", given.scenes, given.cells, given.seed)]
    wanted.append(("large", given.large, given.large_cells, given.seed + given.scenes))
    sets = [make(given, name, scenes, cells, seed) for name, scenes, cells, seed in wanted if scenes]
    for each in sets:
        ingest(settings, each.folder / "catalog.json")
    return settings, sets


def finish(figures: dict[str, Any], file: Path, lines: Sequence[str]) -> None:
    """Keep the figures, and print them as a table."""
    file.write_text(json.dumps(figures, indent=1))
    print("\n".join(lines))


def ingest(settings: Settings, catalog: Path) -> None:
    """Ingest a catalog; what is there already is passed over."""
    with Progress(console=console) as bar:
        task = bar.add_task(f"ingesting {catalog.parent.name}", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total)

        with open_runner(settings, progress=progress) as runner:
            failed = [result.error for result in runner.ingest_source(str(catalog)) if result.status == "failed"]
    if failed:
        raise SystemExit(f"not ingested: {failed[0]}")


def ask_all(
    platform: Platform, sets: Sequence[Mosaics], folder: Path, *, compare: Path | None = None, **options: Any
) -> dict[str, Any]:
    """Run the questions of mosaics, or go on where a run in `folder` stopped; the document of `evaluate`."""
    loaded: list[Loaded] = load_cases([file for each in sets for file in each.questions])
    with Progress(console=console) as bar:
        task = bar.add_task(f"asking {folder.name}", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total)

        return evaluate(platform, loaded, folder, options=options, compare=compare, progress=progress)


def told(figure: dict[str, Any]) -> str:
    """A figure with its interval and n: `.86 (.79-.91, n 120)`."""
    if figure["value"] is None:
        return "-"
    value, low, high = (f"{figure[name]:.2f}".removeprefix("0") for name in ("value", "low", "high"))
    return f"{value} ({low}-{high}, n {figure['n']})"


def run(main: Callable[[], None], about: str) -> None:
    """Call a benchmark after the first paragraph of what it is about; an error of the project is one line."""
    console.print(about.split("\n\n")[0])
    try:
        main()
    except ImageRAGError as error:
        sys.exit(str(error))
