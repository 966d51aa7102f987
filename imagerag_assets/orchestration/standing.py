"""Standing questions: a series of answers a partition, the jobs that ask and add them, and the sensor that asks again.

When a question is due, and what counts as a change, is decided in `pipelines.watch`.
No `from __future__ import annotations` here: Dagster reads the annotations of `context` and `config` as objects.
See https://docs.dagster.io/guides/automate/asset-sensors
"""

import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.orchestration.assets.answers import EXAMPLE, OWNERS, AskConfig, answer_metadata
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, patch_collection
from imagerag_assets.orchestration.failures import failures
from imagerag_assets.orchestration.previews import markdown_table, plain
from imagerag_assets.pipelines.platform import Platform
from imagerag_assets.pipelines.watch import ask_watch, due
from imagerag_assets.pipelines.watch_store import WatchAnswer, load_watch
from imagerag_assets.provenance import load_answer
from imagerag_assets.settings import Settings, load_settings

warnings.filterwarnings("ignore", message=r".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)

WATCHES_NAME = "watches"
WATCHES = dg.DynamicPartitionsDefinition(name=WATCHES_NAME)
STANDING, ADD = "ask_standing", "add_watch"
CHECK = "answer_unchanged"
_EVENTS = 1000  # looked at in one tick
_EVERY_S = 30


@dg.asset(
    partitions_def=WATCHES,
    deps=[
        dg.AssetDep(patch_collection, partition_mapping=dg.AllPartitionMapping()),
        knowledge_labels,
        knowledge_captions,
    ],
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset="standing_answers",
            partitions_def=WATCHES,
            description="The answer is the one that was given before: choice or text, found or not, and the number"
            " where that was asked.",
        )
    ],
    code_version=CODE_VERSION,
    group_name="questions",
    owners=OWNERS,
    kinds={"huggingface", "milvus"},
    tags={"domain": "question"},
    description="Standing questions: a partition a question, a materialisation an answer of its series. Asked again"
    " when a new acquisition covers its area. Added by `imagerag watch add` and by the job `add_watch`.",
)
def standing_answers(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Ask the standing question that the partition key stands for."""
    from imagerag_assets.pipelines.ask import ask  # retrieval and answering load when they are needed

    with failures(platform):
        watch = load_watch(platform, context.partition_key)
        # What failed stays due, and is asked again by the next run.
        answer = ask_watch(platform, watch, lambda question: ask(platform, question, keep_failed=False).to_dict())
        record = load_answer(platform, answer.answer_id)
    changes = [{name: plain(change[name]) for name in ("what", "before", "after")} for change in answer.changed]
    check = dg.AssetCheckResult(
        check_name=CHECK,
        passed=not answer.changed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"changes": dg.MetadataValue.md(markdown_table(changes)), "previous": answer.previous or "none"},
    )
    yield dg.MaterializeResult(  # Dagster takes a returned one for the only output, and the check is another
        metadata=answer_metadata(platform, record) | _series_metadata(watch.name, answer, changes),
        check_results=[check],
    )


def _series_metadata(name: str, answer: WatchAnswer, changes: list[dict[str, str]]) -> dict[str, Any]:
    """What is new beside the metadata of any answer; numbers become plots over the series."""
    return {
        "watch": name,
        "changed": int(bool(answer.changed)),
        "changes": dg.MetadataValue.md(markdown_table(changes)),
        "found": int(answer.found),
        "count": answer.count,
        "confidence": float(answer.confidence or 0.0),
        "previous": answer.previous or "none",
        "last_change": answer.changed_at or "never",
        "new_scenes": dg.MetadataValue.json(answer.triggered_by),
    }


ask_standing = dg.define_asset_job(
    STANDING,
    selection=dg.AssetSelection.assets(standing_answers),
    executor_def=dg.in_process_executor,
    description="Ask standing questions now: choose their partitions.",
)


class WatchConfig(AskConfig):
    """A question to be asked again whenever a new acquisition covers its area."""

    name: str = Field(default="", description="For people, and for the partition key; empty: the question")
    ask_now: bool = Field(default=True, description="Off: ask for the first time when the next acquisition comes")


@dg.op(name="save", description="Save a standing question as a partition of `standing_answers`, and ask it.")
def save_watch(context: dg.OpExecutionContext, config: WatchConfig, platform: dg.ResourceParam[Platform]) -> None:
    """The first answer is a run of `ask_standing`, in this process."""
    from imagerag_assets.orchestration.run import Runner  # it builds the definitions that this module is part of
    from imagerag_assets.orchestration.watches import add_watch as add

    runner = Runner(platform.settings, platform=platform, instance=context.instance)
    with failures(platform):
        added = add(runner, config.to_question(), name=config.name, ask_now=config.ask_now)
    metadata: dict[str, Any] = {"watch": added["watch"]["watch_id"], "note": added["note"] or "none"}
    if added["answer"]:
        metadata |= {name: str(added["answer"][name]) for name in ("answer", "choice", "path", "answer_id")}
    context.add_output_metadata(metadata)


@dg.job(
    name=ADD,
    description="Save a question that is asked again when a new acquisition covers its area: edit the launchpad.",
    config=dg.RunConfig(
        ops={"save": WatchConfig(**EXAMPLE.model_dump() | {"name": "storage tanks", "bbox": [9.1, 48.6, 9.2, 48.7]})}
    ),
    executor_def=dg.in_process_executor,
)
def add_watch() -> None:
    """One op: see `save_watch`."""
    save_watch()


def standing_sensor(settings: Settings | None = None) -> dg.SensorDefinition:
    """The sensor that asks standing questions again."""

    @dg.sensor(
        name="standing_questions",
        job_name=STANDING,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks a standing question again when a scene that it covers was indexed, new or changed.",
    )
    def asked_again(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, settings or load_settings())

    return asked_again


def _tick(context: dg.SensorEvaluationContext, settings: Settings) -> dg.SensorResult:
    after = int(context.cursor) if context.cursor else None
    events = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(patch_collection.key, after_storage_id=after), limit=_EVENTS, ascending=True
    ).records
    if not events:
        return dg.SensorResult(skip_reason="No scene was indexed since the last look.")
    cursor = str(events[-1].storage_id)
    scenes = {event.partition_key for event in events if event.partition_key}
    with Platform(settings) as platform:
        waiting = due(platform, scenes)
    if not waiting:
        reason = f"{len(scenes)} scenes were indexed; no standing question has to be asked again for them."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    context.instance.add_dynamic_partitions(WATCHES_NAME, [each.watch.watch_id for each in waiting])
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{each.watch.watch_id}:{cursor}",
                partition_key=each.watch.watch_id,
                tags={"imagerag/watch": each.watch.watch_id},
            )
            for each in waiting
        ],
        cursor=cursor,
    )


STANDING_ASSETS: list[dg.AssetsDefinition] = [standing_answers]
STANDING_JOBS: list[Any] = [ask_standing, add_watch]
