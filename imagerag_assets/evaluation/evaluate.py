"""Evaluate an installation on question files: ask, measure, compare with another run, report.

The command line and the Dagster asset are thin calls into this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagerag_assets.evaluation.loaders import Loaded
from imagerag_assets.evaluation.metrics import compare_runs, measure_run
from imagerag_assets.evaluation.report import write_report
from imagerag_assets.evaluation.run import Progress, load_run, run_cases
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_records import new_answer_id
from imagerag_assets.settings import Settings


def new_folder(settings: Settings) -> Path:
    """Return the path of a folder for a new run in the installation's home; the folder is not created."""
    return settings.home / "evaluations" / new_answer_id()


def evaluate(
    platform: Platform,
    loaded: Sequence[Loaded],
    folder: Path,
    *,
    options: Mapping[str, Any] | None = None,
    compare: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Ask the questions of files, measure the answers, and write the report into `folder`.

    Args:
        platform: The installation, with the scenes already ingested.
        loaded: Questions that `loaders.load_cases` read.
        folder: Where the run is kept; an unfinished run in it continues.
        options: Values for some of `run.OPTIONS`.
        compare: Folder of a finished run to compare with, on the questions that both have.
        progress: Called with the questions done, the number of questions, and the question.

    Returns:
        ``{"questions", "failed", "left_out", "files", "run", "metrics", "comparison"?, "before"?, "report"}``.
        ``left_out`` counts the questions about scenes that ``run.missing`` names.  ``metrics`` is the result of
        `metrics.measure_run`, ``comparison`` that of `metrics.compare_runs`, and ``before`` has the metrics of the
        other run.

    Raises:
        InputError: see `run.run_cases` and `run.load_run`.
        FingerprintError: the collection belongs to another encoder.
    """
    cases = [case for each in loaded for case in each.cases]
    other = load_run(compare, cases) if compare is not None else None  # fail before asking anything
    run = run_cases(platform, cases, folder, options=options, progress=progress)
    document: dict[str, Any] = {
        "questions": len(run.judged),
        "failed": run.failed,
        "left_out": len(cases) - len(run.judged),
        "files": [
            {
                "file": str(each.file),
                "format": each.format,
                "questions": len(each.cases),
                "passed_over": each.left_out,
                "protocol": each.protocol,
            }
            for each in loaded
        ],
        "run": dict(run.about),
        "metrics": measure_run(list(run.judged.values())),
    }
    if other is not None:
        document["comparison"] = compare_runs(other.judged, run.judged)
        document["before"] = measure_run(list(other.judged.values()))
    return document | {"report": write_report(folder, document)}
