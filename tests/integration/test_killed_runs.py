"""Processes killed in the middle of a run: nothing of theirs stays for ever, and the queue goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.objects.aside import ASIDE
from imagerag_assets.objects.owners import list_owners
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.orchestration.dagster_home import DAGSTER_YAML, dagster_instance
from imagerag_assets.orchestration.dead_runs import close_what_is_left
from imagerag_assets.orchestration.dev import free_port
from imagerag_assets.orchestration.names import OWNER_TAG
from imagerag_assets.settings import Settings, load_settings
from tests.dagster_ui import ask, running_dev, wait_for
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.killed import Ended, Kill, forked_commands
from tests.small_source import write_source

LONG_S = 1200
"""What takes so long does not come; a busy machine takes minutes."""
UNFINISHED = """
import signal, sys
from pathlib import Path
from imagerag_assets.objects.aside import written_aside
from imagerag_assets.objects.owners import at_work
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.settings import load_settings

settings = load_settings()
with at_work(owners_folder(settings), "a test"), written_aside(settings.home / "some.json") as path:
    path.write_text("half")
    print(path, flush=True)
    signal.pause()
"""


ENDING, NOT_KNOWN_YET, OPENING, EMBEDDING = (
    Kill(3, among="/owners/"),  # when its work is done
    Kill(2, among="/owners/"),  # when it is about to say that it is at work
    Kill(2, among=f"/dagster/{ASIDE}"),
    Kill(5, among="/scratch/embed/"),
)


def run_json(capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, Any]:
    capsys.readouterr()
    main([*command, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def statuses(settings: Settings) -> list[str]:
    with dagster_instance(settings) as instance:
        return [run.status.value for run in instance.get_runs()]


@pytest.fixture
def source(installed: Settings, tmp_path: Path) -> Path:  # noqa: F811
    return write_source(tmp_path / "source", ("one",), px=700)


def test_two_killed_commands(
    installed: Settings,  # noqa: F811
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Status and doctor show what is left, and the next command closes it and finishes the scene."""
    monkeypatch.setenv("IMAGERAG_PATCH_PX", "128")
    monkeypatch.setenv("IMAGERAG_SUPERTILE_PX", "512")
    small = load_settings()
    with forked_commands() as commands:

        def killed(at: Kill, command: Sequence[str] = ("ingest", str(source)), on: Settings = small) -> Ended:
            (ended,) = commands.run(on, command, kill=at)
            assert ended.code == -signal.SIGKILL, ended
            return ended

        def left() -> int:
            return sum(len(list(each.glob(f"{ASIDE}*"))) for each in (owners_folder(small), small.dagster_home))

        # Commands that write without a run say that they are at work, too, and close what others left.
        other = small.model_copy(update={"home": small.home.with_name("other")})
        for command in (["doctor", "--deep", "--repair"], ["index", "rebuild"]):
            ended = killed(ENDING, command, other)
            ((owner, state),) = list_owners(owners_folder(other))
            assert (owner.pid, state) == (ended.pid, "dead")
            commands.run(other, ["index", "rebuild"])
            assert list_owners(owners_folder(other)) == []

        killed(NOT_KNOWN_YET)
        assert left() == 1
        killed(OPENING)  # before it can close anything
        assert left() == 2
        killed(EMBEDDING)
        assert left() == 0
        assert statuses(installed) == ["STARTED"]
        second = killed(EMBEDDING)  # it closes what the first one left
        assert statuses(installed) == ["STARTED", "FAILURE"]

    status = run_json(capsys, "status")
    (left_by,) = status["owners"]
    assert (left_by["pid"], left_by["state"]) == (second.pid, "dead")
    (dead,) = status["dead_runs"]
    assert (dead["job"], dead["partition"], dead["status"]) == ("ingest_scenes", "one", "STARTED")
    assert f"process {second.pid} " in dead["why"]
    assert [each["what"] for each in status["closed"] if each["what"].startswith("run ")]
    checks = {check["name"]: check for check in run_json(capsys, "doctor")["checks"]}
    assert (checks["owners"]["status"], checks["runs"]["status"]) == ("warn", "warn")
    assert dead["run"] in checks["runs"]["detail"]
    assert statuses(installed) == ["STARTED", "FAILURE"]  # looking changes nothing

    done = run_json(capsys, "ingest", str(source))
    assert [each["status"] for each in done["scenes"]] == ["ingested"]
    assert statuses(installed) == ["SUCCESS", "FAILURE", "FAILURE"]
    status = run_json(capsys, "status")
    assert (status["owners"], status["dead_runs"]) == ([], [])
    assert [each["what"] for each in status["closed"] if dead["run"] in each["what"]]
    assert run_json(capsys, "doctor", "--deep")["differences"] == []


