"""A question that the model server fails at is kept with its cues, listed, and asked again when the server is well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_records import answer_folder, list_answers, load_answer
from imagerag_assets.settings import Settings
from tests.bad_mllm_server import MODEL, BadServer, bad_server, chat, fail, say  # noqa: F401
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUESTION = ["What shape is the storage tank?", "--choice", "A=round", "--choice", "B=long"]


@pytest.mark.usefixtures("milvus_stays")
def test_a_failed_question_is_kept_and_asked_again(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    bad_server: BadServer,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one",))))[0] == 0
    settings = {"MLLM": bad_server.url, "MLLM_RETRIES": "0", "MIN_CONFIDENCE": "0", "CHAIN_OF_THOUGHT": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"IMAGERAG_{name}", value)
    bad_server.behaviours = [fail(500, "out of order")]

    # What can be computed is answered without the model, and says so.
    code, computed = run(capsys, "ask", "How many tanks are there?")
    assert (code, computed["answered_by"], computed["outcome"]) == (0, "evidence", "found")
    assert {cue["verdict"] for cue in computed["cues"]} == {"unchecked"}
    assert any("could not be asked" in note and "HTTP 500" in note for note in computed["notes"])

    code, told = run(capsys, "ask", *QUESTION)
    error = told["error"]
    assert (code, error["type"]) == (1, "ModelError")
    answer_id = error["about"]["answer"]
    assert f"imagerag retry {answer_id}" in error["fix"]
    with Platform(installed) as platform:
        assert set(list_answers(platform)) == {answer_id, computed["answer_id"]}
        record = load_answer(platform, answer_id).to_dict()
    assert record["cues"]
    assert (record["answer"], record["choice"], record["lineage"]["mllm"]) == (None, None, None)
    assert "HTTP 500" in record["error"]["message"]

    questions = tmp_path / "in.jsonl"
    questions.write_text(json.dumps({"id": "q", "question": "What shape is the tank?"}) + "\n", encoding="utf-8")
    code, _ = run(capsys, "ask", "--batch", str(questions), "--out", str(tmp_path / "out.jsonl"))
    (line,) = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert (code, line["id"], line["error"]["type"]) == (3, "q", "ModelError")

    _, listed = run(capsys, "answers", "--failed")
    assert {each["answer_id"] for each in listed["answers"]} == {answer_id, line["answer_id"]}
    code, again = run(capsys, "retry", answer_id)
    assert (code, again["answered"], again["failed"]) == (3, 0, 1)

    bad_server.behaviours = [say(chat("It is low.")), say(chat("B"))]
    code, again = run(capsys, "retry", answer_id)
    assert (code, again["answered"], again["failed"]) == (0, 1, 0)
    answer = again["answers"][0]["answer"]
    assert (answer["answer_id"], answer["choice"], answer["reasoning"]) == (answer_id, "B", "It is low.")
    assert answer["lineage"]["mllm"] == {"name": MODEL, "revision": "bad-1"}
    assert "error" not in answer
    assert [cue["patch_id"] for cue in answer["cues"]] == [cue["patch_id"] for cue in record["cues"]]

    code, refused = run(capsys, "retry", answer_id)
    assert (code, refused["error"]["message"]) == (2, "The question has an answer")
    # Of a failed try nothing stays beside the answer that takes its place.
    evidence = f"{answer_folder(line['answer_id'])}/evidence"
    with Platform(installed) as platform:
        assert f"{evidence}/cue-1.jpg" in platform.store.list(evidence)
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "1")
    code, rest = run(capsys, "retry")
    assert rest["answers"][0]["answer"]["cues"] == []
    with Platform(installed) as platform:
        assert platform.store.list(evidence) == [f"{evidence}/overview.jpg"]
    assert (code, [each["answer_id"] for each in rest["answers"]]) == (0, [line["answer_id"]])
    assert run(capsys, "retry") == (0, {"answers": [], "answered": 0, "failed": 0})
