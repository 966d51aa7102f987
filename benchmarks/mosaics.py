"""Make mosaics of real chips with known truth (`make_mosaic.py`), and ingest them into their own folder.

`retrieval.py`, `answers.py` and `jargon.py` measure on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.make_mosaic import CELL_PX, chips_by_class, make_mosaics
from imagerag_assets.errors import ImageRAGError, InputError
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
    """Folder with `catalog.json` and `truth/`."""
    cells: int
    """Number of cells a side."""

    @property
    def questions(self) -> list[Path]:
        """Question files of the mosaics."""
        return sorted((self.folder / "truth").glob("*.questions.jsonl"))


SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "data" / "ucmerced" / "images_jpg"
"""Chips in the repository: 125 of the 210 chips of split `dev`."""


def arguments(about: str | None, *, work: Path | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks on mosaics share.

    Args:
        about: Description of the command, printed unchanged.
        work: Default of --work; None: the option is required.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images",
        type=Path,
        default=SAMPLES,
        help="folder with one sub-folder of chips for each class; default: the samples of the tests",
    )
    parser.add_argument("--split", default="dev", help="use only chips of this split of the index; default: dev")
    parser.add_argument("--index", type=Path, help="index.csv with a split column; default: beside the chips")
    parser.add_argument(
        "--work",
        type=lambda text: Path(text).absolute(),  # items name their files from their own folders
        default=work and work.absolute(),
        required=work is None,
        help="folder for scenes, installations and runs" + (f"; default: {work}" if work else ""),
    )
    parser.add_argument("--scenes", type=int, default=20, help="small mosaics; default: 20")
    parser.add_argument("--cells", type=int, default=20, help="cells a side of small mosaics; default: 20")
    parser.add_argument("--large", type=int, default=4, help="large mosaics; default: 4")
    parser.add_argument("--large-cells", type=int, default=40, help="cells a side of large mosaics; default: 40")
    parser.add_argument("--seed", type=int, default=501, help="seed of the first small mosaic; default: 501")
    return parser


def make(given: argparse.Namespace, name: str, scenes: int, cells: int, seed: int) -> Mosaics:
    """Stitch mosaics into WORK/name, unless they exist.

    Raises:
        InputError: the folder holds other mosaics.
    """
    made = Mosaics(given.work / name, cells)
    chips = made.folder / "chips.json"
    wanted = {"cells": cells, "seeds": [seed, seed + scenes - 1], "scenes": scenes}
    source = {"digest": digest_of_chips(given)}
    if (made.folder / "catalog.json").exists():
        found = describe_mosaics(made.folder)
        if found != wanted or (chips.exists() and json.loads(chips.read_text(encoding="utf-8")) != source):
            raise InputError(
                f"The work folder holds {found['scenes']} mosaics of {found['cells']} x {found['cells']} cells, "
                f"seeds {found['seeds'][0]} to {found['seeds'][1]}, or of other chips",
                fix="Give another folder with --work, or the options that made those mosaics",
                folder=made.folder,
            )
        return made
    console.print(f"stitching {scenes} mosaics of {cells} x {cells} cells")
    options = {"rows": cells, "cols": cells, "scenes": scenes, "seed": seed}
    make_mosaics(given.images, made.folder, split=given.split, index=given.index, **options)
    chips.write_text(json.dumps(source), encoding="utf-8")
    return made


def digest_of_chips(given: argparse.Namespace) -> str:
    """Return a digest of the names and sizes of the chips, which is the same for the same chips in another folder."""
    chips = chips_by_class(given.images, given.split, given.index)
    listed = sorted(f"{each}/{file.name} {file.stat().st_size}" for each, files in chips.items() for file in files)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def describe_mosaics(folder: Path) -> dict[str, Any]:
    """Return the cells a side, the first and last seed, and the number of mosaics in a folder."""
    truths = [file for file in sorted((folder / "truth").glob("*.json")) if re.fullmatch(r"mosaic-\d+", file.stem)]
    seeds = sorted(int(file.stem.partition("-")[2]) for file in truths)
    side = json.loads(truths[0].read_text(encoding="utf-8"))["size"][0]
    return {"cells": side // CELL_PX, "seeds": [seeds[0], seeds[-1]], "scenes": len(seeds)}


def prepare(given: argparse.Namespace) -> tuple[Settings, list[Mosaics]]:
    """Make and ingest the mosaics of both sizes, and return the settings of their installation with them.

    The seeds of the large ones follow those of the small ones.
    """
    settings = load_settings(home=given.work / "home")
    wanted = [("small", given.scenes, given.cells, given.seed)]
    wanted.append(("large", given.large, given.large_cells, given.seed + given.scenes))
    sets = [make(given, name, scenes, cells, seed) for name, scenes, cells, seed in wanted if scenes]
    for each in sets:
        ingest(settings, each.folder / "catalog.json")
    return settings, sets


def finish(figures: dict[str, Any], file: Path, lines: Sequence[str]) -> None:
    """Write the figures to a file, and print them as a table."""
    file.write_text(json.dumps(figures, indent=1))
    print("\n".join(lines))


def ingest(settings: Settings, catalog: Path) -> None:
    """Ingest a catalog; scenes that are already ingested are skipped."""
    with Progress(console=console) as bar:
        task = bar.add_task(f"ingesting {catalog.parent.name}", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total)

        with open_runner(settings, progress=progress) as runner:
            failed = [result.error for result in runner.ingest_source(str(catalog)) if result.status == "failed"]
    if failed:
        raise SystemExit(f"A scene was not ingested: {failed[0]}")


def ask_all(
    platform: Platform, sets: Sequence[Mosaics], folder: Path, *, compare: Path | None = None, **options: Any
) -> dict[str, Any]:
    """Ask the questions about mosaics; see `ask_files`."""
    return ask_files(platform, [file for each in sets for file in each.questions], folder, compare=compare, **options)


def ask_files(
    platform: Platform, files: Sequence[Path], folder: Path, *, compare: Path | None = None, **options: Any
) -> dict[str, Any]:
    """Ask the questions in files, or continue a killed run in `folder`; return what `evaluate` returns."""
    loaded: list[Loaded] = load_cases(files)
    with Progress(console=console) as bar:
        task = bar.add_task(f"asking {folder.name}", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total)

        return evaluate(platform, loaded, folder, options=options, compare=compare, progress=progress)


def told(figure: dict[str, Any]) -> str:
    """Return a figure with its interval and n: `.86 (.79-.91, n 120)`."""
    if figure["value"] is None:
        return "-"
    value, low, high = (f"{figure[name]:.2f}".removeprefix("0") for name in ("value", "low", "high"))
    return f"{value} ({low}-{high}, n {figure['n']})"


def run(main: Callable[[], None], about: str) -> None:
    """Print the first paragraph of `about` and run a benchmark; an error of the package becomes one line."""
    console.print(about.split("\n\n")[0])
    try:
        main()
    except ImageRAGError as error:
        sys.exit(str(error))
