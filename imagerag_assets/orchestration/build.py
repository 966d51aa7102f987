"""All definitions that Dagster loads, put together in one function.

Nothing is defined here: each concept has a module of its own.
See https://docs.dagster.io/api/dagster/definitions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.orchestration import loggers as loggers  # what a terminal shows of runs
from imagerag_assets.orchestration.asking import ASKER, ask_here, asker_resource
from imagerag_assets.orchestration.asset_checks import CHECKS
from imagerag_assets.orchestration.assets import ENCODER_ASSETS, KNOWLEDGE_ASSETS, QUESTION_ASSETS, SCENE_ASSETS
from imagerag_assets.orchestration.assets.sources import source_specs
from imagerag_assets.orchestration.automation import EMBED_STALE
from imagerag_assets.orchestration.dev import enter_folder
from imagerag_assets.orchestration.job_paths import JOB_PATHS, job_paths_resource
from imagerag_assets.orchestration.jobs import JOBS
from imagerag_assets.orchestration.resources import PLATFORM, REPORTER, RUNNERS, platform_resource, reporter_resource
from imagerag_assets.orchestration.schedules import rescan_schedules
from imagerag_assets.orchestration.sensors import (
    build_sensors,
    dead_runs_sensor,
    renew_indexes_sensor,
    standing_questions_sensor,
)
from imagerag_assets.settings import load_settings
from imagerag_assets.watched_sources.sources import list_sources

if TYPE_CHECKING:
    from imagerag_assets.ingestion.embedding import Progress
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.orchestration.asking import Asker
    from imagerag_assets.orchestration.runner import Runner
    from imagerag_assets.settings import Settings
    from imagerag_assets.watched_sources.sources import WatchedSource


def build_defs(
    *,
    settings: Settings | None = None,
    sources: Sequence[WatchedSource] | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Return the definitions of this project.  Nothing is opened, and no model is loaded.

    Args:
        settings: The settings of all runs; default: each run reads the IMAGERAG_* variables when it starts.
        sources: The watched sources, each with a sensor, a schedule and an asset; default: those that the sources file
            names now.  Reload the definitions after a change of the file.
        resource_overrides: Resources by name (``platform``, ``reporter``) that replace the usual ones.

    Raises:
        SettingsError: The sources file is not valid.
    """
    if settings is None:
        enter_folder()
    watched = list_sources(settings or load_settings()) if sources is None else sources
    resources = {
        PLATFORM: platform_resource(settings),
        REPORTER: reporter_resource(),
        JOB_PATHS: job_paths_resource(),
        ASKER: asker_resource(),
        RUNNERS: dg.ResourceDefinition.hardcoded_resource(
            open_runner,
            description="Opens a runner, with which an op runs other jobs of this project in its own process",
        ),
    }
    return dg.Definitions(
        assets=[
            *SCENE_ASSETS,
            *KNOWLEDGE_ASSETS,
            *QUESTION_ASSETS,
            *ENCODER_ASSETS,
            *source_specs(watched),
        ],
        asset_checks=CHECKS,
        jobs=JOBS,
        sensors=[
            *build_sensors(watched, settings),
            standing_questions_sensor(settings),
            dead_runs_sensor(settings),
            renew_indexes_sensor(),
            EMBED_STALE,
        ],
        schedules=rescan_schedules(watched),
        resources={**resources, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def open_runner(
    settings: Settings,
    *,
    platform: Platform | None = None,
    instance: dg.DagsterInstance | None = None,
    progress: Progress | None = None,
    asker: Asker = ask_here,
) -> Runner:
    """Return a runner for the jobs of these definitions; the arguments are those of :class:`Runner`."""
    from imagerag_assets.orchestration.runner import Runner

    return Runner(settings, build_defs, platform=platform, instance=instance, progress=progress, asker=asker)
