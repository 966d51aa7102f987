"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg


def data_version_tags(version: str) -> dict[str, str]:
    """Return the tags that give a logged or runless event a data version, from which Dagster derives what is stale.

    `MaterializeResult` and `ObserveResult` take a `data_version`, but only from an asset's own step.
    `AssetMaterialization` and `AssetObservation`, which other steps and processes report, have no such argument, and
    `dagster` does not export the name of the tag.
    """
    from dagster._core.definitions.data_version import DATA_VERSION_TAG

    return {DATA_VERSION_TAG: version}


def without_captured_output() -> dict[str, Any]:
    """Return the settings of an instance that lets the output of steps through to the terminal.

    Without them, a step writes to files and a command shows nothing of its progress.  `dagster.yaml` can only name a
    class for this, and the one that captures nothing is in no public module.
    """
    manager = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    return {"compute_logs": manager}


def tag_run(instance: dg.DagsterInstance, run_id: str, tags: dict[str, str]) -> None:
    """Add tags to a run that exists.

    `RunRequest` and `execute_in_process` take tags when a run is made, but which process works on a run that Dagster's
    daemon starts is known only in that process.
    """
    instance.add_run_tags(run_id, tags)


def fail_run(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    """Record that a run has failed, from outside it, and free the slots of pools that it holds.

    Dagster's own run monitoring does this, but only where a run launcher can tell whether a run is alive, which the
    usual one, `DefaultRunLauncher`, cannot.
    """
    instance.report_run_failed(run, message)
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        storage.free_concurrency_slots_for_run(run.run_id)


def process_of_run(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Return the id of the process that Dagster started for a run, and when it said so in epoch seconds; None: unknown.

    It is only in the metadata of an event of the engine.  It does not say on which machine that is.
    """
    from dagster._core.events import DagsterEventType

    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        found = event.engine_event_data.metadata.get("pid") if event is not None else None
        value = getattr(found, "value", None)
        if value is not None and str(value).isdigit():
            return int(str(value)), entry.timestamp
    return None


def partitions_made(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """Return the partitions of an asset that were materialized at least once.

    `fetch_materializations` would read every event to tell.
    """
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))
