"""The resources of assets and ops: the installation, a receiver of progress, and a way to run other jobs.

A run that the UI or `dagster job execute` starts opens its own platform and closes it at the end, so that runs in
different processes can take turns with one Milvus Lite file.  A command gives its own platform to all its runs, so that
models are loaded once.  See https://docs.dagster.io/guides/build/external-resources
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.owners import at_work
from imagerag_assets.orchestration.dead_runs import tag_owner
from imagerag_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from imagerag_assets.ingestion.embedding import Progress

PLATFORM, REPORTER, RUNNERS = "platform", "reporter", "open_runner"


OpenRunner = Callable[..., Any]
"""Opens a `Runner` for the definitions that the op belongs to (`build.open_runner`)."""


@dataclass(frozen=True)
class Reporter:
    """Receives the progress of long steps: shown on a terminal if there is one, otherwise dropped."""

    progress: Progress | None = None
    """Called with the number done, the total, and what is being done."""


def platform_resource(settings: Settings | None = None) -> dg.ResourceDefinition:
    """Return a platform that is open during one run; without `settings`, the run reads them when it starts.

    The run is then known as this process's, so that it can be closed if the process is killed.
    """

    def opened(context: dg.InitResourceContext) -> Iterator[Platform]:
        now, run = settings or load_settings(), context.run
        with at_work(owners_folder(now), "runs of Dagster") as owner, Platform(now) as platform:
            if run is not None and context.instance is not None:
                tag_owner(context.instance, run.run_id, owner)
            yield platform

    return dg.ResourceDefinition(opened, description="Object store, Milvus, encoder and models of this installation")


def shared_platform(platform: Platform) -> dg.ResourceDefinition:
    """Return a platform that outlives the run: whoever opened it closes it."""
    return dg.ResourceDefinition.hardcoded_resource(platform, description="The platform of the calling process")


def reporter_resource(progress: Progress | None = None) -> dg.ResourceDefinition:
    """Return a resource that gives progress to a function, or drops it."""
    return dg.ResourceDefinition.hardcoded_resource(
        Reporter(progress), description="Receives the progress of long steps"
    )
