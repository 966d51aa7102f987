"""`imagerag ask --like`: by a picture file and by a patch of an earlier answer, with and without a question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source
from tests.tiny_encoder import NAME


@pytest.fixture(scope="module")
def ingested(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: F811
    """A folder with a source of two scenes and the home of an installation that has them; it is only asked."""
    folder = tmp_path_factory.mktemp("ingested")
    options = {"home": folder / "home", "encoder": NAME, "encoders_file": tiny_registry}
    with Platform(load_settings(**options, _env_file=None)) as platform:
        for scene in find_scenes(str(write_source(folder / "source", ("one", "two"))), platform.settings):
            assert isinstance(scene, Scene)
            assert ingest_scene(platform, scene).status == "ingested"
        yield folder


@pytest.fixture
def typed(installed: Settings, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Commands see that installation."""
    monkeypatch.setenv("IMAGERAG_HOME", str(ingested / "home"))


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["ask", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_by_example(
    capsys: pytest.CaptureFixture[str],
    typed: None,
    ingested: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")  # the order is what counts here
    monkeypatch.setenv("IMAGERAG_SECOND_LOOK", "0")
    with Image.open(ingested / "source" / "two.tif") as scene:
        scene.crop((0, 0, 256, 256)).save(tmp_path / "corner.png")

    code, by_file = ask(capsys, "--like", str(tmp_path / "corner.png"))
    assert code == 0
    best = by_file["cues"][0]
    assert (best["scene"], best["window"], best["phrase"]) == ("two", [0, 0, 256, 256], "like corner.png")
    assert best["score"] == pytest.approx(1, abs=0.02)
    assert (by_file["answer"], by_file["choice"], by_file["question"]) == (None, None, "")
    assert len(by_file["lineage"]["example_sha256"]) == 64

    code, by_patch = ask(capsys, "--like", best["patch_id"], "--top-k", "2")
    assert best["patch_id"] not in [cue["patch_id"] for cue in by_patch["cues"]]
    assert 1 <= len(by_patch["cues"]) <= 2
    code, elsewhere = ask(capsys, "--like", best["patch_id"], "--scene", "one")
    assert {cue["scene"] for cue in elsewhere["cues"]} == {"one"}

    capsys.readouterr()
    assert main(["replay", by_patch["answer_id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same_cues"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--like", "nowhere.png"], "The example cannot be read (no such file)"),
        (["--like", "broken.png"], "The example cannot be read (UnidentifiedImageError"),
        (["--like", "one:pyramid:0:77:77"], "There is no such patch"),
        (["--like", ""], "needs a picture or patch id"),
        (["--like", "x.png", "--retrieval", "paper"], "allows no other retrieval"),
        (["--like", "x.png", "--batch", "q.jsonl", "--out", "a.jsonl"], "--like cannot be used with --batch"),
    ],
)
def test_bad_examples_are_refused_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], typed: None
) -> None:
    Path("broken.png").write_bytes(b"not a picture")
    capsys.readouterr()
    assert main(["ask", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in " ".join(err.split())
    assert "Traceback" not in err
