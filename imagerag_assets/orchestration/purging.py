"""Purge scenes that have left their source, from the store and from Dagster's partitions.

The command line and the job `purge_removed` use this.  What is deleted of a scene belongs to `watched_sources.purge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from imagerag_assets.errors import InputError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.partitions import SCENES_NAME


def purge_marked(
    platform: Platform,
    instance: dg.DagsterInstance,
    *,
    scenes: Sequence[str] = (),
    older_than: str = "7d",
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Purge marked scenes and their partitions; return ``scene``, ``rows`` and ``objects`` of each.

    Args:
        platform: The installation.
        instance: The Dagster instance that has the partitions.
        scenes: Only these scenes, whenever they were marked; empty: all.
        older_than: Only scenes marked at least this long ago, e.g. ``7d``; has no effect where `scenes` are named.
        dry_run: Delete nothing; ``rows`` and ``objects`` are None.

    Raises:
        InputError: `older_than` is not a duration.
        UnknownSceneError: A named scene is not marked.
        StoreError: Milvus or the store fails.
    """
    from imagerag_assets.scenes.removed import list_removed
    from imagerag_assets.watched_sources.purge import purge
    from imagerag_assets.watched_sources.sources import parse_duration

    try:
        before = (datetime.now(UTC) - parse_duration(older_than)).isoformat()
    except ValueError as error:
        raise InputError(str(error), fix="Write e.g. 7d") from None
    chosen = scenes or [mark.scene for mark in list_removed(platform) if mark.at <= before and not mark.purged]
    if dry_run:
        return [{"scene": key, "rows": None, "objects": None} for key in chosen]

    def forget(key: str) -> None:
        instance.delete_dynamic_partition(SCENES_NAME, key)

    return [each.to_dict() for each in purge(platform, chosen, forget=forget)]
