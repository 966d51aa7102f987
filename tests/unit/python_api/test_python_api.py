"""The Python interface: one small installation is opened, asked and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

import imagerag_assets as ia
from imagerag_assets.errors import ConceptError, QuestionError, SettingsError, UnknownAnswerError, UnknownSceneError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.python_api import Answer, Cues, Installation
from imagerag_assets.python_api.answers import COLUMNS
from imagerag_assets.settings import load_settings
from tests.answers import answer_record
from tests.small_source import write_raster
from tests.tiny_encoder import chosen, tiny_registry  # noqa: F401


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path) -> Iterator[Installation]:  # noqa: F811
    """Two scenes, `placed` and, without a place on the ground, `adrift`."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "in").mkdir()
    write_raster(folder / "in" / "placed_2024-06-30.tif")
    pixels = np.random.default_rng(5).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "in" / "adrift_2024-07-01.png")
    settings = chosen(load_settings(home=folder / "home", _env_file=None), tiny_registry)
    with Installation(Platform(settings.model_copy(update={"min_confidence": 0.0, "planner": "rules"}))) as opened:
        done = opened.ingest(folder / "in")
        assert [each.status for each in done] == ["ingested"] * 2
        yield opened


@pytest.fixture(scope="module")
def found(installation: Installation) -> Cues:
    """Cues in both scenes."""
    return installation.find("storage tank", top_k=30)


def test_opening_loads_nothing_and_says_what_is_wrong_with_a_setting(tmp_path: Path) -> None:
    with ia.open(tmp_path / "home", top_k=5) as opened:
        assert opened.platform.settings.top_k == 5
        assert str(tmp_path / "home") in repr(opened)
    assert not (tmp_path / "home").exists()
    with pytest.raises(SettingsError, match="top_k|TOP_K"):
        ia.open(tmp_path, top_k=0)


def test_scenes_are_listed_as_objects_and_as_a_table(installation: Installation) -> None:
    scenes = installation.scenes()
    assert [each.status for each in scenes] == ["ingested", "ingested"]
    adrift, placed = scenes
    assert adrift.bbox is None
    assert placed.date is not None and placed.date.startswith("2024-06-30")
    assert placed.gsd_m == pytest.approx(1, abs=0.02)
    assert placed.item and placed.key in repr(scenes[1:])
    table = scenes.to_geodataframe()
    assert table.crs == "EPSG:4326"
    assert list(table.scene) == [each.key for each in scenes]
    assert table.geometry.isna().tolist() == [True, False]
    assert table.geometry[1].bounds == pytest.approx(placed.bbox)
    assert [each.key for each in installation.scenes(bbox=placed.bbox)] == [placed.key]
    assert [each.key for each in installation.scenes(datetime="2024-07-01")] == [adrift.key]
    assert len(installation.scenes(datetime="2020-01-01/2020-12-31").to_geodataframe()) == 0


def test_cues_become_a_table_for_maps_and_files(installation: Installation, found: Cues, tmp_path: Path) -> None:
    table = found.to_geodataframe()
    assert list(table.columns) == [*COLUMNS, "geometry"]
    assert table.crs == "EPSG:4326"
    assert len(table) == len(found) > 2
    by_key = {each.key: each for each in installation.scenes()}
    assert set(table.scene) == set(by_key)
    for cue, (_, row) in zip(found, table.iterrows(), strict=True):
        scene = by_key[cue.scene]
        assert (row["rank"], row.phrase, row.confidence, row.verdict) == (
            cue.rank, "storage tank", cue.confidence, cue.verdict,
        )  # fmt: skip
        assert (row["item"], row["record"], row.patch_id) == (scene.item, cue.answer_id, cue.patch_id)
        assert (row.x0, row.y0, row.x1, row.y1) == cue.window
        assert datetime.fromisoformat(row.date).replace(tzinfo=UTC).date().isoformat() == scene.date[:10]
        if cue.bbox is None:
            assert row.geometry is None
        else:
            assert shapely.box(*cue.bbox).buffer(1e-9).contains(row.geometry)
            assert row.geometry.area > 0.9 * shapely.box(*cue.bbox).area
    table.dropna(subset="geometry").to_file(tmp_path / "cues.gpkg")
    assert "storage tank" in table.to_json()  # what a leafmap puts on its map
    none = found[:0].to_geodataframe()
    assert list(none.columns) == [*COLUMNS, "geometry"] and none.crs == "EPSG:4326"


def test_an_answer_has_words_pictures_and_lineage(installation: Installation, found: Cues) -> None:
    placed = installation.scenes()[1]
    answer = installation.ask("How many storage tanks are there?", scenes=placed, top_k=2, answer=False)
    assert isinstance(answer, Answer)
    assert answer.question == "How many storage tanks are there?"
    assert answer.choice is None
    assert {cue.scene for cue in answer.cues} == {placed.key}
    assert answer.trace()["kind"] == "answer"
    assert answer.to_dict()["answer_id"] == answer.id
    assert max(answer.picture().size) == 300
    again = installation.answer(answer.id)
    assert again.to_dict() == answer.to_dict() and answer.id in repr(again)
    followed = installation.ask("Where are they?", after=answer, answer=False)
    assert followed.record.after == answer.id and {cue.phrase for cue in followed.cues} == {"storage tank"}
    told = Answer(answer_record(answer="a_b", outcome="found", confidence=0.5, notes=["look"]), installation.platform)
    assert (told.text, told.outcome, told.confidence, told.notes, told.results) == ("a_b", "found", 0.5, ("look",), ())
    assert "a\\_b" in told._repr_markdown_()


def test_what_looks_like_a_cue_is_found(installation: Installation, found: Cues) -> None:
    alike = installation.find_like(found[0].patch_id, scenes=[each.key for each in installation.scenes()], top_k=3)
    assert 1 <= len(alike) <= 3
    assert found[0].picture().mode == "RGB"
    assert found[0].to_dict()["patch_id"] == found[0].patch_id and "storage tank" in repr(found)


def test_what_was_shown_is_found_by_its_name(installation: Installation, found: Cues, tmp_path: Path) -> None:
    placed = installation.scenes()[1]
    first = installation.teach("pumpjack", (placed.key, (100, 100, 228, 228)))
    found[1].picture().save(tmp_path / "seen.png")
    second = installation.teach("pumpjack", found[0], tmp_path / "seen.png", word="oil pump")
    third = installation.teach("pumpjack", (placed.key, (0, 0, 128, 128)), good=False)
    assert (first, second, third) == (1, 2, 3)
    assert {cue.phrase for cue in installation.find("my:pumpjack", scenes=placed)} == {"my:pumpjack"}
    with pytest.raises(ConceptError, match="outside|name"):
        installation.teach("pumpjack", (placed.key, (9_000, 9_000, 9_100, 9_100)))


def test_wrong_input_is_a_sentence(installation: Installation) -> None:
    with pytest.raises(UnknownSceneError, match="There is no such scene"):
        installation.ask("Where is the pier?", scenes="nowhere")
    with pytest.raises(QuestionError, match="four numbers"):
        installation.scenes(bbox=(1, 2, 3))
    with pytest.raises(QuestionError, match="at least two choices"):
        installation.ask("Which?", choices={"A": "one"})
    with pytest.raises(UnknownAnswerError, match="not an answer id"):
        installation.answer("nonsense")
