"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

from collections.abc import Callable
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


def mask_error_texts(mask: Callable[[str], str]) -> None:
    """Let Dagster store and show the texts of all errors of this process masked, those that led to them included.

    A step's own errors can be changed before they are raised, but not those of resources, sensors, checks or Dagster
    itself.  `DAGSTER_REDACT_USER_CODE_ERRORS` leaves nothing of any message.
    """
    from dagster_shared.error import SerializableErrorInfo

    made = SerializableErrorInfo.from_traceback.__func__  # type: ignore[attr-defined]
    if getattr(made, "masks", False):
        return

    def from_traceback(cls: type[Any], tb: Any) -> Any:
        info = made(cls, tb)
        return info._replace(message=mask(info.message))  # it calls itself for causes

    from_traceback.masks = True  # type: ignore[attr-defined]
    SerializableErrorInfo.from_traceback = classmethod(from_traceback)  # type: ignore[assignment, method-assign]


def refuse_in_config(why_not: Callable[[str], str | None]) -> None:
    """Refuse texts in the configuration of runs before the run is made, by what `why_not` says of them.

    Dagster stores a configuration as it is typed, before the code of a step sees it.  `dg.Config` runs pydantic's
    validators in the step only, and makes every `str` a `StringSource`; that one stands in `dagster.yaml`, too, whose
    addresses of databases hold passwords, so only what `dg.Config` uses is replaced.
    """
    from dagster._config.errors import PostProcessingError
    from dagster._config.pythonic_config import conversion_utils
    from dagster._config.source import StringSourceType

    class Checked(StringSourceType):
        """A text that may be stored."""

        def post_process(self, value: Any) -> Any:
            if isinstance(value, str) and (why := why_not(value)) is not None:
                raise PostProcessingError(why)
            return super().post_process(value)

    used: Any = conversion_utils
    if type(used.StringSource) is StringSourceType:
        used.StringSource = Checked()
