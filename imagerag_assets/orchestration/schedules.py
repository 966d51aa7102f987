"""Schedules: a daily full scan of each watched source.

What a scan does belongs to the op `rescan`.
No `from __future__ import annotations` here: Dagster reads the annotations of ops as objects.
See https://docs.dagster.io/guides/automate/schedules
"""

import zlib
from collections.abc import Sequence

import dagster as dg

from imagerag_assets.orchestration.jobs import rescan_source
from imagerag_assets.orchestration.names import SOURCE_TAG
from imagerag_assets.orchestration.ops import RescanConfig
from imagerag_assets.watched_sources.sources import WatchedSource

_NIGHT = 2  # o'clock, UTC


def rescan_schedules(sources: Sequence[WatchedSource]) -> list[dg.ScheduleDefinition]:
    """Return a schedule for each source: once a night, each at a minute of its own."""
    return [
        dg.ScheduleDefinition(
            name=f"rescan_{source.name}",
            job=rescan_source,
            cron_schedule=f"{zlib.crc32(source.name.encode()) % 60} {_NIGHT} * * *",
            run_config=dg.RunConfig(ops={"rescan": RescanConfig(source=source.name)}),
            tags={SOURCE_TAG: source.name},
            default_status=dg.DefaultScheduleStatus.RUNNING if source.enabled else dg.DefaultScheduleStatus.STOPPED,
            description=f"Reads every item of {source.source} once a night, to find changed imagery and removed items",
        )
        for source in sources
    ]
