"""What assets are given: the installation, and somewhere to report progress.

A run of the UI or of `dagster job execute` opens a platform of its own, at its start, and closes it at its end, so that
runs in different processes can take turns with one Milvus Lite file.  Our command line gives its own platform to every
run, so that models are loaded once.  See https://docs.dagster.io/guides/build/external-resources
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings, load_settings

PLATFORM, REPORTER, RUNNERS = "platform", "reporter", "open_runner"


OpenRunner = Callable[..., Any]
"""Opens a `Runner` of the definitions that the op belongs to (`build.open_runner`)."""


@dataclass(frozen=True)
class Reporter:
    """Takes progress of long steps: to the terminal where there is one, else nowhere."""

    progress: Progress | None = None
    """Called with done, total, and what is being done."""


def platform_resource(settings: Settings | None = None) -> dg.ResourceDefinition:
    """A platform for the length of one run; the settings are read when the run starts if they are not given."""

    def opened(_: dg.InitResourceContext) -> Iterator[Platform]:
        with Platform(settings or load_settings()) as platform:
            yield platform

    return dg.ResourceDefinition(opened, description="Object store, Milvus, encoder and models of this installation")


def shared_platform(platform: Platform) -> dg.ResourceDefinition:
    """A platform that outlives the run: whoever opened it closes it."""
    return dg.ResourceDefinition.hardcoded_resource(platform, description="The platform of the calling process")


def reporter_resource(progress: Progress | None = None) -> dg.ResourceDefinition:
    """Where progress goes."""
    return dg.ResourceDefinition.hardcoded_resource(Reporter(progress), description="Receiver of progress")
