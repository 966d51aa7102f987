"""Measure how many targets are found when questions use jargon, with the knowledge base and without it.

    IMAGERAG_HOME=... python -m benchmarks.jargon QUESTIONS.jsonl ... --out FOLDER [--json]

The installation has the questions' scenes and a label knowledge base of their classes, e.g.

    python -m benchmarks.make_mosaic --images CHIPS --split dev --rows 20 --cols 20 --out MOSAICS
    imagerag ingest MOSAICS/catalog.json && imagerag knowledge build labels OTHER_CHIPS

The exemplars must not be the chips that the mosaics are made of, since a picture would find itself.

Every position and count question is asked again with each term of its class below in place of the class's name: with
`--path fast`, where only the encoder can know the term, with `auto`, and by the published retrieval. Terms of the
packaged glossary (`knowledge/glossary.json`) are counted apart from terms that it does not contain, not even in part.
The demo encoders were trained with none of them. A target is found when one of the first three cues shows at least half
of it. The terms of one question are not independent trials, so intervals draw whole questions. A killed run continues.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.evaluation.cases import Case, Judged
from imagerag_assets.evaluation.loaders import load_cases
from imagerag_assets.evaluation.metrics import LOCATED, paired, pooled
from imagerag_assets.evaluation.report import interval, told
from imagerag_assets.evaluation.run import run_cases
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings, load_settings


class Terms(NamedTuple):
    """What people call a class when they do not use its plain name."""

    glossary: tuple[str, ...]
    """Terms in the packaged glossary."""
    other: tuple[str, ...]
    """Terms that are not in the glossary."""


JARGON: dict[str, Terms] = {
    "airplane": Terms(("aerodrome apron", "flight line"), ("aviation ramp", "jetliner gate")),
    "baseball diamond": Terms(("ballpark", "backstop"), ("bat-and-ball ground", "pitching mound")),
    "beach": Terms(("foreshore", "surf zone"), ("intertidal sand", "seaside strip")),
    "freeway": Terms(("dual carriageway", "expressway"), ("trunk road", "turnpike")),
    "golf course": Terms(("links", "tee box"), ("eighteen-hole layout", "putting surface")),
    "harbor": Terms(("marina berth", "yacht basin"), ("pleasure craft haven", "dinghy dock")),
    "mobile home park": Terms(("caravan park", "trailer court"), ("prefabricated dwelling site", "touring van site")),
    "overpass": Terms(("grade separation", "viaduct"), ("elevated carriageway", "motorway bridge")),
    "parking lot": Terms(("motor pool", "parking bay"), ("vehicle compound", "automobile storage")),
    "road intersection": Terms(("signalised junction", "four-way stop"), ("street junction", "road node")),
    "runway": Terms(("touchdown zone", "flight strip"), ("take-off strip", "aerodrome pavement")),
    "storage tank": Terms(("tank farm", "oil depot"), ("petroleum storage depot", "liquid fuel vessel")),
    "tennis court": Terms(("racquet court", "hard court"), ("racket sport facility", "ATP venue")),
}
"""Terms by the class name that questions use."""
GROUPS = ("glossary", "other")
RUNS: dict[str, dict[str, str]] = {
    "fast": {"path": "fast"},
    "auto": {"path": "auto"},
    "paper": {"path": "auto", "retrieval": "paper"},
}
"""Options of each way to ask: the encoder only, with the knowledge base, and the published retrieval with it."""


def rewritten(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Return position and count questions in jargon, by group; the id of each ends with ``#`` and its term."""
    found: dict[str, list[Case]] = {group: [] for group in GROUPS}
    for case in cases:
        name = next((name for name in JARGON if f" {name} " in f" {case.question.rstrip('?')} "), None)
        if name is None or case.kind not in LOCATED or not case.roi:
            continue
        for group, terms in zip(GROUPS, JARGON[name], strict=True):
            for term in terms:
                asked = case.question.replace(name, term)
                found[group].append(replace(case, id=f"{case.id}#{term}", question=asked))
    return found


def ask_in_jargon(settings: Settings, groups: Mapping[str, Sequence[Case]], runs: Path) -> list[dict[str, Any]]:
    """Ask the rewritten questions in each way of `RUNS`, and return the rows of `measure`.

    Args:
        settings: Settings of the installation with the questions' scenes and a label knowledge base.
        groups: Questions that `rewritten` returned.
        runs: Folder of the runs; killed runs continue.

    Raises:
        InputError: there are no questions in jargon.
    """
    cases = [case for each in groups.values() for case in each]
    if not cases:
        raise InputError("No position or count question names a class with jargon", fix="Give other questions")
    with Platform(settings) as platform:
        judged = {
            name: run_cases(platform, cases, runs / name, options={**how, "top_k": 3, "answer": False}).judged
            for name, how in RUNS.items()
        }
    return measure(groups, judged)


def measure(groups: Mapping[str, Sequence[Case]], runs: Mapping[str, Mapping[str, Judged]]) -> list[dict[str, Any]]:
    """Return the share found by each way of asking, with a row for each group and one for all."""
    rows = []
    for group, cases in {**groups, "all": [case for each in groups.values() for case in each]}.items():
        row: dict[str, Any] = {"terms": group, "questions": len(cases)}
        for path in RUNS:
            parts: dict[str, list[bool]] = {}
            for case in cases:
                parts.setdefault(case.id.rpartition("#")[0], []).append(runs[path][case.id].found)
            row[path] = pooled([(sum(part), len(part)) for part in parts.values()]).to_dict()
        row["paired"] = paired([(runs["fast"][case.id].found, runs["auto"][case.id].found) for case in cases])
        rows.append(row)
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = ["| terms | n | without (fast) | with (auto) | times | fixed / broken | published |", "|" + "---|" * 7]
    for row in rows:
        without, with_it = row["fast"], row["auto"]
        times = f"{with_it['value'] / without['value']:.1f}" if without["value"] else "-"
        shares = [f"{told(figure)} ({interval(figure)})" for figure in (without, with_it, row["paper"])]
        changed = f"{row['paired']['fixed']} / {row['paired']['broken']}"
        cells = [row["terms"], str(row["questions"]), *shares[:2], times, changed, shares[2]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+", type=Path, help="question files with regions (JSONL)")
    parser.add_argument("--out", required=True, type=Path, help="folder that keeps the answers")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args(arguments)
    try:
        groups = rewritten(case for loaded in load_cases(given.questions) for case in loaded.cases)
        rows = ask_in_jargon(load_settings(), groups, given.out)
    except ImageRAGError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(rows, indent=1) if given.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
