"""The jobs: what a person, a sensor or a schedule starts.  What their steps do belongs to the assets and ops.

Every job runs its steps in one process, so that a run loads each model once and only one process opens Milvus Lite.
No `from __future__ import annotations` here: Dagster reads the annotations of ops as objects.
See https://docs.dagster.io/guides/build/jobs
"""

from typing import Any

import dagster as dg

from imagerag_assets.orchestration.assets import SCENE_ASSETS, answer, answer_batch, retrieval_benchmark
from imagerag_assets.orchestration.assets.answers import EXAMPLE, AskBatchConfig
from imagerag_assets.orchestration.assets.encoder_switch import SwitchConfig, encoder_switch
from imagerag_assets.orchestration.assets.knowledge import KnowledgeConfig, knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.retrieval_benchmark import BenchmarkConfig
from imagerag_assets.orchestration.assets.standing_answers import standing_answers
from imagerag_assets.orchestration.names import (
    ADD_WATCH,
    ASK,
    ASK_BATCH,
    ASK_STANDING,
    BENCHMARK,
    CHECK_ANSWERS,
    INGEST,
    KNOWLEDGE,
    LOCATION,
    PURGE,
    RENEW,
    RESCAN,
    SCAN,
)
from imagerag_assets.orchestration.ops import (
    PurgeConfig,
    RescanConfig,
    ScanConfig,
    WatchConfig,
    purge_scenes,
    renew,
    rescan,
    save_watch,
    scan,
)


@dg.job(
    name=SCAN,
    description="Ingest new imagery: enter its address in the launchpad. The scenes that are found there become"
    " partitions, and each is ingested in a run of ingest_scenes. Scenes that are ingested and unchanged are skipped.",
    config=dg.RunConfig(ops={"scan": ScanConfig(source="s3://bucket/prefix/catalog.json", limit=100)}),
    executor_def=dg.in_process_executor,
)
def scan_source() -> None:
    """Run the op `scan`."""
    scan()


ingest_scenes = dg.define_asset_job(
    INGEST,
    selection=dg.AssetSelection.assets(*SCENE_ASSETS),
    executor_def=dg.in_process_executor,
    description="Ingest a known scene once more: choose its partition. New imagery has none yet: enter its address in"
    f" [{SCAN}](/locations/{LOCATION}/jobs/{SCAN}/playground), which finds its scenes and ingests them.",
)

build_knowledge = dg.define_asset_job(
    KNOWLEDGE,
    selection=dg.AssetSelection.assets(knowledge_labels, knowledge_captions),
    config=dg.RunConfig(ops={"knowledge_labels": KnowledgeConfig(), "knowledge_captions": KnowledgeConfig()}),
    executor_def=dg.in_process_executor,
    description="Embed labels and captions for the slow path. Sources: see the launchpad, or set IMAGERAG_KNOWLEDGE_*.",
)

ask_question = dg.define_asset_job(
    ASK,
    selection=dg.AssetSelection.assets(answer).without_checks(),
    config=dg.RunConfig(ops={"answer": EXAMPLE}),
    executor_def=dg.in_process_executor,
    description="Ask one question: Materialize opens the launchpad. The answer and its evidence are on the page of"
    " the asset [answer](/assets/answer), and in the run.",
)

ask_batch = dg.define_asset_job(
    ASK_BATCH,
    selection=dg.AssetSelection.assets(answer_batch),
    config=dg.RunConfig(ops={"answer_batch": AskBatchConfig(input="questions.jsonl", output="answers.jsonl")}),
    executor_def=dg.in_process_executor,
    description="Answer a file of questions (JSONL) and write a file of answers.",
)

benchmark = dg.define_asset_job(
    BENCHMARK,
    selection=dg.AssetSelection.assets(retrieval_benchmark),
    config=dg.RunConfig(ops={"retrieval_benchmark": BenchmarkConfig(questions=["questions.jsonl"])}),
    executor_def=dg.in_process_executor,
    description="Measure how well targets are found, with files of questions whose answers are known.",
)

check_answers = dg.define_asset_job(
    CHECK_ANSWERS,
    selection=dg.AssetSelection.checks_for_assets(answer),
    executor_def=dg.in_process_executor,
    description="List outdated answers: newer acquisitions, changed scenes, or a retired encoder.",
)

backfill_embeddings = dg.define_asset_job(
    "backfill_embeddings",
    selection=dg.AssetSelection.assets(encoder_switch),
    config=dg.RunConfig(ops={"encoder_switch": SwitchConfig()}),
    executor_def=dg.in_process_executor,
    description="Embed every scene with the chosen encoder, check the result, and switch questions over to it.",
)
rollback_encoder = dg.define_asset_job(
    "rollback_encoder",
    selection=dg.AssetSelection.assets(encoder_switch),
    config=dg.RunConfig(ops={"encoder_switch": SwitchConfig(rollback=True)}),
    executor_def=dg.in_process_executor,
    description="Go back to the encoder and the collections that were in use before the last switch.",
)

ask_standing = dg.define_asset_job(
    ASK_STANDING,
    selection=dg.AssetSelection.assets(standing_answers),
    executor_def=dg.in_process_executor,
    description="Ask standing questions now: select their partitions.",
)


@dg.job(
    name=ADD_WATCH,
    description="Save a question to ask again when a new acquisition covers its area: edit the launchpad.",
    config=dg.RunConfig(
        ops={"save": WatchConfig(**EXAMPLE.model_dump() | {"name": "storage tanks", "bbox": [9.1, 48.6, 9.2, 48.7]})}
    ),
    executor_def=dg.in_process_executor,
)
def add_watch() -> None:
    """Run the op `save_watch`."""
    save_watch()


@dg.job(
    name=RESCAN,
    description="Read every item of one watched source; its schedule starts this daily.",
    config=dg.RunConfig(ops={"rescan": RescanConfig(source="NAME")}),
    executor_def=dg.in_process_executor,
)
def rescan_source() -> None:
    """Run the op `rescan`."""
    rescan()


@dg.job(
    name=PURGE,
    description="Delete the scenes that are marked as removed from their source.",
    config=dg.RunConfig(ops={"purge_scenes": PurgeConfig()}),
    executor_def=dg.in_process_executor,
)
def purge_removed() -> None:
    """Run the op `purge_scenes`."""
    purge_scenes()


@dg.job(
    name=RENEW,
    description="Renew Milvus's index over new rows; its sensor starts this once for many scenes.",
    executor_def=dg.in_process_executor,
)
def renew_indexes() -> None:
    """Run the op `renew`."""
    renew()


JOBS: list[Any] = [
    # scenes
    ingest_scenes,
    scan_source,
    build_knowledge,
    # questions
    ask_question,
    ask_batch,
    check_answers,
    benchmark,
    # standing questions
    ask_standing,
    add_watch,
    # the encoder
    backfill_embeddings,
    rollback_encoder,
    # maintenance
    rescan_source,
    purge_removed,
    renew_indexes,
]
