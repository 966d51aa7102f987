"""Measure what answers are worth: in people's words, with something taken away, and why they are wrong.

    python -m benchmarks.answers --images CHIPS --split dev --work DIR
    python -m benchmarks.quality --only answers --images CHIPS

Asks about mosaics, in the words of `wording/`, which no model was trained with and no rule was written for. Rows take
something away (`rows.py`): pictures, evidence, or both. Counts of many objects are asked about scenes of their own.
Prints the figures and writes `answers.json`. A killed run continues: `--work` keeps each answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks import counting
from benchmarks.asked import Asked, count_question, questions
from benchmarks.known_scenes import EVERYWHERE, Scene, counted_classes
from benchmarks.make_mosaic import TARGETS
from benchmarks.mosaics import Mosaics, arguments, console, finish, ingest, prepare, run
from benchmarks.rows import FULL, answers, rows_of
from benchmarks.tables import answers_table
from benchmarks.targets import Judgement, judge, share_over_scenes, target
from benchmarks.targets import measure as figures_of
from imagerag_assets.errors import InputError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.settings import Settings

OPTIONS = ("per_kind", "choices", "dense")
"""Options of this measurement, beside those of the mosaics."""
_PIXELS = 1800  # side of a drawn scene with many objects
_CELLS = 14  # a side of a mosaic with many objects


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--per-kind", type=int, default=2, help="free questions of each kind about a scene; default: 2")
    parser.add_argument(
        "--choices", type=int, default=8, help="multiple-choice questions about a scene, each reworded too; default: 8"
    )
    parser.add_argument(
        "--dense", type=int, default=12, help="drawn scenes and mosaics with many objects, of each; default: 12"
    )


def main() -> None:
    """Run the command."""
    parser = arguments(__doc__)
    add_arguments(parser)
    given = parser.parse_args()
    settings, sets = prepare(given)
    figures = measure(settings, sets, given.work / "runs", given)
    finish(figures, given.work / "answers.json", answers_table(figures))


def measure(settings: Settings, sets: Sequence[Mosaics], runs: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Ask all questions in all rows, and return the figures.

    Args:
        settings: Settings of the installation that has the mosaics.
        sets: Mosaics of each size.
        runs: Folder of the answers; a killed run continues.
        given: The options.
    """
    asked = [
        each
        for mosaics in sets
        for file in sorted((mosaics.folder / "truth").glob("mosaic-????.json"))
        for each in questions(Scene.read(file), given.seed, per_kind=given.per_kind, choices=given.choices)
    ]
    dense = list(_dense(settings, given)) if given.dense else []
    with Platform(settings) as platform:
        judged = _ask(platform, asked, runs / "answers")
        figures = figures_of(judged)
        figures["questions"] = len(asked)
        many = _ask(platform, dense, runs / "answers-dense", rows=(FULL,)) if dense else []
    figures["dense"] = _counts(many)
    good = figures["dense"]["all"]
    figures["targets"].append(target("count of 20 to 300 objects: right within 25 %", ">=", 0.6, good))
    return figures


def _ask(
    platform: Platform, asked: Sequence[Asked], folder: Path, rows: Sequence[str] | None = None
) -> list[Judgement]:
    """Ask questions in their rows, except those that `folder` has answers to, and judge all."""
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder / "questions.json", platform, asked)
    file = folder / "answers.jsonl"
    done = {(line["id"], line["row"]): line for line in _lines(file)}
    serving = find_serving(platform)
    if serving is None:
        raise InputError("No scene was ingested", fix="Give another --work folder")
    with Viewer(serving.platform) as viewer, file.open("a", encoding="utf-8") as out:
        for each in track(asked, f"asking {folder.name}", console=console):
            wanted = [row for row in rows or rows_of(each) if (each.id, row) not in done]
            for row, line in answers(serving, viewer, each, wanted) if wanted else ():
                done[each.id, row] = {"id": each.id, "row": row, "question": each.question, **line}
                out.write(json.dumps(done[each.id, row], ensure_ascii=False) + "\n")
                out.flush()
    return [judge(each, row, done[each.id, row]) for each in asked for row in rows or rows_of(each)]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers in a file, but for a last line that a kill cut short, which is cut off."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    whole, _, rest = text.rpartition("\n")
    if rest:
        file.write_text(whole + "\n" if whole else "", encoding="utf-8")
    yield from (json.loads(line) for line in whole.split("\n") if line)


def _claim(file: Path, platform: Platform, asked: Sequence[Asked]) -> None:
    """Say what a folder is about.  Raises InputError if it is about something else."""
    text = json.dumps([asdict(each) for each in asked], sort_keys=True, default=str)
    about = {"questions": hashlib.sha256(text.encode()).hexdigest(), "mllm": platform.settings.mllm}
    if not file.exists():
        file.write_text(json.dumps(about), encoding="utf-8")
    elif json.loads(file.read_text(encoding="utf-8")) != about:
        raise InputError(
            "The folder has answers to other questions, or of another model",
            fix="Give another --work folder, or remove this one",
            folder=file.parent,
        )


def _dense(settings: Settings, given: argparse.Namespace) -> Iterator[Asked]:
    """Make scenes with many objects of one kind, ingest them, and yield a question about each."""
    options = {"half": "measuring", "drawn": given.dense, "drawn_px": _PIXELS}
    options |= {"scenes": given.dense, "cells": _CELLS}
    own = argparse.Namespace(**{**vars(given), **options})
    for name, folder in (("drawn", counting.drawn_scenes(own)), ("mosaics", counting.stitched_scenes(own))):
        ingest(settings, folder / "catalog.json")
        for truth in sorted((folder / "truth").glob("*.json")):
            known = json.loads(truth.read_text(encoding="utf-8"))
            if name == "drawn" or not _several_in_a_chip(known["kind"]):
                yield count_question(truth.stem, known["kind"], len(known["windows"]), given.seed, about=name)


def _several_in_a_chip(thing: str) -> bool:
    """Return whether chips of a class may show several objects, so that cells are not their number."""
    return thing in EVERYWHERE or any(TARGETS.get(each) == thing for each in counted_classes())


def _counts(judged: Sequence[Judgement]) -> dict[str, Any]:
    """Return the share of counts that are within 25 %, by set, and the numbers themselves."""
    figures: dict[str, Any] = {"all": share_over_scenes(judged).to_dict()}
    for name in sorted({each.asked.about for each in judged}):
        figures[name] = share_over_scenes([each for each in judged if each.asked.about == name]).to_dict()
    figures["counts"] = [
        {"scene": each.asked.scene, "true": _true(each.asked), "counted": _counted(each.line)} for each in judged
    ]
    return figures


def _true(asked: Asked) -> int:
    assert asked.truth is not None
    return next(fact.value for fact in asked.truth.facts if fact.kind == "count")


def _counted(line: Mapping[str, Any]) -> int | None:
    return next((each.get("value") for each in line.get("result") or () if each.get("kind") == "count"), None)


if __name__ == "__main__":
    run(main, __doc__)
