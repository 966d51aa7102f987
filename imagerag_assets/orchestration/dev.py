"""`imagerag dev`: the Dagster UI, its daemon and a local Milvus as child processes, until interrupted.

While it runs, it shares a Milvus Lite file with every process that uses it, the command line included
(`stores.milvus_lite_share`).  A Milvus server that the settings name is used directly.

`.env` and relative paths mean the same in the code server and its runs as on the command line in the folder where this
was started.  Dagster's own processes work in Dagster's home instead: in a folder with a `.env`, they would put its
values over those of the environment, which win everywhere else.

The webserver is guarded (`web_guard`).  The code server listens on a Unix socket, and the daemon on nothing.
See https://docs.dagster.io/deployment/oss/oss-deployment-architecture
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from dotenv import dotenv_values

from imagerag_assets.errors import SettingsError
from imagerag_assets.settings import Settings
from imagerag_assets.web_guard import is_loopback

WORKSPACE = "workspace.yaml"
_DAGSTER_DEV = "imagerag_assets.orchestration.dagster_dev"
_FOLDER = "_IMAGERAG_FOLDER"
_REACHABLE = (
    "warning: other machines can reach the UI. Whoever knows the token can start jobs as you, and http is not"
    " encrypted: put a proxy with TLS in front, or use ssh -L instead of --host"
)
_STOP_SECONDS, _POLL_SECONDS = 20.0, 0.2


def find_workspace() -> Path:
    """Return the path of the current folder's `workspace.yaml`, else of the one beside this package.

    Raises:
        SettingsError: There is none.
    """
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / WORKSPACE).is_file():
            return folder / WORKSPACE
    raise SettingsError(f"There is no {WORKSPACE} here", fix="Run this in the project's folder")


def enter_folder() -> None:
    """Work in the folder where `imagerag dev` was started, in a process that it started; elsewhere, do nothing.

    Raises:
        SettingsError: the folder is gone.
    """
    folder = os.environ.get(_FOLDER)
    if folder:
        try:
            os.chdir(folder)
        except OSError as error:
            raise SettingsError(
                f"The folder {folder}, where imagerag dev was started, cannot be entered: {error.strerror}",
                fix="Start it again",
            ) from None


def free_port(host: str) -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listening(host: str, port: int) -> bool:
    """Return whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def run_dev(settings: Settings, *, host: str = "127.0.0.1", port: int = 3000, verbose: bool = False) -> int:
    """Start everything and wait; return 0 after an interrupt, else the exit code of the child that ended first.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: Port of the UI; 0 takes a free one.
        verbose: Show what Dagster says of itself, too; otherwise only its warnings and errors.

    Raises:
        SettingsError: There is no workspace, or the port is taken.
        StoreError: The Milvus Lite file cannot be opened.
    """
    from imagerag_assets.orchestration.dagster_home import prepare_dagster_home
    from imagerag_assets.stores.milvus_connection import lite_path  # loads pymilvus: a second
    from imagerag_assets.stores.milvus_lite_share import LiteShare

    workspace = find_workspace()
    port = port or free_port(host)
    if listening(host, port):
        raise SettingsError(f"Port {port} is taken", fix="Give another one with --port, or 0 for a free one")
    dagster_home = prepare_dagster_home(settings)
    token = ui_token(settings, host)
    environment = {
        **_not_ours(),
        **os.environ,
        _FOLDER: str(Path.cwd()),
        "IMAGERAG_HOME": str(settings.home.expanduser().absolute()),
        "DAGSTER_HOME": str(dagster_home),
        "IMAGERAG_UI_TOKEN": token,
        "IMAGERAG_UI_HOSTS": json.dumps(settings.ui_hosts),
        # `dagster dev` warns that `dg dev` supersedes it, which needs a project of another layout.
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
        "PYTHONPATH": os.pathsep.join(part for part in (str(workspace.parent), os.environ.get("PYTHONPATH")) if part),
    }
    children: list[subprocess.Popen[bytes]] = []
    with _stop_on_signals() as stop, ExitStack() as opened, _reaped(children):
        if settings.milvus_is_lite:
            share = LiteShare(lite_path(settings))
            opened.callback(share.close)
            environment["IMAGERAG_MILVUS_URI"] = share.path
            _say(f"Milvus Lite: {share.path}, shared with the command line")
        if not stop:
            command = [sys.executable, "-m", _DAGSTER_DEV, "-w", str(workspace), "-h", host, "-p", str(port)]
            children.append(
                _start([*command, "--log-level", "info" if verbose else "warning"], environment, dagster_home)
            )
            _say(f"Dagster: http://{host}:{port}{f'/?token={token}' if token else ''} (Ctrl-C stops it)")
            if not is_loopback(host):
                _say(_REACHABLE)
        ready = False
        while not stop:
            if not ready and listening(host, port):
                ready = True
                _say("ready")
            for child in children:
                if child.poll() is not None:
                    _say(f"{Path(child.args[0]).name if isinstance(child.args, list) else 'A process'} has ended")
                    return child.returncode or 1
            time.sleep(_POLL_SECONDS)
    _say("stopped")
    return 0


def ui_token(settings: Settings, host: str) -> str:
    """Return what requests to the UI must know: the setting, else a new one if other machines can connect, else ""."""
    if settings.ui_token is not None:
        return settings.ui_token.get_secret_value()
    return "" if is_loopback(host) else secrets.token_urlsafe(24)


def _not_ours() -> dict[str, str]:
    """Return what else `.env` sets, e.g. AWS_* keys, which `dagster dev` gives to runs as well."""
    return {name: value for name, value in dotenv_values(".env").items() if value and not name.startswith("IMAGERAG_")}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _start(command: list[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    # In its own session: Ctrl-C reaches only this process, which then stops the children in order.
    return subprocess.Popen(command, env=dict(environment), cwd=folder, start_new_session=True, stdout=sys.stderr)


@contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """Give the list that the signals to stop are added to as they arrive."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _reaped(children: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Stop the children at the end, the last one first, and whatever they started."""
    try:
        yield
    finally:
        for child in reversed(children):
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(number)  # `dagster dev` stops its own children in order
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # what is left of its session, e.g. the code server
    child.wait()
