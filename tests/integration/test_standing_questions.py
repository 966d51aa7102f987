"""A standing question over an area: a new acquisition arrives in another process, the sensor asks again, a change is
seen on the asset and told to a real HTTP server.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from imagerag_assets.cli import main
from imagerag_assets.orchestration.assets.standing_answers import CHECK
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ASSET = dg.AssetKey("standing_answers")


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What was POSTed to the webhook of this installation."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("IMAGERAG_WEBHOOK_URL", f"http://127.0.0.1:{server.server_port}/hook")
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def acquire(folder: Path, name: str, px: int, day: str) -> Path:
    """A source with one scene of the same place, as large as asked, of a day of May 2024."""
    catalog = write_source(folder, (name,), px=px)
    item = next(folder.rglob(f"{name}/{name}.json"))
    item.write_text(item.read_text().replace("2024-05-01", f"2024-05-{day}"))
    return catalog


@pytest.mark.usefixtures("milvus_stays")
def test_a_new_acquisition_is_asked_about_and_a_change_is_told(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    webhook: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")  # the encoder's weights are random
    arguments = ("watch", "add", "How many boats are there?", "--choice", "A=1", "--choice", "B=many")
    arguments += ("--name", "boats", "--bbox", "2.31,47.84,2.35,47.87", "--path", "fast")
    code, added = run(capsys, *arguments)
    assert (code, added["answer"]) == (0, None)
    assert "No scene" in added["note"]
    assert run(capsys, *arguments)[1]["error"]["message"] == "A watch named boats already exists"

    assert run(capsys, "ingest", str(acquire(tmp_path / "first", "first", 300, "01")))[0] == 0
    repository = build_defs().get_repository_def()
    job = build_defs().resolve_job_def("ask_standing")
    with dagster_instance(installed) as instance:
        cursor = None

        def tick() -> list[dg.RunRequest]:
            nonlocal cursor
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
            with dg.partition_loading_context(dynamic_partitions_store=instance):  # as the daemon does
                result = repository.get_sensor_def("standing_questions").evaluate_tick(context)
            cursor = result.cursor or cursor
            return list(result.run_requests or ())

        def ask_again(requests: list[dg.RunRequest]) -> dict[str, Any]:
            (request,) = requests
            assert request.partition_key == "boats"
            done = job.execute_in_process(run_config=QUIET, instance=instance, partition_key=request.partition_key)
            assert done.success
            (check,) = done.get_asset_check_evaluations()
            assert (check.check_name, check.severity) == (CHECK, dg.AssetCheckSeverity.WARN)
            (made,) = done.get_asset_materialization_events()
            metadata = made.step_materialization_data.materialization.metadata
            return {name: value.value for name, value in metadata.items()} | {"passed": check.passed}

        first = ask_again(tick())
        assert (first["passed"], first["changed"], first["previous"]) == (True, 0, "none")
        assert first["new_scenes"].keys() == {"first"}
        assert "/overview.jpg)" in first["evidence"]
        assert isinstance(first["confidence"], float) and first["count"] > 0
        assert tick() == []

        # The same place, later, and more of it.
        later = acquire(tmp_path / "b", "later", 900, "09")
        command = [sys.executable, "-m", "imagerag_assets.cli", "ingest", str(later)]
        assert subprocess.run(command, check=False, capture_output=True, timeout=300).returncode == 0
        # Elsewhere: nobody asked.
        west = write_source(tmp_path / "c", ("elsewhere",), seed=50)
        assert run(capsys, "ingest", str(west))[0] == 0
        again = ask_again(tick())
        assert again["new_scenes"].keys() == {"later"}
        assert again["previous"] == first["answer_id"]
        assert (again["passed"], again["changed"]) == (False, 1), again
        assert again["count"] > first["count"]
        assert tick() == []
        assert len(instance.fetch_materializations(ASSET, limit=10).records) == 2
        assert instance.get_dynamic_partitions("watches") == ["boats"]

    (told,) = webhook
    assert told["event"] == "answer_changed"
    assert told["detail"]["watch"] == "boats"
    assert "count" in {change["what"] for change in told["detail"]["changed"]}

    code, listed = run(capsys, "watch", "list")
    (about,) = listed["watches"]
    assert (about["answers"], about["last"]["answer_id"]) == (2, again["answer_id"])
    assert about["changed_at"] == about["last"]["asked_at"]
    assert [each["count"] for each in run(capsys, "watch", "show", "boats")[1]["answers"]] == [
        first["count"], again["count"],
    ]  # fmt: skip
    assert run(capsys, "watch", "run") == (0, {"asked": [], "failed": []})
    for shown in (("list",), ("show", "boats"), ("run",)):
        assert main(["watch", *shown]) == 0
    assert run(capsys, "watch", "remove", "boats") == (0, {"removed": "boats", "answers": 2})
    assert run(capsys, "watch", "remove", "boats")[0] == 2
    with dagster_instance(installed) as instance:
        assert instance.get_dynamic_partitions("watches") == []


@pytest.mark.usefixtures("milvus_stays")
def test_added_in_the_launchpad_it_is_asked_at_once(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one",))))[0] == 0
    config = {"question": "where is a boat?", "name": "boat", "scenes": ["one"], "path": "none", "answer": False}
    job = build_defs().resolve_job_def("add_watch")
    with dagster_instance(installed) as instance:
        ran = {**QUIET, "ops": {"save": {"config": config}}}
        assert job.execute_in_process(run_config=ran, instance=instance).success
        assert instance.get_materialized_partitions(ASSET) == {"boat"}
        assert not job.execute_in_process(run_config=ran, instance=instance, raise_on_error=False).success

    (tmp_path / "home" / "objects" / "scenes" / "one" / "record.json").unlink()
    code, done = run(capsys, "watch", "run", "boat")
    assert code == 3
    assert "imagerag watch remove boat" in done["failed"][0]["error"]
    assert run(capsys, "watch", "run", "nonsuch")[0] == 2
    assert run(capsys, "watch", "add", " ")[0] == 2
    assert run(capsys, "watch", "add", "where?", "--bbox", "1,2,3")[0] == 2
