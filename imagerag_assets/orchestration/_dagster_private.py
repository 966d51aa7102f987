"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

from typing import Any


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
