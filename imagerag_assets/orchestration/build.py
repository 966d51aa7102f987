"""Everything Dagster is given, put together in one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.orchestration.assets import ANSWER_ASSETS, KNOWLEDGE_ASSETS, SCENE_ASSETS
from imagerag_assets.orchestration.assets.encoder_switch import SWITCH_ASSETS, SWITCH_JOBS
from imagerag_assets.orchestration.assets.sources import source_specs
from imagerag_assets.orchestration.automation import EMBED_STALE
from imagerag_assets.orchestration.checks import CHECKS
from imagerag_assets.orchestration.jobs import JOBS
from imagerag_assets.orchestration.resources import PLATFORM, REPORTER, platform_resource, reporter_resource
from imagerag_assets.orchestration.sensors import build_sensors
from imagerag_assets.orchestration.standing import STANDING_ASSETS, STANDING_JOBS, standing_sensor
from imagerag_assets.orchestration.upkeep import UPKEEP_JOBS, rescan_schedules
from imagerag_assets.pipelines.sources import list_sources
from imagerag_assets.settings import load_settings

if TYPE_CHECKING:
    from imagerag_assets.pipelines.sources import WatchedSource
    from imagerag_assets.settings import Settings


def build_defs(
    *,
    settings: Settings | None = None,
    sources: Sequence[WatchedSource] | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """The definitions of this project.

    Nothing is opened, and no model is loaded.

    Args:
        settings: What runs use; default: each run reads IMAGERAG_* variables when it starts.
        sources: The watched sources, each with a sensor, a schedule and an asset; default: those of the sources file as
            it is now.  After a change of the file: reload the definitions.
        resource_overrides: Resources by name (``platform``, ``reporter``) to use in place of the usual ones.

    Raises:
        SettingsError: the sources file is not valid.
    """
    watched = list_sources(settings or load_settings()) if sources is None else sources
    resources = {PLATFORM: platform_resource(settings), REPORTER: reporter_resource()}
    return dg.Definitions(
        assets=[
            *SCENE_ASSETS,
            *KNOWLEDGE_ASSETS,
            *ANSWER_ASSETS,
            *STANDING_ASSETS,
            *SWITCH_ASSETS,
            *source_specs(watched),
        ],
        asset_checks=CHECKS,
        jobs=[*JOBS, *UPKEEP_JOBS, *STANDING_JOBS, *SWITCH_JOBS],
        sensors=[*build_sensors(watched, settings), standing_sensor(settings), EMBED_STALE],
        schedules=rescan_schedules(watched),
        resources={**resources, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
