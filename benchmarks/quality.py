"""Measure every quality table of docs/results.md, and write one JSON file per table to benchmarks/results.

    make bench-quality                                        # all of them; hours
    python -m benchmarks.quality --images CHIPS --only retrieval,demo
    python -m benchmarks.quality --from DIR --commit COMMIT   # take over what retrieval.py, answers.py measured

Then `make docs` puts the tables into docs/results.md. A killed run continues where it stopped: --work keeps scenes and
embeddings, and its sub-folder for each commit keeps answers and finished parts. Without --images, mosaics are made from
the chips in tests/data, and jargon is left out, since its exemplars are chips of another split.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import answers, demo, encoders, jargon, retrieval
from benchmarks.mosaics import (
    SAMPLES,
    Mosaics,
    arguments,
    console,
    describe_mosaics,
    digest_of_chips,
    ingest,
    make,
    prepare,
)
from benchmarks.record import RESULTS, TABLES, current_commit, known_commit, make_record, write_json
from benchmarks.tables import section
from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES
from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.evaluation.loaders import load_cases
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.settings import Settings, load_settings

WORK = Path(".imagerag/quality")
_JARGON_SCENES = 6
_OPTIONS = ("split", "scenes", "cells", "large", "large_cells", "seed")
"""Options of the mosaics, which determine what is measured."""


@dataclass(frozen=True)
class Bench:
    """A measurement: its options, its commit, and where its state is kept."""

    given: argparse.Namespace
    commit: str

    @property
    def state(self) -> Path:
        """Folder of the runs and finished parts of this commit."""
        folder: Path = self.given.work / self.commit[:10]
        return folder

    @cached_property
    def mosaics(self) -> tuple[Settings, list[Mosaics]]:
        """Settings of the installation that has the mosaics, and the mosaics."""
        return prepare(self.given)

    @property
    def index(self) -> Path:
        """CSV with the columns file and split."""
        index: Path = self.given.index or self.given.images.parent / "index.csv"
        return index

    def chips(self, *, of_split: bool = True) -> list[Path]:
        """Return the existing chips of the split, or of all other splits.

        Raises:
            InputError: the index cannot be read.
        """
        try:
            with self.index.open(newline="", encoding="utf-8") as lines:
                rows = [(Path(row["file"]), row["split"]) for row in csv.DictReader(lines)]
        except (OSError, KeyError) as error:
            raise InputError(
                f"The index of the chips cannot be read: {error}", fix="Give a CSV with the columns file and split"
            ) from None
        root = self.given.images
        named = [root / file.parent.name / file.name for file, split in rows if (split == self.given.split) == of_split]
        return [file for file in named if file.is_file()]


Measured = tuple[dict[str, Any], dict[str, Any]]
"""Figures, and what they were measured on."""


def measure_encoders(bench: Bench) -> Measured:
    given = bench.given
    settings = load_settings(home=given.work / "home")
    return encoders.measure(settings, given.images, given.split, given.index), _chips(bench)


def measure_retrieval(bench: Bench) -> Measured:
    divisions = [each for each in bench.given.paper.split(",") if each]
    settings, sets = bench.mosaics
    figures = retrieval.measure(settings, sets, bench.state / "runs", divisions)
    return figures, _mosaics(each.folder for each in sets) | _chips(bench)


def measure_growth(bench: Bench) -> Measured:
    grow, seed = bench.given.grow, bench.given.seed
    figures = retrieval.measure_growth(bench.given, load_settings(home=bench.given.work / "home"))
    scenes = f"a mosaic of 8 x 8 cells (seed {seed + 1000}) inside two of {grow} x {grow} cells"
    return figures, _chips(bench) | {"other": [scenes]}


def measure_answers(bench: Bench) -> Measured:
    settings, sets = bench.mosaics
    figures = answers.measure(settings, sets, bench.state / "runs", bench.given)
    about = [f"{figures['questions']} questions in several wordings"]
    if many := len(figures["dense"]["counts"]):
        about.append(f"{many} scenes with 20 to 300 objects of a kind")
    return figures, _mosaics(each.folder for each in sets) | _chips(bench) | {"other": about}


def measure_jargon(bench: Bench) -> Measured:
    """Ask in jargon about the first small mosaics, in an installation with its own knowledge base."""
    given = bench.given
    exemplars = _exemplars(bench)
    small = make(given, "small", given.scenes, given.cells, given.seed)
    files = small.questions[:_JARGON_SCENES]
    settings = load_settings(home=given.work / "home-jargon")
    document = json.loads((small.folder / "catalog.json").read_text(encoding="utf-8"))
    document["links"] = [each for each in document["links"] if each["rel"] == "item"][:_JARGON_SCENES]
    write_json(small.folder / "jargon.json", document)
    ingest(settings, small.folder / "jargon.json")
    with open_runner(settings) as runner:
        runner.build_knowledge("labels", str(exemplars))
    groups = jargon.rewritten(case for loaded in load_cases(files) for case in loaded.cases)
    rows = jargon.ask_in_jargon(settings, groups, bench.state / "runs" / "jargon")
    about = describe_mosaics(small.folder)
    about |= {"scenes": len(files), "seeds": [about["seeds"][0], about["seeds"][0] + len(files) - 1]}
    pictures = sum(1 for _ in exemplars.rglob("*.*"))
    return {"rows": rows}, _chips(bench) | {
        "mosaics": [about],
        "other": [f"{pictures} chips of other splits as exemplars"],
    }


def measure_demo(bench: Bench) -> Measured:
    figures = demo.measure(load_settings(home=bench.given.work / "home-demo"), bench.state / "runs" / "demo")
    return figures, {"other": [f"the demo's drawn scenes and their {figures['accuracy']['all']['n']} questions"]}


PARTS: Mapping[str, Callable[[Bench], Measured]] = {
    "encoders": measure_encoders,
    "retrieval": measure_retrieval,
    "growth": measure_growth,
    "jargon": measure_jargon,
    "answers": measure_answers,
    "demo": measure_demo,
}


def _chips(bench: Bench) -> dict[str, Any]:
    return {"split": bench.given.split, "chips": len(bench.chips())}


def _mosaics(folders: Iterable[Path]) -> dict[str, Any]:
    return {"mosaics": [describe_mosaics(folder) for folder in folders]}


def _exemplars(bench: Bench) -> Path:
    """Return a folder with the chips of the other splits, one sub-folder for each label.

    Raises:
        InputError: there are no such chips.
    """
    chips = bench.chips(of_split=False)
    if not chips:
        raise InputError(
            f"Jargon needs chips of another split than {bench.given.split} as exemplars, and there are none",
            fix="Give a folder that has them with --images, or leave jargon out of --only",
        )
    folder: Path = bench.given.work / "exemplars"
    for chip in chips:
        label = CHIP_CLASSES.get(chip.parent.name, chip.parent.name)
        copy = folder / label / chip.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(chip, copy)
    return folder


def measure(bench: Bench, table: str, results: Path) -> None:
    """Measure one table, unless this commit was measured with these options, and write its JSON file."""
    options = {name: getattr(bench.given, name) for name in (*_OPTIONS, *_own_options(table))}
    options["chips"] = digest_of_chips(bench.given)
    kept = bench.state / f"{table}.json"
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["options"] == options:
            write_json(results / f"{table}.json", found["record"])
            console.print(f"{table}: already measured, in {_minutes(found['record']['seconds'])}")
            return
    console.rule(table)
    started = time.monotonic()
    figures, data = PARTS[table](bench)
    record = make_record(
        table,
        figures,
        commit=bench.commit,
        command=f"python -m benchmarks.quality --only {table}{_other_options(bench.given)}",
        data=data,
        seconds=time.monotonic() - started,
    )
    write_json(kept, {"options": options, "record": record})
    write_json(results / f"{table}.json", record)
    print(f"\n{section(record)}\n", flush=True)
    console.print(f"{table}: took {_minutes(record['seconds'])}")


def _own_options(table: str) -> tuple[str, ...]:
    return {"retrieval": ("paper",), "growth": ("grow",), "answers": answers.OPTIONS}.get(table, ())


def _other_options(given: argparse.Namespace) -> str:
    """Return the options that differ from their defaults, as a user types them; paths become CHIPS."""
    plain = parser().parse_args([])
    words = "" if given.images.resolve() == SAMPLES.resolve() else " --images CHIPS"
    for name in (*_OPTIONS, "paper", "grow", *answers.OPTIONS):
        if getattr(given, name) != getattr(plain, name):
            words += f" --{name.replace('_', '-')} {getattr(given, name)}"
    return words


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def take_over(bench: Bench, source: Path, results: Path) -> list[str]:
    """Write JSON files from what `retrieval.py` and `answers.py` left in a work folder; nothing is measured.

    Returns:
        The names of the tables.

    Raises:
        InputError: the folder holds no results.
    """
    done = []
    for name in ("retrieval", "answers"):
        file = source / f"{name}.json"
        if not file.is_file():
            continue
        figures = json.loads(file.read_text(encoding="utf-8"))
        command = f"python -m benchmarks.{name} --images CHIPS --split {bench.given.split} --work DIR"
        kept = [source / name for name in ("small", "large") if (source / name / "truth").is_dir()]
        data = _mosaics(kept) | _chips(bench)
        day = datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
        parts = {name: figures}
        if name == "retrieval":
            growth = figures.pop("growth", None)
            parts |= {"growth": growth} if growth else {}
            divisions = [each.partition(", ")[2] for each in next(iter(figures.values())) if each != "ours"]
            command += f" --paper {','.join(divisions)}" + ("" if growth else " --grow 0")
        for table, its in parts.items():
            record = make_record(table, its, commit=bench.commit, command=command, data=data, seconds=None, day=day)
            write_json(results / f"{table}.json", record)
            print(f"{section(record)}\n")
            done.append(table)
    if not done:
        raise InputError(
            "The folder holds no results", fix="Give the --work of benchmarks.retrieval or answers", folder=source
        )
    return done


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = arguments(__doc__, work=WORK)
    parser.add_argument(
        "--only", default=",".join(TABLES), help=f"parts, separated by commas; default: {','.join(TABLES)}"
    )
    parser.add_argument("--paper", default="vit,cc,grid", help="divisions of the published retrieval; empty: none")
    parser.add_argument("--grow", type=int, default=80, help="cells a side of the very large scene; default: 80")
    answers.add_arguments(parser)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--from", type=Path, dest="source", help="work folder to take results over from")
    parser.add_argument("--commit", help="with --from: the commit that was measured")
    return parser


def main(typed: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = parser().parse_args(typed)
    try:
        if given.source:
            if not given.commit:
                raise InputError("The commit of the results is not known", fix="Give it with --commit")
            take_over(Bench(given, known_commit(given.commit)), given.source, given.results)
            return 0
        if given.commit:
            raise InputError("--commit is for results that are taken over", fix="Give --from too, or leave it out")
        wanted = [name for name in given.only.split(",") if name]
        if unknown := [name for name in wanted if name not in PARTS]:
            raise InputError(f"There is no part {unknown[0]}", fix=f"Choose from {', '.join(PARTS)}")
        bench = Bench(given, current_commit())
        if wanted == list(TABLES) and not bench.chips(of_split=False):
            console.print(
                "jargon: left out, because it needs chips of another split as exemplars; give them with --images"
            )
            wanted.remove("jargon")
        for table in wanted:
            measure(bench, table, given.results)
    except ImageRAGError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
