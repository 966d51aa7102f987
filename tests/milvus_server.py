"""A real Milvus server for tests: the one-process server of PyPI's `milvus` package, on free ports of this machine.

It asks for a password, and tests work in it as the deployment does: as the user that `infra/milvus_user.py` makes.

Import the fixture `milvus_server` in a conftest to use it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from tests.programs import free_port, installed_program

_READY_SECONDS = 180.0  # 7 s on an idle machine
ROOT_PASSWORD = "of-root-only"
USER_TOKEN = "imagerag:of-the-program"


def at_server(url: str) -> dict[str, Any]:
    """The settings with which the project works in the server."""
    return {"milvus_uri": url, "milvus_token": SecretStr(USER_TOKEN)}


def milvus_user() -> ModuleType:
    """The deployment's script that makes the user."""
    path = Path(__file__).resolve().parents[1] / "infra" / "milvus_user.py"
    spec = importlib.util.spec_from_file_location("infra_milvus_user", path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@contextmanager
def serve_milvus(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """Run a server with its data in `folder` until the context ends; yields its URL once it answers.

    Args:
        folder: Created if needed.
        port: Port of its API; default: a free one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    program = installed_program("milvus-server", "milvus==2.3.5")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--data", str(folder), "--proxy-port", str(port), "--authorization-enabled", "true"],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the script starts the server as a child, and both must end
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, folder)
            milvus_user().set_up(url, ROOT_PASSWORD, *USER_TOKEN.split(":"))
            yield url
        finally:
            _stop(process)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
            tail = (folder / "server.log").read_text(encoding="utf-8", errors="replace")[-500:]
            raise RuntimeError(f"milvus-server stopped while starting: {tail}")
        try:
            client = MilvusClient(uri=url, token="root:Milvus", timeout=2)
            client.list_collections()
            client.close()
        except MilvusException:
            continue
        return
    raise RuntimeError(f"milvus-server at {url} was not ready within {_READY_SECONDS:.0f} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for stop, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    with suppress(ProcessLookupError):  # the script may end before the server that it started
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Milvus server for the whole session; collections are shared, so use names of your own."""
    with serve_milvus(tmp_path_factory.mktemp("milvus-server")) as url:
        yield url
