"""`imagerag dev`: the UI answers, runs started in it work, and an interrupt leaves no process behind."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import psutil

from imagerag_assets.cli import main
from imagerag_assets.orchestration.dev import free_port
from imagerag_assets.settings import Settings
from tests.dagster_ui import ask, running_dev, wait_for
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source

_REPOSITORIES = "{repositoriesOrError{...on RepositoryConnection{nodes{name location{name} jobs{name}}}}}"
_LAUNCH = (
    "mutation($e:ExecutionParams!){launchRun(executionParams:$e){__typename ...on LaunchRunSuccess{run{runId}}"
    " ...on PythonError{message} ...on RunConfigValidationInvalid{errors{message}}}}"
)
_RUN = "query($id:ID!){runOrError(runId:$id){...on Run{status}}}"


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
