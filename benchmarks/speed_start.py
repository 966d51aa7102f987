"""Measure what a command costs before it begins: imports, help, Dagster's definitions, questions from a cold start.

    python -m benchmarks.speed_start --work DIR

Each command runs in a process of its own; besides the time it took, the time of the processor is kept (its own and
that of its children), which other work on the machine changes less.  The installation is made once in DIR: a mosaic of
10 x 10 chips, encoder `demo`.  Questions only retrieve (``--no-answer``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pyarrow.parquet import ParquetFile

from benchmarks.make_mosaic import make_mosaics
from benchmarks.mosaics import SAMPLES, ingest
from benchmarks.speed import keep
from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES
from imagerag_assets.settings import load_settings

_SEED = 9002
_RULES = {"IMAGERAG_PLANNER": "rules"}
COMMAND = ("-m", "imagerag_assets.cli")


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run Python with these arguments; return the seconds that it took, and those of the processor.

    Raises:
        RuntimeError: it failed.
    """
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    took, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    own = after.children_user - before.children_user + after.children_system - before.children_system
    return took, own


def measured(arguments: Sequence[str], environment: Mapping[str, str], tries: int) -> dict[str, Any]:
    """Return the median seconds of some tries, and those of the processor."""
    every = [run(arguments, environment) for _ in range(tries)]
    return {"s": median(took for took, _ in every), "cpu_s": median(own for _, own in every), "n": tries}


def measure(work: Path, tries: int, asks: int, batch: int) -> dict[str, Any]:
    """Measure every command."""
    catalog = work / "mosaic" / "catalog.json"
    if not catalog.exists():
        make_mosaics(SAMPLES, work / "mosaic", rows=10, cols=10, seed=_SEED)
    ingest(load_settings(home=work / "home"), catalog)
    home = {"IMAGERAG_HOME": str(work / "home"), "PYTHONDONTWRITEBYTECODE": ""}
    empty = work / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "empty_definitions.py").write_text("import dagster as dg\n\ndefs = dg.Definitions()\n", encoding="utf-8")
    ask = (*COMMAND, "ask", "where is the stadium?", "--no-answer", "--json")
    figures: dict[str, Any] = {
        "python itself": measured(("-c", "pass"), home, tries),
        "import imagerag_assets": measured(("-c", "import imagerag_assets"), home, tries),
        "imagerag --help": measured((*COMMAND, "--help"), home, tries),
        "import dagster": measured(("-c", "import dagster"), home, tries),
        "import definitions": measured(("-c", "import definitions"), home, tries),
        "dagster definitions validate, nothing defined": measured(
            ("-m", "dagster", "definitions", "validate", "-m", "empty_definitions", "-d", str(empty)), home, tries
        ),
        "dagster definitions validate": measured(("-m", "dagster", "definitions", "validate"), home, tries),
        "imagerag ask, cold, read by rules": measured(ask, home | _RULES, asks),
        "imagerag ask, cold": measured(ask, home, asks),
    }
    questions = work / "questions.jsonl"
    names = list(CHIP_CLASSES.values())
    lines = [{"id": str(number), "question": f"where is the {names[number % len(names)]}?"} for number in range(batch)]
    questions.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    whole = ("ask", "--batch", str(questions), "--out", str(work / "out.jsonl"), "--no-answer", "--json")
    figures[f"imagerag ask --batch, {batch} questions"] = measured((*COMMAND, *whole), home | _RULES, 1)
    resident = home | {"IMAGERAG_RESIDENT": "auto"}
    try:
        run(ask, resident)  # starts it, and loads what it needs
        figures["imagerag ask, resident process"] = measured(ask, resident, tries)
    finally:
        run((*COMMAND, "serve", "--stop"), resident)
    return figures


def stored(objects: Path) -> dict[str, Any]:
    """Return the bytes that the one scene of an installation takes in the object store."""
    sizes = {name: sum(each.stat().st_size for each in (objects / name).rglob("*") if each.is_file())
             for name in ("embeddings", "patches", "scenes", "sources")}  # fmt: skip
    (shard,) = (objects / "embeddings").rglob("*.parquet")
    return {"rows": ParquetFile(shard).metadata.num_rows, **sizes}


def main() -> None:
    """Read the options, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=lambda text: Path(text).absolute(), default=Path(".imagerag/speed").absolute())
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--asks", type=int, default=3, help="cold questions of each kind")
    parser.add_argument("--batch", type=int, default=100, help="questions of the file")
    given = parser.parse_args()
    started = time.perf_counter()
    figures = {"rows": measure(given.work, given.tries, given.asks, given.batch), "batch": given.batch}
    figures["stored"] = stored(given.work / "home" / "objects")
    keep("speed_start", figures, data=["a mosaic of 10 x 10 chips"], seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
