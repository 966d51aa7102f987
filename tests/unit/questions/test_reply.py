"""Whether the multimodal LLM is asked at all, through the whole pipeline with the model that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source


@pytest.mark.usefixtures("milvus_stays")
def test_of_what_was_not_found_a_model_has_nothing_to_say(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == 0
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    run("ingest", str(write_source(tmp_path / "source")))
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "1")
    for question, names, outcome in (
        ("Is there a ship?", ("No ship was found",), "not_found"),
        ("Describe the harbour in the north-east", ("harbour",), "not_found"),
        ("How many tennis courts and ships are there?", ("No tennis court", "ship"), "not_found"),
    ):
        honest = run("ask", question)
        assert all(name in honest["answer"] for name in names), honest["answer"]
        assert "does not show" not in honest["answer"]
        assert honest["abstained"]
        assert (honest["outcome"], honest["answered_by"]) == (outcome, "evidence")
        assert (honest["cues"], honest["choice"], honest["lineage"]["mllm"]) == ([], None, None)
    replayed = run("replay", honest["answer_id"])
    assert replayed["same_cues"]
    assert replayed["same_answer"]

    for arguments in (
        ("What is the dominant land cover?",),  # about the scene, not about a thing
        ("Is there a ship?", "--choice", "A=yes", "--choice", "B=no"),
        ("Is there a ship?", "--mode", "global"),
    ):
        assert run("ask", *arguments)["lineage"]["mllm"], arguments
    monkeypatch.setenv("IMAGERAG_ASK_WITHOUT_CUES", "true")
    assert run("ask", "What colour is the ship?")["lineage"]["mllm"]
