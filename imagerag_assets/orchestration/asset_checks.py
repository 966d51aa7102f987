"""Asset checks: names, descriptions and severities of what `ingestion.checks` and other rooms find out.

The checks of a scene have the scene's partitions.  All checks of one asset are one step, which reads the shard once.
A blocking check that fails also fails its step, with the reason in one line, so that nothing that follows in the same
partition runs.  What a check looks at belongs to the room that finds it out.
  No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.
See https://docs.dagster.io/guides/test/asset-checks
"""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.answers import answer
from imagerag_assets.orchestration.assets.retrieval_benchmark import retrieval_benchmark
from imagerag_assets.orchestration.assets.scenes import (
    MILVUS_POOL,
    patch_collection,
    patch_embeddings,
    scene,
)
from imagerag_assets.orchestration.partitions import SCENES
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.step_failures import failures

if TYPE_CHECKING:
    from imagerag_assets.ingestion.checks import CheckOutcome

warnings.filterwarnings("ignore", message=r".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)

_ANSWERS_SHOWN, _QUESTION_SHOWN = 50, 120

BLOCKING = {
    "item_valid": "The item's record is complete, and its overview can be opened as a picture.",
    "fingerprint_equal": "The shard belongs to the scene's current version, to the division and to the chosen encoder.",
    "rows_equal_patches": "The shard has one row for each patch of the table with enough valid pixels, and no others.",
    "no_nan": "No vector contains NaN or infinity.",
    "unit_norms": "Every vector has length 1.",
    "collection_fingerprint_equal": "The collection holds vectors of the encoder that made the shard.",
    "rows_equal_shard": "The collection has the same rows as the shard.",
}
REPORTING = {
    "item_place": "The item's bbox overlaps the area that its raster covers.",
    "nodata_share": "Share of patches with too few valid pixels.",
    "duplicate_patches": "Share of patches whose vector equals that of another patch.",
    "retrieval_probe": "A search with a patch's own vector finds that patch first.",
}


def _scene_checks(
    asset: dg.AssetsDefinition,
    names: tuple[str, ...],
    look: Callable[[Platform, str], "list[CheckOutcome]"],
    pool: str | None = None,
) -> dg.AssetChecksDefinition:
    """Return the checks `names` of an asset; one call of `look` finds the outcomes of all."""
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=asset,
            description=(BLOCKING | REPORTING)[name],
            blocking=name in BLOCKING,
            partitions_def=SCENES,
        )
        for name in names
    ]

    @dg.multi_asset_check(name=f"{asset.key.to_python_identifier()}_checks", specs=specs, pool=pool)
    def checks(
        context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.AssetCheckResult]:
        from imagerag_assets.ingestion.checks import require

        key = context.partition_key
        with failures(platform, scene_key=key):
            outcomes = look(platform, key)
            for outcome in outcomes:
                yield check_result(outcome, asset.key)
            require(outcomes, key)

    return checks


def check_result(outcome: "CheckOutcome", asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return an outcome in the form that Dagster shows."""
    metadata: dict[str, Any] = dict(outcome.counts)
    if outcome.fix and not outcome.passed:
        metadata["fix"] = outcome.fix
    severity = dg.AssetCheckSeverity.ERROR if outcome.severity == "error" else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=outcome.passed,
        asset_key=asset,
        check_name=outcome.name,
        description=outcome.description,
        severity=severity,
        metadata=metadata,
    )


def _look_at_scene(platform: Platform, scene_key: str) -> "list[CheckOutcome]":
    from imagerag_assets.ingestion.checks import check_scene

    return check_scene(platform, scene_key)


def _look_at_shard(platform: Platform, scene_key: str) -> "list[CheckOutcome]":
    from imagerag_assets.ingestion.shard_checks import check_shard

    return check_shard(platform, scene_key)


def _look_at_rows(platform: Platform, scene_key: str) -> "list[CheckOutcome]":
    from imagerag_assets.ingestion.checks import check_rows

    return check_rows(platform, scene_key)


SCENE_CHECKS = [
    _scene_checks(scene, ("item_valid", "item_place"), _look_at_scene),
    _scene_checks(
        patch_embeddings,
        ("fingerprint_equal", "rows_equal_patches", "no_nan", "unit_norms", "nodata_share", "duplicate_patches"),
        _look_at_shard,
    ),
    _scene_checks(
        patch_collection,
        ("collection_fingerprint_equal", "rows_equal_shard", "retrieval_probe"),
        _look_at_rows,
        MILVUS_POOL,
    ),
]


@dg.asset_check(
    asset=answer,
    name="answers_up_to_date",
    description="Outdated answers: a newer acquisition covers their area, a scene changed or was removed, or their"
    " encoder is retired. A question's run does not include this check; start it here or with the job check_answers.",
    pool=MILVUS_POOL,
)
def answers_up_to_date(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Compare all answers with the current scenes and encoder, in one pass."""
    from imagerag_assets.lineage import outdated

    with failures(platform):
        looked_at, rows = 0, []
        for record, reasons in outdated.answers(platform):
            looked_at += 1
            if reasons:
                rows.append(
                    {
                        "answer": record.answer_id,
                        "question": record.question[:_QUESTION_SHOWN],
                        "why": "; ".join(reason.detail for reason in reasons),
                        "scenes": ", ".join(reason.scene for reason in reasons if reason.scene),
                    }
                )
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(rows):,} of {looked_at:,} answers are outdated",
        metadata={
            "answers": looked_at,
            "outdated": len(rows),
            "newest": dg.MetadataValue.md(markdown_table(rows[:_ANSWERS_SHOWN])),
        },
    )


@dg.asset_check(
    asset=retrieval_benchmark,
    name="benchmark",
    description="The latest figures of the chosen encoder; a warning if there are none.",
)
def benchmark(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Read the latest figures; measure nothing."""
    from imagerag_assets.evaluation.benchmarks import check_benchmark

    with failures(platform):
        return check_result(check_benchmark(platform), retrieval_benchmark.key)


CHECKS: list[dg.AssetChecksDefinition] = [*SCENE_CHECKS, answers_up_to_date, benchmark]
