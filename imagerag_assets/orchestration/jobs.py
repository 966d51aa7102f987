"""The jobs a person starts: ingest one scene, scan a source, build knowledge, ask.

All run their steps in one process, so that models are loaded once a run and Milvus Lite is opened by one process.
No `from __future__ import annotations` here: Dagster reads the annotations of ops as objects.
See https://docs.dagster.io/guides/build/jobs
"""

from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.orchestration.assets import SCENE_ASSETS, answer, answer_batch, retrieval_benchmark
from imagerag_assets.orchestration.assets.answers import EXAMPLE, AskBatchConfig
from imagerag_assets.orchestration.assets.benchmark import BenchmarkConfig
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.failures import failures
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.pipelines.platform import Platform

INGEST, SCAN, KNOWLEDGE = "ingest_scenes", "scan_source", "build_knowledge"
ASK, ASK_BATCH, CHECK_ANSWERS = "ask_question", "ask_batch", "check_answers"
BENCHMARK = "benchmark"
_SHOWN = 200  # rows of a table in the event log


class ScanConfig(dg.Config):
    """What to look for, and where."""

    source: str = Field(description="STAC catalog, collection, item, folder, s3:// prefix, or STAC API")
    collections: list[str] = Field(default=[], description="Only items of these collections; empty: all")
    scenes: list[str] = Field(default=[], description="Only these scene keys or item ids; empty: all")
    limit: int | None = Field(default=None, description="Stop after so many scenes")
    ingest: bool = Field(default=True, description="Off: only add the partitions")


@dg.op(description="Find the scenes of a source, add them as partitions, and ingest the new and changed ones.")
def scan(
    context: dg.OpExecutionContext,
    config: ScanConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
) -> None:
    """Each scene is ingested by a run of `ingest_scenes` of its own, one after the other in this process: that works
    with and without a daemon, loads the models once, and a scene that fails leaves the others alone.
    """
    from imagerag_assets.orchestration.run import Runner  # it builds the definitions that this module is part of

    runner = Runner(platform.settings, platform=platform, instance=context.instance, progress=reporter.progress)
    rows: list[dict[str, object]] = []
    with failures(platform):
        for result in runner.ingest_source(
            config.source,
            collections=config.collections,
            scenes=config.scenes,
            limit=config.limit,
            announce_only=not config.ingest,
        ):
            rows.append({name: value for name, value in result.to_dict().items() if value is not None})
            context.log.info(f"{result.scene}: {result.status}{f' ({result.error})' if result.error else ''}")
    failed = [row for row in rows if row["status"] == "failed"]
    columns = ("scene", "status", "patches", "seconds", "error")
    table = [{column: row.get(column, "") for column in columns} for row in [*failed, *rows][:_SHOWN]]
    metadata: dict[str, Any] = {
        "found": len(rows),
        "failed": len(failed),
        "scenes": dg.MetadataValue.md(markdown_table(table)),
    }
    if failed:
        raise dg.Failure(
            f"{len(failed)} of {len(rows)} scenes failed; the others are done. First: {failed[0].get('error')}",
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


@dg.job(
    name=SCAN,
    description="Ingest a whole source: type it into the launchpad. Scenes that are there and unchanged are skipped.",
    config=dg.RunConfig(ops={"scan": ScanConfig(source="s3://bucket/prefix/catalog.json", limit=100)}),
    executor_def=dg.in_process_executor,
)
def scan_source() -> None:
    """One op: see `scan`."""
    scan()


ingest_scenes = dg.define_asset_job(
    INGEST,
    selection=dg.AssetSelection.assets(*SCENE_ASSETS),
    executor_def=dg.in_process_executor,
    description="Register, divide, embed and index one scene. New sources: use scan_source, or imagerag ingest SOURCE.",
)

build_knowledge = dg.define_asset_job(
    KNOWLEDGE,
    selection=dg.AssetSelection.assets(knowledge_labels, knowledge_captions),
    executor_def=dg.in_process_executor,
    description="Embed labels and captions for the slow path. Sources: the launchpad, or IMAGERAG_KNOWLEDGE_*.",
)

ask_question = dg.define_asset_job(
    ASK,
    selection=dg.AssetSelection.assets(answer).without_checks(),
    config=dg.RunConfig(ops={"answer": EXAMPLE}),
    executor_def=dg.in_process_executor,
    description="Ask one question: edit the launchpad and launch; the answer and its evidence are the run's metadata.",
)

ask_batch = dg.define_asset_job(
    ASK_BATCH,
    selection=dg.AssetSelection.assets(answer_batch),
    config=dg.RunConfig(ops={"answer_batch": AskBatchConfig(input="questions.jsonl", output="answers.jsonl")}),
    executor_def=dg.in_process_executor,
    description="Answer a file of questions.",
)

benchmark = dg.define_asset_job(
    BENCHMARK,
    selection=dg.AssetSelection.assets(retrieval_benchmark),
    config=dg.RunConfig(ops={"retrieval_benchmark": BenchmarkConfig(questions=["questions.jsonl"])}),
    executor_def=dg.in_process_executor,
    description="Measure how well targets are found, over files of questions with known truth.",
)

check_answers = dg.define_asset_job(
    CHECK_ANSWERS,
    selection=dg.AssetSelection.checks_for_assets(answer),
    executor_def=dg.in_process_executor,
    description="List the answers that time has passed by: newer acquisitions, changed scenes, a retired encoder.",
)

JOBS: list[Any] = [ingest_scenes, scan_source, build_knowledge, ask_question, ask_batch, check_answers, benchmark]