def test_runs_of_others_are_left_alone(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    """A run is closed only if its own owner is certainly gone."""
    from imagerag_assets.objects.owners import Owner
    from imagerag_assets.orchestration.dead_runs import owner_tags

    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    here = Owner.this_process("a test")
    owners = {
        "alive": here,
        "another machine": Owner("a1", "elsewhere", 1, "5", "another boot", here.since, "a test"),
        "dead": Owner("a2", here.host, gone.pid, "1", here.machine, here.since, "a test"),
        "its process id was used again": Owner("a3", here.host, os.getpid(), "1", here.machine, here.since, "a test"),
    }
    started = dg.DagsterRunStatus.STARTED

    @dg.job
    def nothing() -> None: ...

    with dagster_instance(installed) as instance:
        made = {name: instance.create_run_for_job(nothing, status=started).run_id for name in owners}
        for name, owner in owners.items():
            instance.add_run_tags(made[name], owner_tags(made[name], owner))
        made["of nobody"] = instance.create_run_for_job(nothing, status=started).run_id
        made["executed again"] = instance.create_run_for_job(nothing, status=started).run_id
        instance.add_run_tags(made["executed again"], owner_tags(made["dead"], owners["dead"]))
        closed = {run.run_id for run in close_what_is_left(instance, installed)}
        assert closed == {made["dead"], made["its process id was used again"]}
        assert {instance.get_run_by_id(run).status for run in closed} == {dg.DagsterRunStatus.FAILURE}  # type: ignore[union-attr]
        assert close_what_is_left(instance, installed) == []
        left = {run.run_id: run.status.value for run in instance.get_runs() if run.run_id not in closed}
        assert set(left.values()) == {"STARTED"}
        assert len(left) == 4


def test_unfinished_files(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """Those of a living process stay, those of a killed one are named and removed."""
    writers = [
        subprocess.Popen([sys.executable, "-c", UNFINISHED], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        files = [Path(writer.stdout.readline().strip()) for writer in writers if writer.stdout]
        assert all(file.name.startswith(f"{ASIDE}{writer.pid}.") for file, writer in zip(files, writers, strict=True))
        writers[0].kill()
        writers[0].wait()
        doctor = {check["name"]: check for check in run_json(capsys, "doctor")["checks"]}
        assert str(files[0]) in doctor["owners"]["detail"]
        assert str(files[1]) not in doctor["owners"]["detail"]
        with open_runner(installed) as runner:
            assert runner.instance
        assert [file.exists() for file in files] == [False, True]
        (owner,) = run_json(capsys, "status")["owners"]
        assert (owner["pid"], owner["state"]) == (writers[1].pid, "alive")
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(list(owners_folder(installed).glob("*.json"))) == 1


_LAUNCH = (
    "mutation($e:ExecutionParams!){launchRun(executionParams:$e){__typename ...on LaunchRunSuccess{run{runId}}"
    " ...on PythonError{message} ...on RunConfigValidationInvalid{errors{message}}}}"
)
_RUN = "query($id:ID!){runOrError(runId:$id){...on Run{status tags{key value}}}}"


@pytest.fixture
def one_at_a_time(installed: Settings) -> None:  # noqa: F811
    """Dagster's queue starts one run at a time, so that one dead run blocks it."""
    installed.dagster_home.mkdir(parents=True)
    (installed.dagster_home / "dagster.yaml").write_text(
        DAGSTER_YAML.replace("max_concurrent_runs: 2", "max_concurrent_runs: 1")
    )


@pytest.mark.usefixtures("one_at_a_time")
def test_two_killed_runs_of_the_daemon(installed: Settings, source: Path, tmp_path: Path) -> None:  # noqa: F811
    """The daemon closes runs whose process was killed, and starts the next one."""
    port = free_port("127.0.0.1")
    with running_dev(port, tmp_path / "dev.log") as process:

        def repository() -> str | None:
            nodes = ask(port, "{repositoriesOrError{...on RepositoryConnection{nodes{name}}}}")
            found = nodes["repositoriesOrError"].get("nodes")
            return str(found[0]["name"]) if found else None

        selector = {
            "repositoryLocationName": "imagerag", "repositoryName": wait_for(repository, LONG_S, process),
            "pipelineName": "scan_source",
        }  # fmt: skip

        def launch() -> str:
            config = {"ops": {"scan": {"config": {"source": str(source)}}}}
            launched = ask(port, _LAUNCH, e={"selector": selector, "runConfigData": config, "mode": "default"})
            return str(launched["launchRun"]["run"]["runId"])

        def ended(run: str) -> str | None:
            status = ask(port, _RUN, id=run)["runOrError"]["status"]
            return str(status) if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        def owner_of(run: str) -> int | None:
            tags = {each["key"]: each["value"] for each in ask(port, _RUN, id=run)["runOrError"]["tags"]}
            return int(json.loads(tags[OWNER_TAG])["owner"]["pid"]) if OWNER_TAG in tags else None

        first, second, third = launch(), launch(), launch()
        for run in (first, second):
            psutil.Process(wait_for(lambda run=run: owner_of(run), LONG_S, process)).kill()  # type: ignore[misc]
            assert wait_for(lambda run=run: ended(run), LONG_S, process) == "FAILURE"  # type: ignore[misc]
        assert wait_for(lambda: ended(third), LONG_S, process) == "SUCCESS"
