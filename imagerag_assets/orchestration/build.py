"""Everything Dagster is given, put together in one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.orchestration.assets import ANSWER_ASSETS, KNOWLEDGE_ASSETS, SCENE_ASSETS
from imagerag_assets.orchestration.checks import CHECKS
from imagerag_assets.orchestration.jobs import JOBS
from imagerag_assets.orchestration.resources import PLATFORM, REPORTER, platform_resource, reporter_resource

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings


def build_defs(
    *, settings: Settings | None = None, resource_overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """The definitions of this project.

    Nothing is opened, and no model is loaded.

    Args:
        settings: What runs use; default: each run reads IMAGERAG_* variables when it starts.
        resource_overrides: Resources by name (``platform``, ``reporter``) to use in place of the usual ones.
    """
    resources = {PLATFORM: platform_resource(settings), REPORTER: reporter_resource()}
    return dg.Definitions(
        assets=[*SCENE_ASSETS, *KNOWLEDGE_ASSETS, *ANSWER_ASSETS],
        asset_checks=CHECKS,
        jobs=JOBS,
        resources={**resources, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
