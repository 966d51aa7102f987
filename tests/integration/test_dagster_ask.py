"""Questions through Dagster: a run each, a run for a file, and what the run shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from imagerag_assets.cli import main
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def latest(instance: dg.DagsterInstance, asset: str) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_questions(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    code, nothing_there = run(capsys, "ask", "where is a boat?")
    assert code == 2
    assert "ingest" in nothing_there["error"]["fix"]
    request.getfixturevalue("milvus_stays")

    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one",))))[0] == 0
    code, answer = run(capsys, "ask", "where is a boat?", "--scene", "one", "--path", "fast", "--no-answer")
    assert code == 0
    assert {"answer_id", "question", "answer", "choice", "path", "cues", "lineage", "timings_ms"} <= answer.keys()
    assert answer["lineage"]["scenes"].keys() == {"one"}

    with dagster_instance(installed) as instance:
        shown = latest(instance, "answer")
        assert shown["answer_id"] == answer["answer_id"]
        assert shown["question"] == "where is a boat?"
        assert f"/imagerag/answers/{answer['answer_id']}/overview.jpg" in shown["evidence"]
        listed = [row.data["cue"] for row in shown["cues"].records] if answer["cues"] else shown.get("cues", [])
        assert listed == [cue["rank"] for cue in answer["cues"]]
        assert "/assets/scene?partition=one" in shown["upstream"]
        assert Path(shown["record"]).is_file()
        assert shown["page"] == f"/imagerag/answers/{answer['answer_id']}"
        assert "where is a boat?" in Path(shown["record"]).with_name("page.html").read_text("utf-8")
        assert answer["lineage"]["fingerprint"][:16] in shown["upstream"]
        assert shown.keys() >= {"confidence", "plan", "thresholds", "phrases", "path"} - {"confidence"}
        # The one that failed, as nothing was there, is found as well.
        asked, failed = instance.get_runs(dg.RunsFilter(tags={"imagerag/question": "where is a boat?"}))
        assert failed.status == dg.DagsterRunStatus.FAILURE
        assert (asked.job_name, asked.tags["imagerag/scene"]) == ("ask_question", "one")
        assert str(tmp_path / "source" / "one" / "one.json") in shown["upstream"].replace("\\", "")

        config = {"question": "where is a tree?", "scenes": ["one"], "path": "none", "answer": False}
        job = build_defs().resolve_job_def("ask_question")
        by_ui = job.execute_in_process(run_config={**QUIET, "ops": {"answer": {"config": config}}}, instance=instance)
        assert by_ui.success
        assert not by_ui.get_asset_check_evaluations()  # comparing all answers is no part of a question
        checked = build_defs().resolve_job_def("check_answers").execute_in_process(run_config=QUIET, instance=instance)
        (found,) = checked.get_asset_check_evaluations()
        assert (found.passed, found.description) == (True, "0 of 2 answers are outdated")
        assert latest(instance, "answer")["path"] == "none"

    code, tree = run(capsys, "trace", answer["answer_id"])
    assert (code, tree["kind"], tree["label"]) == (0, "answer", answer["answer_id"])
    assert main(["trace", answer["answer_id"]]) == 0

    code, unknown = run(capsys, "ask", "where?", "--scene", "onee")
    assert (code, unknown["error"]["type"]) == (2, "UnknownSceneError")
    assert "one" in unknown["error"]["fix"]


def test_a_file_of_questions_is_one_run(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one",))))[0] == 0
    lines: list[dict[str, Any]] = [
        {"id": "q1", "question": "where is a boat?", "scene": "one"},
        {"id": "q2", "question": ""},
        {"id": "q3", "question": "how many trees?", "choices": {"A": "1", "B": "2"}},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    code, done = run(capsys, "ask", "--batch", "in.jsonl", "--out", "out.jsonl", "--no-answer", "--path", "none")
    assert code == 3
    assert (done["questions"], done["failed"]) == (3, 1)
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["q1", "q2", "q3"]
    with dagster_instance(installed) as instance:
        assert [each.job_name for each in instance.get_runs()] == ["ask_batch", "ingest_scenes"]
        assert latest(instance, "answer_batch")["questions"] == 3
