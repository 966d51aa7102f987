"""Standing questions: each question is a partition, and each materialization of it an answer of its series.

When a question is due, and what counts as a change, belongs to the room `standing_questions`.
No `from __future__ import annotations` here: Dagster reads the annotations of `context` and `config` as objects.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration._dagster_private import tag_run
from imagerag_assets.orchestration.assets.answers import OWNERS
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, patch_collection
from imagerag_assets.orchestration.partitions import WATCHES
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.question_tags import answered_tags, asked_tags
from imagerag_assets.orchestration.step_failures import failures

if TYPE_CHECKING:
    from imagerag_assets.standing_questions.store import WatchAnswer

warnings.filterwarnings("ignore", message=r".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)

CHECK = "answer_unchanged"


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
            description="The answer equals the one before it: its choice or text, whether anything was found, and, if"
            " the question asks for one, the number.",
        )
    ],
    code_version=CODE_VERSION,
    group_name="questions",
    owners=OWNERS,
    kinds={"huggingface", "milvus"},
    tags={"domain": "question"},
    description="Standing questions. Each partition is a question, each materialization an answer of its series. A"
    " question is asked again when a new acquisition covers its area. Add one with `imagerag watch add` or the job"
    " `add_watch`.",
)
def standing_answers(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Ask the standing question that the partition key stands for."""
    from imagerag_assets.orchestration.answer_metadata import answer_metadata
    from imagerag_assets.questions.answer_records import load_answer
    from imagerag_assets.questions.ask import ask  # retrieval and answering load when they are needed
    from imagerag_assets.standing_questions.asking import ask_watch
    from imagerag_assets.standing_questions.store import load_watch

    with failures(platform):
        watch = load_watch(platform, context.partition_key)
        # A question that failed stays due: the sensor requests another run.
        answer = ask_watch(platform, watch, lambda question: ask(platform, question, keep_failed=False))
        record = load_answer(platform, answer.answer_id)
        tag_run(context.instance, context.run.run_id, asked_tags(record.asked()) | answered_tags(record))
    changes = [{name: markdown(change[name]) for name in ("what", "before", "after")} for change in answer.changed]
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


def _series_metadata(name: str, answer: "WatchAnswer", changes: list[dict[str, str]]) -> dict[str, Any]:
    """Return the metadata that only standing answers have; Dagster plots the numbers over the series."""
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
