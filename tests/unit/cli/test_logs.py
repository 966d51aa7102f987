"""Messages on standard error: as lines or as JSON, from a level on; and the question that is asked for there."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import main


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(tmp_path / "home"))


def test_messages_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    finish = cli_run.Command.finish

    def logged(command: cli_run.Command, *given: Any, **options: Any) -> None:
        assert command.settings.log == "json"
        for name in ("imagerag_assets.some", "library"):
            logging.getLogger(name).info("Scene a\nis done")
            logging.getLogger(name).debug("A detail")
        finish(command, *given, **options)

    monkeypatch.setattr(cli_run.Command, "finish", logged)
    (tmp_path / ".env").write_text("IMAGERAG_LOG=json\nIMAGERAG_LOG_LEVEL=info\nIMAGERAG_TOP=1\n", encoding="utf-8")
    assert main(["encoders"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["level"], each["logger"]) for each in told] == [
        ("warning", "imagerag_assets.cli"), ("info", "imagerag_assets.some"),
    ]  # fmt: skip
    assert told[1]["message"] == "Scene a is done" and told[1]["at"].endswith("+00:00")
    monkeypatch.setenv("IMAGERAG_LOG", "json")
    assert main(["ask", "where?", "--path", "fats"]) == 2  # before the settings are read
    (error,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert error["level"] == "error" and "Did you mean 'fast'?" in error["message"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_question_is_asked_for_at_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(" \n"))
    monkeypatch.setattr(sys, "stderr", terminal := _Terminal())
    assert main(["ask"]) == 2
    assert "Your question" in terminal.getvalue() and "The question is empty" in terminal.getvalue()
    monkeypatch.setattr(sys, "stdin", io.StringIO("Where is the pier?\n"))
    assert main(["ask"]) == 2
    assert "No question was given" in terminal.getvalue()
    monkeypatch.setattr(sys, "stdin", _Terminal("Where is the pier?\n"))
    assert main(["ask", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "No question was given"
