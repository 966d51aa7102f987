"""The benchmark: questions with known answers, asked about the ingested scenes; its figures form a series.

How figures are computed and kept belongs to the room `evaluation`.

No `from __future__ import annotations` here: Dagster reads the annotations of `context` and `config` as objects.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, patch_collection
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.run_config import Config
from imagerag_assets.orchestration.step_failures import RETRY, failures

FINGERPRINT_TAG = "imagerag/fingerprint"
_TAG_DIGITS = 16  # a tag's value has at most 63 characters


class BenchmarkConfig(Config):
    """Which questions to ask, and how."""

    questions: list[str] = Field(description="Question files; their scenes must be ingested")
    name: str = Field(default="retrieval", description="Name of the series that the figures belong to")
    retrieval: str = Field(default="default", description="default, or paper for the published algorithm")
    division: str | None = Field(default=None, description="vit, cc or grid (for retrieval: paper)")
    path: str = Field(default="auto", description="How to look for cues: auto, fast or slow")
    answer: bool = Field(default=False, description="Answer the questions as well, which needs the language model")


@dg.asset(
    deps=[patch_collection, knowledge_labels, knowledge_captions],
    code_version=CODE_VERSION,
    group_name="questions",
    owners=["team:analysis"],
    kinds={"milvus", "pytorch"},
    tags={"domain": "evaluation"},
    retry_policy=RETRY,
    description="How well targets are found, measured with questions whose answers are known. The plots of this page"
    " show the figures of all materializations over time; a tag names the encoder of each.",
)
def retrieval_benchmark(
    context: dg.AssetExecutionContext,
    config: BenchmarkConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
    job_paths: dg.ResourceParam[JobPaths],
) -> dg.MaterializeResult[Any]:
    """Ask, measure, and keep the figures."""
    from imagerag_assets.evaluation.benchmarks import Benchmark, save_benchmark
    from imagerag_assets.evaluation.evaluate import evaluate  # retrieval and answering load when they are needed
    from imagerag_assets.evaluation.loaders import load_cases

    options = {name: getattr(config, name) for name in ("retrieval", "division", "path", "answer")}
    # A retry continues with the answers it has.
    folder = platform.settings.home / "evaluations" / context.run.run_id
    with failures(platform):
        job_paths.check_questions(config.questions, platform.settings)
        done = evaluate(platform, load_cases(config.questions), folder, options=options, progress=reporter.progress)
        run = done["run"]
        key = save_benchmark(
            platform,
            Benchmark(
                name=config.name,
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                encoder=run["encoder"],
                fingerprint=run["fingerprint"],
                questions=done["questions"],
                failed=done["failed"],
                left_out=done["left_out"],
                options=run["options"],
                metrics=done["metrics"],
            ),
        )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{run['fingerprint']}:{run['questions']}:{context.run.run_id}"),
        tags={FINGERPRINT_TAG: run["fingerprint"][:_TAG_DIGITS]},
        metadata=_metadata(platform, config, done, key),
    )


def _metadata(platform: Platform, config: BenchmarkConfig, done: Mapping[str, Any], key: str) -> dict[str, Any]:
    from imagerag_assets.evaluation.report import figure_rows, interval, told

    table = [
        {"figure": name, "value": told(figure), "95 % interval": interval(figure), "n": figure["n"]}
        for name, figure in figure_rows(done["metrics"])
    ]
    return {
        **_numbers(done["metrics"]),
        "questions": done["questions"],
        "failed": done["failed"],
        "left_out": done["left_out"],
        "missing": ", ".join(done["run"]["missing"].values()) or "none",
        "figures": dg.MetadataValue.md(markdown_table(table)),
        "series": config.name,
        "encoder": done["run"]["encoder"],
        "fingerprint": done["run"]["fingerprint"],
        "record": dg.MetadataValue.path(platform.store.url(key)),
        "report": dg.MetadataValue.path(str(Path(done["report"]["table"]).absolute())),
    }


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures that form a series, without those that have no value."""
    located, everything = metrics["recall"]["position+count"], metrics["recall"]["all"]
    figures = {
        "recall": everything["half_covered"],
        "recall_position_count": located["half_covered"],
        "recall_iou_0_1": everything["iou_0.1"],
        "recall_iou_0_3": everything["iou_0.3"],
        "recall_iou_0_5": everything["iou_0.5"],
        "accuracy": metrics["accuracy"]["all"],
    } | {
        name: metrics[name]
        for name in ("no_cue", "false_cues", "instances_found", "cue_precision", "calibration_error")
    }
    return {name: float(figure["value"]) for name, figure in figures.items() if figure["value"] is not None}
