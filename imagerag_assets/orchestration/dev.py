"""`imagerag dev`: the Dagster UI, its daemon and a local Milvus as child processes, until interrupted.

Milvus Lite lets one process open a file, so a `milvus-lite server` holds HOME/milvus.db and everything else is given
its URL.  A Milvus server that the settings name is used as it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from imagerag_assets.errors import SettingsError, StoreError
from imagerag_assets.settings import Settings

WORKSPACE = "workspace.yaml"
_START_SECONDS, _STOP_SECONDS, _POLL_SECONDS = 60.0, 20.0, 0.2


def find_workspace() -> Path:
    """The `workspace.yaml` of the current folder, else of the project this package is in.

    Raises:
        SettingsError: there is none.
    """
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / WORKSPACE).is_file():
            return folder / WORKSPACE
    raise SettingsError(f"There is no {WORKSPACE} here", fix="Run this in the project's folder")


def free_port(host: str) -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listening(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def run_dev(settings: Settings, *, host: str = "127.0.0.1", port: int = 3000, milvus_port: int = 0) -> int:
    """Start everything and wait; returns 0 after an interrupt, else the exit code of the child that ended first.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: Of the UI; 0: a free one.
        milvus_port: Of the local Milvus; 0: a free one.

    Raises:
        SettingsError: no workspace, or a port is taken.
        StoreError: Milvus does not start.
    """
    from imagerag_assets.orchestration.run import prepare_dagster_home

    workspace = find_workspace()
    port, milvus_port = port or free_port(host), milvus_port or free_port(host)
    for number, option in ((port, "--port"), (milvus_port, "--milvus-port")):
        if listening(host, number):
            raise SettingsError(f"Port {number} is taken", fix=f"Give another one with {option}, or 0 for a free one")
    environment = {
        **os.environ,
        "IMAGERAG_HOME": str(settings.home.expanduser().absolute()),
        "DAGSTER_HOME": str(prepare_dagster_home(settings)),
        # `dagster dev` warns that `dg dev` supersedes it, which needs a project of another layout.
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
        "PYTHONPATH": os.pathsep.join(part for part in (str(workspace.parent), os.environ.get("PYTHONPATH")) if part),
    }
    children: list[subprocess.Popen[bytes]] = []
    with _stop_on_signals() as stop, _reaped(children):
        if settings.milvus_is_lite:
            folder = Path(settings.milvus).expanduser().absolute()
            folder.parent.mkdir(parents=True, exist_ok=True)
            command = [_program("milvus-lite"), "server", "--data-dir", str(folder), "--host", host]
            children.append(_start([*command, "--port", str(milvus_port)], environment, workspace.parent))
            _wait_for_milvus(children[0], host, milvus_port, stop)
            environment["IMAGERAG_MILVUS_URI"] = f"http://{host}:{milvus_port}"
            _say(f"Milvus: {environment['IMAGERAG_MILVUS_URI']} (others: set IMAGERAG_MILVUS_URI to it)")
        if not stop:
            command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", host, "-p", str(port)]
            children.append(_start(command, environment, workspace.parent))
            _say(f"Dagster: http://{host}:{port} (Ctrl-C stops both)")
        while not stop:
            for child in children:
                if child.poll() is not None:
                    _say(f"{Path(child.args[0]).name if isinstance(child.args, list) else 'A process'} has ended")
                    return child.returncode or 1
            time.sleep(_POLL_SECONDS)
    _say("stopped")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _program(name: str) -> str:
    """The program of this installation, else the first one on the path."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise StoreError(f"{name} is not installed", fix="Install the project again: make .venv")
    return found


def _start(command: list[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    # A session of its own: an interrupt at the keyboard reaches us alone, and we stop the children in order.
    return subprocess.Popen(command, env=dict(environment), cwd=folder, start_new_session=True, stdout=sys.stderr)


def _wait_for_milvus(child: subprocess.Popen[bytes], host: str, port: int, stop: list[int]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not stop and not listening(host, port):
        if child.poll() is not None:
            raise StoreError("The local Milvus did not start", fix="Is its file open in another process? See above")
        if time.monotonic() > deadline:
            raise StoreError(f"The local Milvus did not start within {_START_SECONDS:.0f} s", fix="See above")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """The signals that asked us to stop, as they come in."""
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
    """Stop the children, the last one first, and whatever they started; Milvus goes last and closes its file."""
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
