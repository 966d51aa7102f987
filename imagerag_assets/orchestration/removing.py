"""Remove scenes from questions and from Dagster's partitions.  What that means belongs to `ingestion.remove`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.partitions import SCENES_NAME


def remove_registered(
    platform: Platform, instance: dg.DagsterInstance, scene_keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Remove scenes and their partitions, so that no automation makes their rows again; return what was done.

    Raises:
        UnknownSceneError: There is no such scene; nothing was removed.
        StoreError: Milvus or the store fails; run it again to finish.
    """
    from imagerag_assets.ingestion.remove import remove_scenes

    def forget(key: str) -> None:
        instance.delete_dynamic_partition(SCENES_NAME, key)

    done = remove_scenes(platform, scene_keys, forget=forget)
    for each in done:
        instance.report_runless_asset_event(
            dg.AssetObservation("scene", partition=each.scene, metadata={"removed": each.at, "rows": each.rows})
        )
    return [each.to_dict() for each in done]
