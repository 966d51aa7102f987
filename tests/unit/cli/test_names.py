"""A name that was mistyped is said before anything slow is loaded, with the nearest one, and records no run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli import main
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.items import scene_at, texture, write_scene

pytestmark = pytest.mark.usefixtures("harbour")


@pytest.fixture
def harbour(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation with one scene, and a source beside the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    write_scene(tmp_path / "catalog", "harbour", texture(64, 64))
    with Platform(settings) as platform:
        register(platform, scene_at(tmp_path / "catalog" / "harbour.json", settings))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "where?", "--scene", "harbor"], "Did you mean harbour?"),
        (["ask", "--like", "harbor:pyramid:0:1:1"], "Did you mean harbour?"),
        (["ask", "where?", "--path", "fats"], "Did you mean 'fast'?"),
        (["ask", "where?", "--scen", "harbour"], "--scene"),
        (["watch", "add", "where?", "--scene", "harbor"], "Did you mean harbour?"),
        (["watch", "run", "harbour"], "There is no watch 'harbour'"),
        (["ingest", "catalogue"], "Did you mean catalog?"),
        (["backfill", "--encoder", "demolite"], "Did you mean 'demo-lite'?"),
        (["words", "cuee"], "Did you mean cue?"),
    ],
)
def test_the_nearest_name_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (settings.home / "dagster").exists()  # where runs are recorded


def test_the_chosen_encoder_is_looked_at_before_an_ingest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("IMAGERAG_ENCODER", "demoo")
    assert main(["ingest", "catalog"]) == 2
    assert "Did you mean 'demo'?" in capsys.readouterr().err
    assert not (settings.home / "dagster").exists()


def test_nothing_heavy_is_loaded() -> None:
    check = (
        "import sys; from imagerag_assets.cli import main; code = main(['ask', 'where?', '--scene', 'harbor']);"
        "print(code, *(each for each in ('dagster', 'torch', 'pymilvus', 'transformers') if each in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", check],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert ran.stdout.split() == ["2"]


def test_the_shell_is_offered_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert completion.scenes("har") == ["harbour"]
    assert completion.encoders("demo-l") == ["demo-lite"]
    assert completion.answers("") == completion.watches("") == completion.sources("") == []
    monkeypatch.setenv("IMAGERAG_TOP_K", "none")  # a broken setting is no reason for an error in a shell
    assert completion.scenes("") == []
