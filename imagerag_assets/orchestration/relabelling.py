"""Rename and remove labels, and report it to Dagster's asset catalog as a materialization that no run made.

What that means belongs to `knowledge.relabel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration._dagster_private import data_version_tags

if TYPE_CHECKING:
    from imagerag_assets.knowledge.edits import Edit


def relabel_reported(platform: Platform, instance: dg.DagsterInstance, edit: Edit) -> dict[str, Any]:
    """Rename or remove a label of the knowledge base of an installation's encoder; return what was done.

    Raises:
        ImageRAGError: As `knowledge.relabel.relabel` says.
    """
    from imagerag_assets.knowledge.relabel import KIND, relabel

    done = relabel(platform, edit)
    live = done.live
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key=KIND,
            description=f"{edit.action} {edit.label!r}{f' to {edit.to!r}' if edit.to else ''}",
            metadata={
                "dagster/row_count": live.exemplars,
                "labels": live.labels,
                "collection": live.images,
                "source": live.source,
                "version": live.version,
                "edits": dg.MetadataValue.json(list(live.edits)),
            },
            tags=data_version_tags(f"{live.version}:{live.fingerprint}"),
        )
    )
    return done.to_dict()
