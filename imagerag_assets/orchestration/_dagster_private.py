"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

import sys
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


def run_webserver(middleware: Any, **options: Any) -> None:
    """Run `dagster-webserver`, with the options of this process, behind an ASGI middleware that sees every request.

    `build_middleware` is where a webserver's layers are given, but the command makes its own `DagsterWebserver` and
    takes no other; a proxy in front would leave that one open to whoever finds its port.
    """
    from dagster_webserver.cli import main
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    usual = DagsterWebserver.build_middleware

    def build_middleware(self: Any) -> list[Middleware]:
        return [Middleware(middleware, **options), *usual(self)]

    DagsterWebserver.build_middleware = build_middleware  # type: ignore[method-assign]
    main()


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
