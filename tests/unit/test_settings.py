"""Settings: documented each, and a misspelt name is pointed out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.doctor import examine
from imagerag_assets.settings import Settings, load_settings, unknown_names


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(tmp_path / "home"))


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and field.description.endswith("."), name
        assert "\n" not in field.description, name


def test_a_misspelt_name_is_found_in_the_environment_and_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_names() == {}
    monkeypatch.setenv("IMAGERAG_ENCODR", "demo-lite")
    monkeypatch.setenv("IMAGERAG_EMPTY", "")  # as good as unset
    monkeypatch.setenv("imagerag_top_k", "4")  # case does not matter
    Path(".env").write_text("IMAGERAG_STOR=/data\nIMAGERAG_TOP_K=5\nIMAGERAG_XYZZY=1\nOTHER=1\n")
    assert unknown_names() == {
        "IMAGERAG_ENCODR": "IMAGERAG_ENCODER",
        "IMAGERAG_STOR": "IMAGERAG_STORE",
        "IMAGERAG_XYZZY": None,
    }
    assert load_settings().top_k == 4


def test_doctor_and_every_command_point_it_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_settings: Settings
) -> None:
    checks = {check.name: check for check in examine(tiny_settings)}
    assert (checks["settings"].status, checks["settings"].fix) == ("ok", "")
    assert main(["status", "--json"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("IMAGERAG_ENCODR", "demo-lite")
    monkeypatch.setenv("IMAGERAG_XYZZY", "1")
    checks = {check.name: check for check in examine(tiny_settings)}
    assert checks["settings"].status == "warn"
    assert checks["settings"].detail == "no such setting: IMAGERAG_ENCODR, IMAGERAG_XYZZY"
    assert "IMAGERAG_ENCODER" in checks["settings"].fix
    for options in ([], ["--json"]):
        assert main(["status", *options]) == 0
        out, err = capsys.readouterr()
        assert err == "warning: no such setting: IMAGERAG_ENCODR (did you mean IMAGERAG_ENCODER?), IMAGERAG_XYZZY\n"
        assert not options or json.loads(out)["scenes"] == 0
