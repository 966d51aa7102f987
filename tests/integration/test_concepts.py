"""Concepts from the first example to a replay: commands on one installation, with the tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from imagerag_assets.concepts.store import load_concept, read_crop
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.commands import run
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source
from tests.tiny_encoder import NAME

TARGET = (128, 0, 384, 256)


@pytest.fixture(scope="module")
def ingested(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: F811
    """A folder with a source of two scenes and the home of an installation that has them."""
    folder = tmp_path_factory.mktemp("ingested")
    catalog = write_source(folder / "source", ("one", "two"), px=512)
    _paint(folder / "source" / "two.tif")
    with Platform(load_settings(home=folder / "home", encoder=NAME, encoders_file=tiny_registry, _env_file=None)) as p:
        for scene in find_scenes(str(catalog), p.settings):
            assert isinstance(scene, Scene)
            assert ingest_scene(p, scene).status == "ingested"
        yield folder


def _paint(path: Path) -> None:
    """Draw stripes on a part of a scene, and leave another part without data."""
    x0, y0, x1, y1 = TARGET
    with rasterio.open(path, "r+") as file:
        file.nodata = 0
        pixels = file.read()
        pixels[:, y0:y1, x0:x1] = np.where(np.arange(x1 - x0) // 8 % 2, 250, 20).astype(pixels.dtype)
        pixels[:, 384:, :256] = 0
        file.write(pixels)


@pytest.fixture
def typed(installed: Settings, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Commands see that installation."""
    monkeypatch.setenv("IMAGERAG_HOME", str(ingested / "home"))
    for name, value in {"PLANNER": "rules", "SECOND_LOOK": "0", "COUNT_BUDGET": "40"}.items():
        monkeypatch.setenv(f"IMAGERAG_{name}", value)
    return ingested


def test_a_concept_is_asked_for_and_replayed(
    typed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")  # the order is what counts here
    box = ",".join(map(str, TARGET))
    code, made = run(capsys, "concepts", "add", "Stripes", "--scene", "two", "--box", box)
    assert code == 0
    concept = made["concept"]
    assert (concept["phrase"], concept["version"], concept["positive"]) == ("my:stripes", 1, 1)
    (example,) = concept["examples"]
    assert example["origin"]["window"] == list(TARGET)
    assert example["origin"]["bbox"] is not None
    assert example["metres_a_pixel"] > 0

    # Showing the same again changes nothing.
    assert run(capsys, "concepts", "add", "stripes", "--scene", "two", "--box", box)[1]["concept"]["version"] == 1

    code, answer = run(capsys, "ask", "Where are my:stripes?", "--top-k", "2", "--no-answer")
    assert code == 0
    assert answer["phrases"] == ["my:stripes"]
    assert answer["plan"][0]["op"] == "where"
    best = answer["cues"][0]
    assert (best["scene"], best["phrase"]) == ("two", "my:stripes")
    assert answer["lineage"]["concepts"]["stripes"]["version"] == 1

    # A thumb down on a cue, a picture file and a word are the next versions; the answer is replayed with the first.
    wrong = next(cue for cue in answer["cues"] if cue["scene"] == "one" or cue["rank"] == 2)
    thumb = ("--answer", answer["answer_id"], "--cue", str(wrong["rank"]), "--negative")
    assert run(capsys, "concepts", "add", "stripes", *thumb)[1]["concept"]["negative"] == 1
    with Platform(load_settings(_env_file=None)) as platform:
        first = load_concept(platform, "my:stripes", 1)
        Image.fromarray(read_crop(platform, "stripes", first.examples[0])[:, ::-1]).save(tmp_path / "seen.png")
    code, third = run(capsys, "concepts", "add", "stripes", "--file", str(tmp_path / "seen.png"), "--word", "stripes")
    assert (third["concept"]["version"], third["concept"]["positive"], third["concept"]["word"]) == (3, 2, "stripes")
    code, replayed = run(capsys, "replay", answer["answer_id"])
    assert replayed.get("same_cues"), replayed
    (changed,) = [each for each in replayed["differences"] if each["what"] == "concept"]
    assert (changed["recorded"], changed["now"], changed["used"]) == (1, 3, "recorded")

    # Plans and versions name it, too; removed, it is gone for questions only.
    plan = json.dumps([{"op": "count", "thing": "my:stripes@1"}])
    code, counted = run(capsys, "ask", "--plan", plan, "--no-answer")
    assert (code, counted["phrases"]) == (0, ["my:stripes@1"]), counted
    assert counted["lineage"]["concepts"]["stripes"]["version"] == 1
    assert run(capsys, "concepts", "remove", "stripes", "--example", example["id"])[1]["concept"]["positive"] == 1
    assert run(capsys, "concepts", "remove", "stripes", "--yes")[1]["concept"]["removed"]
    assert run(capsys, "concepts", "list")[1] == {"concepts": []}
    code, refused = run(capsys, "ask", "Where is my:stripes?")
    assert (code, refused["error"]["message"]) == (2, "The concept was removed")
    assert run(capsys, "replay", answer["answer_id"])[1]["same_cues"]


def test_what_cannot_be_an_example_is_said_in_a_line(
    typed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "black").save(tmp_path / "black.png")
    box = ("--scene", "one", "--box")
    assert run(capsys, "concepts", "add", "field", *box, "0,0,200,200")[0] == 0
    for arguments, said in [
        (["add", "field", *box, "0,0,200,200", "--negative"], "shown as positive and as negative"),
        (["add", "field", *box, "600,0,700,90"], "reaches outside the scene"),
        (["add", "field", *box, "9,9,9,90"], "is empty"),
        (["add", "field", *box, "1,2,3"], "is not X0,Y0,X1,Y1"),
        (["add", "field", "--scene", "two", "--box", "0,400,200,500"], "holds hardly any data"),
        (["add", "field", "--scene", "three", "--box", "0,0,9,9"], "There is no such scene"),
        (["add", "field", "--file", str(tmp_path / "black.png")], "one colour only"),
        (["add", "field", "--file", "nowhere.png"], "no such file"),
        (["add", "field", "--patch", "one:pyramid:0:77:77"], "There is no such patch"),
        (["add", "field"], "Nothing is shown"),
        (["add", "field", "--cue", "1"], "--cue needs --answer"),
        (["add", "../field", *box, "0,0,200,200"], "cannot be the name of a concept"),
        (["add", "new", *box, "0,0,200,200", "--negative"], "would have no positive example"),
        (["show", "feild"], "There is no such concept"),
        (["show", "field", "--version", "9"], "has no version 9"),
        (["remove", "field", "--example", "beef"], "has no example 'beef'"),
    ]:
        code, document = run(capsys, "concepts", *arguments)
        assert (code, said in document["error"]["message"]) == (2, True), (arguments, document)
    code, document = run(capsys, "ask", "How many my:feild are in the north?", "--no-answer")
    assert (code, document["error"]["fix"]) == (2, "Did you mean my:field?")
    assert "cannot be the name" in run(capsys, "ask", "Where is my:fi*ld?")[1]["error"]["message"]
    assert run(capsys, "concepts", "show", "field")[1]["concept"]["version"] == 1
