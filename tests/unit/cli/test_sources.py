"""`imagerag sources` and `imagerag purge`, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.cli import main
from imagerag_assets.settings import Settings
from tests.commands import run


@pytest.fixture(autouse=True)
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    return settings.home


def test_sources_are_added_listed_and_removed(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert run(capsys, "sources") == (0, {"file": str(home / "sources.toml"), "sources": []})
    code, added = run(capsys, "sources", "add", "port", "s3://b/p", "--collection", "x", "--max-new", "9")
    assert (code, added["added"]["max_new"], added["added"]["collections"]) == (0, 9, ["x"])
    code, again = run(capsys, "sources", "add", "port", "s3://b/p")
    assert (code, again["error"]["type"]) == (2, "SettingsError")
    code, wrong = run(capsys, "sources", "add", "Port", "s3://b/p")
    assert (code, "cannot name a source" in wrong["error"]["message"]) == (2, True)
    assert run(capsys, "sources", "list")[1]["sources"] == [added["added"]]
    assert main(["sources"]) == 0
    assert "s3://b/p" in capsys.readouterr().out
    assert run(capsys, "--json", "sources", "remove", "port")[1]["removed"]["name"] == "port"
    assert run(capsys, "sources", "remove", "port")[0] == 2


def test_purge_has_nothing_to_do_or_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "purge") == (0, {"dry_run": False, "scenes": []})
    code, wrong = run(capsys, "purge", "--older-than", "soon")
    assert (code, "is not a duration" in wrong["error"]["message"]) == (2, True)
    assert run(capsys, "purge", "--scene", "nobody")[0] == 2
