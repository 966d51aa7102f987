"""What changed between two scenes, through the whole pipeline with the encoder that ships: made pairs and real ones."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin

from imagerag_assets.answering import Prompt
from imagerag_assets.errors import QuestionError
from imagerag_assets.ingestion.ingest import embed, index, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.change import compare
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.reply import make_prompt
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.retrieval.phrases import analyse_question
from imagerag_assets.settings import Settings
from tests.items import scene_at, write_item, write_tiff

ASKED = "What changed between these two dates here?"
BLOCK = (448, 384, 576, 512)  # in pixels of the later scene
SHIFT = 20  # its grid begins so many pixels further east


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings.model_copy(update={"patch_px": 128})) as opened:
        yield opened


def ground(height: int = 640, width: int = 700) -> NDArray[np.uint8]:
    """uint8 (3, h, w): fields of smooth colours."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(70, 150, (3, height // 50 + 1, width // 50 + 1), dtype=np.uint8)
    picture = Image.fromarray(coarse.transpose(1, 2, 0)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture).transpose(2, 0, 1)


def later(before: NDArray[np.uint8], *, painted: bool) -> NDArray[np.uint8]:
    """The same ground on a grid that begins elsewhere, in other light; with bright stripes on dark where painted."""
    after = np.clip(before[:, :, SHIFT : SHIFT + 640] * 0.9 + 15, 0, 255).astype(np.uint8)
    if painted:
        x0, y0, x1, y1 = BLOCK
        stripes = np.where(np.arange(y1 - y0) // 8 % 2 == 0, 250, 10).astype(np.uint8)
        after[:, y0:y1, x0:x1] = stripes[None, :, None]
    return after


def ingest(platform: Platform, folder: Path, name: str, pixels: NDArray[np.uint8], year: int, east: float = 0) -> None:
    raster = write_tiff(folder / f"{name}.tif", pixels, transform=from_origin(500_000 + east, 5_300_000, 0.5, 0.5))
    ingest_file(platform, folder, name, raster, datetime(year, 7, 1, tzinfo=UTC))


def ingest_file(platform: Platform, folder: Path, name: str, raster: Path, acquired: datetime) -> None:
    path = write_item(folder / f"{name}.json", str(raster), raster=raster)
    item = pystac.Item.from_file(str(path))
    item.datetime = acquired
    item.save_object(include_self_link=False, dest_href=str(path))
    register(platform, scene_at(path, platform.settings))
    embed(platform, name)
    index(platform, name)


def read(platform: Platform, record: dict[str, Any], name: str) -> bytes:
    return platform.store.read_bytes(f"answers/{record['answer_id']}/{name}")


def prompt_of(platform: Platform, question: Question) -> tuple[Prompt, dict[str, Any]]:
    """What the model would be asked, and the record's account of the change."""
    serving = find_serving(platform)
    assert serving is not None
    analysis = analyse_question(question.question, {}, max_phrases=5, sentences=platform.sentences)
    used = load_calibration(platform.store, serving.target.fingerprint, serving.target.recipe.division_name)
    with Viewer(platform) as viewer:
        compared = compare(serving, question, analysis, viewer, used)
        pictures, _ = compared.pictures(viewer)
        told, cues = compared.analysis, compared.found.cues
        prompt = make_prompt(question, told, cues, compared.scenes[1], viewer, pictures, compared)
    return prompt, compared.to_dict()


def test_a_painted_block_is_found_and_the_rest_is_not(platform: Platform, tmp_path: Path) -> None:
    before = ground()
    ingest(platform, tmp_path, "then", before, 2020)
    ingest(platform, tmp_path, "same", later(before, painted=False), 2021, east=SHIFT / 2)
    ingest(platform, tmp_path, "now", later(before, painted=True), 2022, east=SHIFT / 2)

    record = ask(platform, Question(ASKED, scenes=("now", "then"), answer=False)).to_dict()
    assert (record["path"], record["abstained"], record["scene"]) == ("change", False, "now")
    assert [cue["phrase"] for cue in record["cues"]] == ["change"] * len(record["cues"])
    x0, y0, x1, y1 = BLOCK
    for cue in record["cues"]:  # every one shows a part of the block, whatever its size
        left, top, right, bottom = cue["window"]
        assert left < x1
        assert right > x0
        assert top < y1
        assert bottom > y0
    best = record["cues"][0]["window"]
    assert min(best[2], x1) - max(best[0], x0) >= 64
    assert min(best[3], y1) - max(best[1], y0) >= 64

    change = record["change"]
    assert [change[side]["scene"] for side in ("before", "after")] == ["then", "now"]
    assert [change[side]["acquired"] for side in ("before", "after")] == ["2020-07-01", "2022-07-01"]
    place = change["places"][0]
    assert place["after"]["window"] == best
    assert place["before"]["patch_id"].startswith("then:")
    assert record["lineage"]["scenes"].keys() == {"then", "now"}
    with Image.open(io.BytesIO(read(platform, record, "evidence/cue-1.jpg"))) as picture:
        assert picture.width > 2 * picture.height  # before and after in one
        pixels = np.asarray(picture.convert("L"), dtype=np.float64)
    assert pixels[:, -picture.height // 2 :].std() > 3 * pixels[:, : picture.height // 2].std()
    features = json.loads(read(platform, record, "cues.geojson"))["features"]
    assert len(features) == len(record["cues"])
    assert features[0]["geometry"]["type"] == "Polygon"
    assert load_answer(platform, record["answer_id"]).to_dict() == record

    prompt, _ = prompt_of(platform, Question(ASKED, scenes=("then", "now")))
    assert [finding.phrase for finding in prompt.found] == ["change"]
    assert set(prompt.found[0].places) == {"lower right"}
    assert {cue.phrase for cue in prompt.cues} == {"change, 2020-07-01 to 2022-07-01"}

    # Another light, another grid, and nothing else; a part of the scene, an area, a number.
    same = ask(platform, Question(ASKED, scenes=("then", "same"), answer=False)).to_dict()
    assert (same["cues"], same["abstained"], same["path"]) == ([], True, "none")
    scenes = ("then", "now")
    elsewhere = ask(platform, Question("What changed in the north-west?", scenes=scenes, answer=False)).to_dict()
    assert elsewhere["abstained"]
    west, south, east, north = record["cues"][0]["bbox"]
    area = (west, south, east, north)
    by_area = ask(platform, Question(ASKED, bbox=area, datetime="2020-01-01/..", answer=False)).to_dict()
    assert [by_area["change"][side]["scene"] for side in ("before", "after")] == ["then", "now"]  # first and last
    assert by_area["cues"][0]["patch_id"] == record["cues"][0]["patch_id"]
    follow = Question("Has anything changed in the south-east?", after=by_area["answer_id"], answer=False)
    assert ask(platform, follow).to_dict()["cues"][0]["patch_id"] == record["cues"][0]["patch_id"]

    # What is named is looked for in both scenes, and counted in both.
    loose = platform.using(min_confidence=0.0, second_look=0)
    prompt, change = prompt_of(
        loose.using(confirm_cues=False), Question("Are there more ships than before?", scenes=scenes)
    )
    assert [finding.phrase for finding in prompt.found] == ["ship, 2020-07-01", "ship, 2022-07-01"]
    assert [len(finding.places) for finding in prompt.found] == [
        change["counts"]["ship"][w] for w in ("before", "after")
    ]
    assert {cue.phrase for cue in prompt.cues} == {"ship, 2020-07-01", "ship, 2022-07-01"}
    strict = platform.using(min_confidence=1.0, second_look=0)
    none = ask(strict, Question("What changed at the harbour?", scenes=scenes, answer=False)).to_dict()
    assert none["abstained"]
    assert "0 of" in " ".join(none["notes"])


def test_what_cannot_be_compared_is_said_in_a_line(platform: Platform, tmp_path: Path) -> None:
    pixels = ground(256, 256)
    for name, year, east in (("one", 2020, 0), ("other", 2020, 0), ("far", 2022, 50_000)):
        ingest(platform, tmp_path, name, pixels, year, east)
    for scenes, says in (
        (("one",), "two scenes, and 1 is in scope"),
        (("one", "other"), "at the same time"),
        (("one", "far"), "No two scenes in scope show the same place"),
    ):
        with pytest.raises(QuestionError, match=says) as caught:
            ask(platform, Question(ASKED, scenes=scenes, answer=False))
        assert "--scene A --scene B" in caught.value.fix
    plain = Question(ASKED, scenes=("one",), answer=False, mode="global")
    assert ask(platform, plain).to_dict()["cues"] == []  # nothing is looked for, so nothing is compared


@pytest.mark.parametrize(
    ("folder", "files", "dates"),
    [
        ("naip", ("m_4709963_se_14_1_20090818.tif", "m_4709963_se_14_1_20200831.tif"), ((2009, 8, 18), (2020, 8, 31))),
        ("landsat", ("1985.tif", "2020.tif"), ((1985, 7, 1), (2020, 7, 1))),
    ],
)
def test_real_pairs(
    folder: str,
    files: tuple[str, str],
    dates: tuple[tuple[int, int, int], ...],
    settings: Settings,
    samples: Path,
    tmp_path: Path,
) -> None:
    # The samples are 160 x 128 px: patches of 32 px make them a scene of many patches.
    with Platform(settings.model_copy(update={"patch_px": 32})) as platform:
        for name, file, date in zip(("then", "now"), files, dates, strict=True):
            raster = samples / "opengeos_data" / folder / file
            ingest_file(platform, tmp_path, name, raster, datetime(*date, tzinfo=UTC))
        prompt, change = prompt_of(platform.using(min_confidence=0.01), Question(ASKED, scenes=("then", "now")))
    assert change["pairs"] > 50
    assert 0 < len(change["places"]) <= 8
    assert len(prompt.found[0].places) == len(change["places"])
    for place in change["places"]:  # both windows show one place; their grids are a metre apart, or none
        for then, now in zip(place["before"]["window"], place["after"]["window"], strict=True):
            assert abs(then - now) <= 2
    assert all(one.picture.width > one.picture.height for one in prompt.cues)
