"""`imagerag doctor --deep`: compare everything that an installation holds, name each difference, and mend it if asked.

Each look yields `Difference`s, which say themselves how they are mended.  A new look is one line in `LOOKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from imagerag_assets.errors import ImageRAGError, describe
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.leaked_secrets import find_secrets
from imagerag_assets.installation.left_over import close_left_over, find_left_over, owners_folder
from imagerag_assets.installation.platform import Platform
from imagerag_assets.maintenance.answer_looks import answer_differences, watch_differences
from imagerag_assets.maintenance.looks import Progress
from imagerag_assets.maintenance.restore import restore_differences
from imagerag_assets.maintenance.scene_looks import scene_differences, scratch_differences, table_differences
from imagerag_assets.maintenance.vector_looks import (
    alias_differences,
    knowledge_differences,
    row_differences,
    shard_differences,
)
from imagerag_assets.objects.owners import current_owner, list_owners
from imagerag_assets.orchestration.dagster_looks import event_differences, partition_differences
from imagerag_assets.orchestration.dead_runs import close_dead_runs, dead_run_differences


@dataclass(frozen=True)
class Looked:
    """What the looks look at."""

    platform: Platform
    instance: dg.DagsterInstance
    progress: Progress | None = None


Look = Callable[[Looked], Iterator[Difference]]
LOOKS: tuple[tuple[str, Look], ...] = (
    ("runs", lambda on: dead_run_differences(on.instance, on.platform.settings)),
    ("left over", lambda on: find_left_over(on.platform.settings)),
    ("restore", lambda on: restore_differences(on.platform.settings)),
    ("records", lambda on: scene_differences(on.platform, on.progress)),
    ("shards", lambda on: shard_differences(on.platform, on.progress)),
    ("rows", lambda on: row_differences(on.platform, on.progress)),
    ("aliases", lambda on: alias_differences(on.platform, on.progress)),
    ("knowledge", lambda on: knowledge_differences(on.platform, on.progress)),
    ("patch tables", lambda on: table_differences(on.platform, on.progress)),
    ("unfinished embeddings", lambda on: scratch_differences(on.platform, on.progress)),
    ("partitions", lambda on: partition_differences(on.platform, on.instance, on.progress)),
    ("materializations", lambda on: event_differences(on.platform, on.instance, on.progress)),
    ("answers", lambda on: answer_differences(on.platform, on.progress)),
    ("standing questions", lambda on: watch_differences(on.platform, on.progress)),
    ("secrets", lambda on: find_secrets(on.platform.settings)),
)
"""In this order a repair makes good what later looks need."""


def look_deep(on: Looked, *, repair: bool = False) -> dict[str, Any]:
    """Make all looks, and with `repair` mend what can be mended.

    Returns:
        ``differences``: each with ``kind``, ``name``, ``detail``, ``fix``, ``mended`` (what was done, or None) and
        ``error`` (why it could not be mended, or None).  ``totals``: ``found``, ``mended``, ``left``.  ``looks``: what
        was looked at, in order.  ``notes``: what to know of the result.
    """
    rows: list[dict[str, Any]] = []
    for name, look in LOOKS:
        try:
            rows += [_row(each, repair) for each in look(on)]
        except ImageRAGError as error:  # the other looks are made all the same
            rows.append(_unlooked(name, error.message, error.fix or "See: imagerag doctor"))
        except Exception as error:
            rows.append(_unlooked(name, describe(error), "See: imagerag doctor"))
    if repair:
        close_dead_runs(on.instance, on.platform.settings)
        close_left_over(on.platform.settings)
    mended = sum(row["mended"] is not None for row in rows)
    return {
        "differences": rows,
        "totals": {"found": len(rows), "mended": mended, "left": len(rows) - mended},
        "looks": [name for name, _ in LOOKS],
        "notes": _notes(on.platform),
    }


def _row(difference: Difference, repair: bool) -> dict[str, Any]:
    mended = error = None
    if repair and difference.mend is not None:
        try:
            mended = difference.mend() or None
        except Exception as failure:  # one that cannot be mended does not stop the others
            error = describe(failure)
    about = {name: getattr(difference, name) for name in ("kind", "name", "detail", "fix")}
    return about | {"mended": mended, "error": error}


def _unlooked(name: str, what: str, fix: str) -> dict[str, Any]:
    detail = f"It could not be looked at: {what}"
    return {"kind": name, "name": name, "detail": detail, "fix": fix, "mended": None, "error": None}


def _notes(platform: Platform) -> list[str]:
    folder = owners_folder(platform.settings)
    own = current_owner(folder)
    others = [str(owner) for owner, state in list_owners(folder) if state == "alive" and owner != own]
    if not others:
        return []
    return [f"Others are at work, and what they are changing may differ for a moment: {'; '.join(others)}"]
