"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
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


def run_webserver(*layers: tuple[Any, dict[str, Any]], http: type) -> None:
    """Run `dagster-webserver`, with the options of this process, behind ASGI middlewares that see every request.

    Each comes with its options, the outermost first.

    `build_middleware` is where a webserver's layers are given, but the command makes its own `DagsterWebserver` and
    takes no other; a proxy in front would leave that one open to whoever finds its port.  Nor has it an option for
    `http`, uvicorn's for what speaks HTTP.
    """
    from dagster_webserver import cli
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    usual = DagsterWebserver.build_middleware

    def build_middleware(self: Any) -> list[Middleware]:
        return [*(Middleware(layer, **options) for layer, options in layers), *usual(self)]

    DagsterWebserver.build_middleware = build_middleware  # type: ignore[method-assign]
    used: Any = cli
    used.uvicorn.run = partial(used.uvicorn.run, http=http)
    cli.main()


def run_dagster_dev(webserver: str) -> None:
    """Run `dagster dev`, with the options of this process and another module as its webserver.

    The command starts its webserver by name and has no option for it.  Its daemon and its code server, on a socket that
    both share, have no public way to be started together.

    Raises:
        RuntimeError: it starts its webserver in another way; it is not started then.
    """
    from dagster._cli import dev
    from dagster._cli import main as dagster

    module: Any = dev
    usual = module.open_ipc_subprocess

    def start(command: list[str], **options: Any) -> Any:
        if command[1:2] != ["-m"] or command[2] not in ("dagster_webserver", "dagster._daemon"):
            raise RuntimeError(f"dagster dev starts an unknown process: {command[:3]}")
        own = webserver if command[2] == "dagster_webserver" else command[2]
        return usual([*command[:2], own, *command[3:]], **options)

    module.open_ipc_subprocess = start
    sys.argv[0] = "dagster"
    sys.argv.insert(1, "dev")
    dagster()


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
