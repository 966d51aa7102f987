"""Answers asked again: by another process from unchanged versions, and after a scene or the encoder changed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_records import list_answers, prompt_key
from imagerag_assets.retrieval.calibration import GENERIC, save_calibration
from imagerag_assets.settings import Settings
from tests.commands import run
from tests.conftest import PROJECT
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_raster, write_source

OTHER = "tiny-other"
QUESTION = ["Where is the storage tank?", "--choice", "A=upper left", "--choice", "B=lower right"]
AREA = ["--bbox", "2,47,3,49"]


def elsewhere(*arguments: str) -> dict[str, Any]:
    """The document that a command prints in a process of its own."""
    command = [sys.executable, "-m", "imagerag_assets.cli", *arguments, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def kinds(replayed: dict[str, Any]) -> set[str]:
    return {each["what"] for each in replayed["differences"]}


@pytest.fixture
def source(
    installed: Settings,  # noqa: F811
    milvus_stays: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Two ingested scenes; random weights are confident of nothing, so any cue passes."""
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    catalog = write_source(tmp_path / "source")
    assert run(capsys, "ingest", str(catalog))[0] == 0
    return catalog


def test_replays(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, answer = run(capsys, "ask", *QUESTION, *AREA)
    answer_id = answer["answer_id"]
    assert answer["cues"]
    with Platform(installed) as platform:
        prompt = platform.store.read_bytes(prompt_key(answer_id))
        record = platform.store.read_bytes(f"answers/{answer_id}/answer.json")
    assert hashlib.sha256(prompt).hexdigest() == answer["lineage"]["prompt_sha256"]
    assert b"Where is the storage tank?" in prompt

    replayed = elsewhere("replay", answer_id)
    assert replayed["differences"] == []
    assert (replayed["same_cues"], replayed["same_answer"]) == (True, True)
    assert replayed["versions"] == "recorded"
    assert replayed["replay"]["cues"] == answer["cues"]
    assert "answer_id" not in replayed["replay"]

    # Settings and thresholds of now are not those of then.
    monkeypatch.setenv("IMAGERAG_TOP_K", "1")
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0.9999")
    code, replayed = run(capsys, "replay", answer_id)
    assert code == 0
    assert {(each["what"], each["used"]) for each in replayed["differences"]} == {("setting", "recorded")}
    assert (replayed["same_cues"], replayed["same_answer"]) == (True, True)
    monkeypatch.delenv("IMAGERAG_TOP_K")
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")

    # The encoder is switched: the answer is outdated, and its replay is still answered by the recorded one.
    monkeypatch.setenv("IMAGERAG_ENCODER", OTHER)
    assert run(capsys, "ingest", str(source))[0] == 0
    with Platform(installed.model_copy(update={"encoder": OTHER})) as platform:
        (new,) = [c for c in platform.vectors.list_collections() if c.fingerprint == platform.fingerprint]
        old = platform.vectors.point_alias("patches", new.name)
    assert old == answer["lineage"]["collection"]
    code, replayed = run(capsys, "replay", answer_id)
    assert kinds(replayed) == {"encoder", "collection"}
    assert {each["used"] for each in replayed["differences"]} == {"recorded"}
    assert (replayed["same_cues"], replayed["same_answer"]) == (True, True)
    assert {each["reason"] for each in run(capsys, "trace", answer_id)[1]["outdated"]} == {"encoder-retired"}
    code, listed = run(capsys, "answers", "--outdated")
    assert [each["answer_id"] for each in listed["answers"]] == [answer_id]

    # The old collection is dropped: the present stands in for it.
    with Platform(installed) as platform:
        platform.vectors.drop(old)
    code, replayed = run(capsys, "replay", answer_id)
    assert (code, replayed["versions"]) == (0, "present where recorded ones are gone")
    assert {"collection", "encoder"} <= kinds(replayed)
    assert not replayed["same_cues"]

    with Platform(installed) as platform:
        assert list_answers(platform) == [answer_id]  # no replay is an answer
        assert platform.store.read_bytes(f"answers/{answer_id}/answer.json") == record


def test_a_scene_that_changed(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    source: Path,
) -> None:
    _, answer = run(capsys, "ask", *QUESTION, "--scene", "one", "--no-answer")
    assert answer["cues"]
    assert answer["lineage"]["calibration_kind"] == "default"
    assert run(capsys, "trace", answer["answer_id"])[1]["outdated"] == []
    with Platform(installed) as platform:
        division = platform.vectors.meta(answer["lineage"]["collection"]).division
        thresholds = replace(GENERIC, fingerprint=platform.fingerprint, division=division, version="a" * 16)
        save_calibration(platform.store, thresholds)
    write_raster(source.parent / "one.tif", seed=77, at=0)
    assert run(capsys, "ingest", str(source))[0] == 0

    code, replayed = run(capsys, "replay", answer["answer_id"])
    assert code == 0
    assert {"scene", "calibration"} <= kinds(replayed)
    by_kind = {each["what"]: each for each in replayed["differences"]}
    assert by_kind["scene"]["detail"] == "one changed"
    assert by_kind["scene"]["used"] == "present"
    assert (by_kind["calibration"]["recorded"], by_kind["calibration"]["used"]) == ("default-20.09", "recorded")
    assert kinds(replayed) & {"confidence", "cue-added", "cue-moved"}
    code, lineage = run(capsys, "trace", answer["answer_id"])
    assert [(each["reason"], each["scene"]) for each in lineage["outdated"]] == [("scene-changed", "one")]
    assert lineage["prov"]["entity"]
    assert main(["replay", answer["answer_id"]]) == 0
    assert main(["answers"]) == 0
    assert "outdated" in capsys.readouterr().out
    assert main(["trace", answer["answer_id"], "--format", "prov"]) == 0
    assert json.loads(capsys.readouterr().out).keys() >= {"prefix", "entity", "activity", "agent", "wasDerivedFrom"}
