"""`imagerag dev` in a browser: new imagery is ingested and a question asked, and both are seen; then it ends.

One server and one browser for all of it: each takes a quarter of a minute to start.
"""

from __future__ import annotations

import json
import signal
import urllib.error
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from imagerag_assets.cli import main
from imagerag_assets.orchestration.dev import free_port
from tests.browser import open_page, running_browser
from tests.dagster_ui import ask, running_dev, wait_for
from tests.dagster_walk import (
    PATIENCE_MS,
    expect_answer,
    expect_lineage,
    fill_launchpad,
    launched,
    open_question,
    open_scan,
)
from tests.leaks import leaks_below
from tests.small_source import write_source
from tests.tiny_encoder import tiny_registry  # noqa: F401

_REPOSITORIES = "{repositoriesOrError{...on RepositoryConnection{nodes{name location{name} jobs{name}}}}}"
_LAUNCH = (
    "mutation($e:ExecutionParams!){launchRun(executionParams:$e){__typename ...on LaunchRunSuccess{run{runId}}"
    " ...on PythonError{message} ...on RunConfigValidationInvalid{errors{message}}}}"
)
_SECRET = "m4rk-of-the-launchpad"
_RUN = "query($id:ID!){runOrError(runId:$id){...on Run{status}}}"
_OF_JOB = """query($job:String!){runsOrError(filter:{pipelineName:$job, tags:[
    {key:".dagster/repository",value:"__repository__@imagerag"}]}){...on Runs{results{status tags{key value}}}}}"""
SCAN = "ops:\n  scan:\n    config:\n      source: source/catalog.json\n"
QUESTION = "where is a boat?"
ASK = f"ops:\n  answer:\n    config:\n      question: {QUESTION}\n      path: fast\n      answer: false\n"


@pytest.fixture
def folder(tmp_path: Path, tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A user's folder. Its `.env` has relative paths, and a setting that the environment overrides."""
    folder = tmp_path / "mine"
    (folder / "registry").mkdir(parents=True)
    (folder / "registry" / "encoders.toml").symlink_to(tiny_registry)
    for name in ("tiny", "tiny-other"):
        (folder / "registry" / name).symlink_to(tiny_registry.parent / name)
    (folder / ".env").write_text(
        "IMAGERAG_HOME=state\nIMAGERAG_STORE=kept/objects\nIMAGERAG_MILVUS_URI=kept/vectors.db\n"
        "IMAGERAG_ENCODERS_FILE=registry/encoders.toml\nIMAGERAG_ENCODER=tiny-other\n"
    )
    monkeypatch.setenv("IMAGERAG_ENCODER", "tiny")
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    monkeypatch.delenv("IMAGERAG_HOME")
    monkeypatch.chdir(folder)
    return folder


def test_dev(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Started in a folder of the user, everything is where the command line in that folder looks for it."""
    write_source(folder / "source", ("one",))
    port = free_port("127.0.0.1")
    with running_dev(port, tmp_path / "dev.log", folder) as process:

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
        typed = {"ops": {"scan": {"config": {"source": f"http://me:{_SECRET}@127.0.0.1:9/catalog.json"}}}}
        refused = ask(port, _LAUNCH, e={"selector": selector, "runConfigData": typed, "mode": "default"})
        assert refused is None  # before Dagster stores it
        config = {"ops": {"scan": {"config": {"source": "source/catalog.json"}}}}
        execution = {"selector": selector, "runConfigData": config, "mode": "default"}
        # A page of another site, one that made its name stand for this machine, and a form.
        for headers in (
            {"Origin": "http://evil.example"},
            {"Host": f"evil.example:{port}"},
            {"Content-Type": "text/plain"},
        ):
            with pytest.raises(urllib.error.HTTPError, match="403|415"):
                ask(port, _LAUNCH, headers=headers, e=execution)
        assert ask(port, "{runsOrError{...on Runs{results{id}}}}")["runsOrError"]["results"] == []
        expect.set_options(timeout=PATIENCE_MS)
        with running_browser() as browser, open_page(browser, "about:blank") as page:
            page.set_default_timeout(PATIENCE_MS)
            address = f"http://127.0.0.1:{port}"
            open_scan(page, address)
            fill_launchpad(page, "source", SCAN)
            page.get_by_role("button", name="Launch Run").click()
            run_id = launched(page)
            assert wait_for(lambda: _ended(port, run_id), 600, process) == "SUCCESS"
            open_question(page, address)
            fill_launchpad(page, "question", ASK)
            page.get_by_role("button", name="Materialize").last.click()
            asked_id = launched(page)
            assert wait_for(lambda: _ended(port, asked_id), 600, process) == "SUCCESS"
            expect_answer(page, address, QUESTION)
            expect_lineage(page, address)
            expect(page.get_by_text("Join the Dagster community")).to_have_count(0)
        # What a run of the scan started in its own process is below its job, and both are found by what they are about.
        (ingest,), (asked,) = (
            ask(port, _OF_JOB, job=job)["runsOrError"]["results"] for job in ("ingest_scenes", "ask_question")
        )
        assert {"key": "imagerag/scene", "value": "one"} in ingest["tags"]
        assert {"key": "imagerag/scene", "value": "one"} in asked["tags"]
        assert {"key": "imagerag/question", "value": QUESTION} in asked["tags"]

        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 4  # Milvus, dagster dev, its webserver, its daemon
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []
    assert leaks_below(folder, [_SECRET]) == {}
    said = (tmp_path / "dev.log").read_text().splitlines()
    assert [line.partition(":")[0] for line in said if line] == ["Milvus Lite", "Dagster", "ready", "stopped"], said
    # Milvus closed its file, so that the next process can open it.
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scenes"], found["stale"], found["serving"]["name"]) == (1, 0, "tiny")
    assert (folder / "kept" / "objects" / "scenes" / "one" / "record.json").is_file()
    assert (folder / "kept" / "vectors.db").exists()
    assert sorted(each.name for each in folder.iterdir()) == [".env", "kept", "registry", "source", "state"]


def _ended(port: int, run_id: str) -> str | None:
    status = ask(port, _RUN, id=run_id)["runOrError"]["status"]
    return str(status) if status in ("SUCCESS", "FAILURE", "CANCELED") else None
