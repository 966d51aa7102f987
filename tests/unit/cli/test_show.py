"""`imagerag show` and `ask --open`: where the page goes, and what is said where it cannot be made or opened."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from tests.answers import kept_answer
from tests.commands import run


def test_the_page_is_kept_written_and_opened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    with Platform(settings) as platform:
        answer_id = kept_answer(platform, tmp_path / "port").answer_id
    code, made = run(capsys, "show", answer_id)
    page = Path(made["page"])
    assert (code, made["answer_id"], made["bytes"]) == (0, answer_id, page.stat().st_size)
    assert page.name == "page.html" and "Where are the ships?" in page.read_text("utf-8")

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or len(opened) == 1)
    assert main(["show", answer_id, "--open", "--out", "sent/to you.html"]) == 0
    assert opened == [(tmp_path / "sent" / "to you.html").as_uri()]
    assert main(["show", answer_id, "--open"]) == 0
    assert f"No browser could be started. Open this file: {page}" in capsys.readouterr().err

    (tmp_path / "a file").touch()
    code, failed = run(capsys, "show", answer_id, "--out", "a file/page.html")
    assert (code, failed["error"]["fix"]) == (1, "Give another file with --out")
    assert run(capsys, "show", "20260504T103000-00000000")[0] == 2
    code, refused = run(capsys, "ask", "--batch", "in.jsonl", "--out", "out.jsonl", "--open")
    assert (code, refused["error"]["message"]) == (2, "--open cannot be used with --batch")
