"""`imagerag dev`: the UI answers, runs started in it work, and an interrupt leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from imagerag_assets.cli import main
from imagerag_assets.orchestration.dev import free_port
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source

T = TypeVar("T")
_REPOSITORIES = "{repositoriesOrError{...on RepositoryConnection{nodes{name location{name} jobs{name}}}}}"
_LAUNCH = (
    "mutation($e:ExecutionParams!){launchRun(executionParams:$e){__typename ...on LaunchRunSuccess{run{runId}}"
    " ...on PythonError{message} ...on RunConfigValidationInvalid{errors{message}}}}"
)
_RUN = "query($id:ID!){runOrError(runId:$id){...on Run{status}}}"


def ask(port: int, query: str, **variables: Any) -> dict[str, Any]:
    """One GraphQL request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        data: dict[str, Any] = json.load(response)["data"]
        return data


def wait_for(look: Callable[[], T | None], seconds: float, process: subprocess.Popen[bytes]) -> T:
    """The first result that is not None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "imagerag dev has ended"
        try:
            found = look()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            found = None
        if found is not None:
            return found
        time.sleep(0.3)
    raise TimeoutError


@contextmanager
def running_dev(port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "imagerag_assets.cli", "dev", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        try:
            yield process
        finally:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()


def test_dev(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    catalog = write_source(tmp_path / "source", ("one",))
    port = free_port("127.0.0.1")
    with running_dev(port, tmp_path / "dev.log") as process:

        def repository() -> dict[str, Any] | None:
            nodes = ask(port, _REPOSITORIES)["repositoriesOrError"].get("nodes")
            return nodes[0] if nodes else None

        found = wait_for(repository, 300, process)
        assert found["location"]["name"] == "imagerag"
        jobs = {job["name"] for job in found["jobs"]}
        assert {"ingest_scenes", "scan_source", "ask_question", "build_knowledge"} <= jobs

        selector = {
            "repositoryLocationName": "imagerag", "repositoryName": found["name"], "pipelineName": "scan_source",
        }  # fmt: skip
        config = {"ops": {"scan": {"config": {"source": str(catalog)}}}}
        launched = ask(port, _LAUNCH, e={"selector": selector, "runConfigData": config, "mode": "default"})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]

        def ended() -> str | None:
            status = ask(port, _RUN, id=run_id)["runOrError"]["status"]
            return str(status) if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        assert wait_for(ended, 300, process) == "SUCCESS"

        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 4  # Milvus, dagster dev, its webserver, its daemon
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []
    # Milvus closed its file, so that the next process can open it.
    assert main(["status", "--json"]) == 0
