"""Jobs that keep the installation in line with its sources: `rescan_source` and `purge_removed`, and their schedules.

No `from __future__ import annotations` here: Dagster reads the annotations of ops as objects.
See https://docs.dagster.io/guides/automate/schedules
"""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.errors import InputError
from imagerag_assets.orchestration.assets.scenes import MILVUS_POOL
from imagerag_assets.orchestration.failures import failures
from imagerag_assets.orchestration.partitions import SCENES_NAME
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.sensors import SOURCE_TAG
from imagerag_assets.pipelines.full_scan import full_scan
from imagerag_assets.pipelines.platform import Platform
from imagerag_assets.pipelines.removal import list_removed, purge
from imagerag_assets.pipelines.sources import WatchedSource, find_source, parse_duration

RESCAN, PURGE = "rescan_source", "purge_removed"
_NIGHT = 2  # o'clock, UTC


class RescanConfig(dg.Config):
    """Which source."""

    source: str = Field(description="Name of a watched source (imagerag sources)")


@dg.op(description="Read every item of a watched source: what changed goes to its sensor, what is gone is marked.")
def rescan(
    context: dg.OpExecutionContext,
    config: RescanConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
) -> None:
    """Runs are requested by the sensor, so that its limits hold; it has to be running."""
    with failures(platform):
        found = full_scan(platform, find_source(config.source, platform.settings), reporter.progress)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for key in found.removed:
        context.log_event(
            dg.AssetObservation("scene", partition=key, metadata={"removed_from_source": config.source, "noticed": now})
        )
    context.add_output_metadata(
        {
            "documents": found.listed,
            "scenes": found.scenes,
            "to_request": len(found.changed),
            "removed": len(found.removed),
            "cannot_be_used": found.failed,
            "removed_scenes": dg.MetadataValue.md("\n".join(f"- {key}" for key in found.removed[:200]) or "none"),
            "problems": dg.MetadataValue.md("\n".join(f"- {line}" for line in found.problems[:50]) or "none"),
        }
    )


@dg.job(
    name=RESCAN,
    description="Full scan of one watched source; its schedule starts it daily.",
    config=dg.RunConfig(ops={"rescan": RescanConfig(source="NAME")}),
    executor_def=dg.in_process_executor,
)
def rescan_source() -> None:
    """One op: see `rescan`."""
    rescan()


class PurgeConfig(dg.Config):
    """Which of the marked scenes."""

    scenes: list[str] = Field(default=[], description="Only these scene keys; empty: all that are marked")
    older_than: str = Field(default="7d", description="Only ones marked at least so long ago, e.g. 0s, 12h, 7d")
    dry_run: bool = Field(default=False, description="Say what would be purged, and purge nothing")


@dg.op(
    description="Delete scenes whose item is gone: rows, shards, tables, records, partitions. Answers are kept.",
    pool=MILVUS_POOL,
)
def purge_scenes(context: dg.OpExecutionContext, config: PurgeConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Marked scenes only: see `imagerag status`."""
    with failures(platform):
        done = purge_marked(
            platform, context.instance, scenes=config.scenes, older_than=config.older_than, dry_run=config.dry_run
        )
    context.add_output_metadata(
        {"purged": 0 if config.dry_run else len(done), "scenes": dg.MetadataValue.md(markdown_table(done[:200]))}
    )


def purge_marked(
    platform: Platform,
    instance: dg.DagsterInstance,
    *,
    scenes: Sequence[str] = (),
    older_than: str = "7d",
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Purge marked scenes and their partitions; ``scene``, ``rows`` and ``objects`` of each.

    Args:
        platform: The installation.
        instance: Where the partitions are.
        scenes: Only these, whenever they were marked; empty: all.
        older_than: Only ones that were marked so long ago.
        dry_run: Delete nothing.

    Raises:
        InputError: `older_than` is no duration.
        UnknownSceneError: a named scene is not marked.
        StoreError: Milvus or the store fails.
    """
    try:
        before = (datetime.now(UTC) - parse_duration(older_than)).isoformat()
    except ValueError as error:
        raise InputError(str(error), fix="Write e.g. 7d") from None
    chosen = scenes or [mark.scene for mark in list_removed(platform) if mark.at <= before]
    if dry_run:
        return [{"scene": key, "rows": None, "objects": None} for key in chosen]

    def forget(key: str) -> None:
        instance.delete_dynamic_partition(SCENES_NAME, key)

    return [each.to_dict() for each in purge(platform, chosen, forget=forget)]


@dg.job(
    name=PURGE,
    description="Purge scenes that were marked as removed from their source.",
    config=dg.RunConfig(ops={"purge_scenes": PurgeConfig()}),
    executor_def=dg.in_process_executor,
)
def purge_removed() -> None:
    """One op: see `purge_scenes`."""
    purge_scenes()


UPKEEP_JOBS: list[Any] = [rescan_source, purge_removed]


def rescan_schedules(sources: Sequence[WatchedSource]) -> list[dg.ScheduleDefinition]:
    """A daily full scan of each source, at night, each at a minute of its own."""
    return [
        dg.ScheduleDefinition(
            name=f"rescan_{source.name}",
            job=rescan_source,
            cron_schedule=f"{zlib.crc32(source.name.encode()) % 60} {_NIGHT} * * *",
            run_config=dg.RunConfig(ops={"rescan": RescanConfig(source=source.name)}),
            tags={SOURCE_TAG: source.name},
            default_status=dg.DefaultScheduleStatus.RUNNING if source.enabled else dg.DefaultScheduleStatus.STOPPED,
            description=f"Full scan of {source.source}",
        )
        for source in sources
    ]
