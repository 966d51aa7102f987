"""The use case: read files, ingest a benchmark's pictures, ask, measure, compare, report.

The command line and the Dagster asset are thin calls into this.
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
    """A folder for one more run in HOME; it does not exist yet."""
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
        platform: The installation; scenes are ingested already.
        loaded: From `loaders.load_cases`.
        folder: Where the run is kept; an unfinished run in it goes on.
        options: Some of `run.OPTIONS`.
        compare: Folder of a finished run to compare with, on the questions that both have.
        progress: Called with questions done, all questions, and the question.

    Returns:
        ``{"questions", "failed", "left_out", "files", "run", "metrics", "comparison"?, "before"?, "report"}``:
        ``left_out`` questions are about scenes that ``run.missing`` names; ``metrics`` as `metrics.measure_run`,
        ``comparison`` as `metrics.compare_runs`, ``before`` the metrics of the other run.

    Raises:
        InputError: see `run.run_cases` and `run.load_run`.
        FingerprintError: the collection belongs to another encoder.
    """
    cases = [case for each in loaded for case in each.cases]
    other = load_run(compare, cases) if compare is not None else None  # said before anything is asked
    run = run_cases(platform, cases, folder, options=options, progress=progress)
    document: dict[str, Any] = {
        "questions": len(run.judged),
        "failed": run.failed,
        "left_out": len(cases) - len(run.judged),
        "files": [
            {"file": str(each.file), "format": each.format, "questions": len(each.cases), "passed_over": each.left_out}
            for each in loaded
        ],
        "run": dict(run.about),
        "metrics": measure_run(list(run.judged.values())),
    }
    if other is not None:
        document["comparison"] = compare_runs(other.judged, run.judged)
        document["before"] = measure_run(list(other.judged.values()))
    return document | {"report": write_report(folder, document)}
