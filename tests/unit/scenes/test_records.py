from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import ItemError, RasterError, StoreError, UnknownSceneError
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.types import Grid, RenderSpec
from imagerag_assets.scenes.failures import clear_failure, find_failure, list_failures, record_failure
from imagerag_assets.scenes.records import (
    SceneRecord,
    find_record,
    list_records,
    load_record,
    overview_key,
    record_key,
    save_record,
)
from imagerag_assets.settings import Settings
from imagerag_assets.stac.keys import clash
from tests.items import scene_at, texture, write_scene

OVERVIEW = np.full((40, 60, 3), 128, np.uint8)


@pytest.fixture
def bare(settings: Settings) -> Platform:
    return Platform(settings)


@pytest.fixture
def record(tmp_path: Path, settings: Settings) -> SceneRecord:
    scene = scene_at(write_scene(tmp_path, "harbour-ä", texture(64, 64), eo_cloud_cover=12.5), settings)
    grid = Grid(64, 64, 'LOCAL_CS["somewhere"]', (0.5, 0.0, 500_000.0, 0.0, -0.5, 5_300_000.1), False)
    render = RenderSpec(((0.0, 1.5), (1e-3, 3000.0), (-7.25, 9.0)), "uint16", "optical", "2-98 %")
    return SceneRecord(scene, grid, render, ("no overviews", "clouds: “many”"))


def named(record: SceneRecord, key: str) -> SceneRecord:
    return replace(record, scene=replace(record.scene, scene_key=key))


def test_a_record_comes_back_equal_with_its_overview(bare: Platform, record: SceneRecord) -> None:
    key = record.scene.scene_key
    save_record(bare, record, OVERVIEW)

    assert load_record(bare, key) == find_record(bare, key) == record
    assert list_records(bare) == [key]
    assert Image.open(io.BytesIO(bare.store.read_bytes(overview_key(key)))).size == (60, 40)


def test_an_overview_without_a_record_is_no_scene(bare: Platform, record: SceneRecord) -> None:
    bare.store.write_bytes(overview_key("half"), b"jpeg")

    assert list_records(bare) == []
    assert find_record(bare, "half") is None


@pytest.mark.parametrize("name", ["harbor-1", "HARBOUR_1", "harbour"])
def test_an_unknown_scene_is_answered_with_similar_ones(bare: Platform, record: SceneRecord, name: str) -> None:
    save_record(bare, named(record, "harbour-1"), OVERVIEW)
    save_record(bare, named(record, "zzz"), OVERVIEW)

    with pytest.raises(UnknownSceneError) as raised:
        load_record(bare, name)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)
    assert ("harbour-1" in str(raised.value)) == (name != "HARBOUR_1" or "Known scenes" in str(raised.value))


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b", ".hidden", "x\ny", "x" * 500, "s3://bucket/x"])
def test_hostile_names_reach_no_path(bare: Platform, name: str) -> None:
    with pytest.raises(UnknownSceneError, match="imagerag ingest") as raised:
        load_record(bare, name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"scene": 3, "grid": {}, "render": {}, "notes": []}'])
def test_a_damaged_record_is_one_line_with_what_to_do(bare: Platform, content: bytes) -> None:
    bare.store.write_bytes(record_key("broken"), content)

    with pytest.raises(StoreError, match="again") as raised:
        load_record(bare, "broken")
    assert "\n" not in str(raised.value)


def test_failures_are_kept_until_cleared_and_the_last_counts(bare: Platform) -> None:
    record_failure(bare, "b", RasterError("image has 1x1 px", href="x.tif", fix="Give a larger one"))
    record_failure(bare, "a", ValueError("first\nsecond"), item_href="s3://bucket/a.json")
    record_failure(bare, "a", KeyError("later"))
    bare.store.write_bytes("failures/odd.json", b"not json")

    first, second = list_failures(bare)
    assert (first.scene, first.type, first.error) == ("a", "KeyError", "KeyError: 'later'")
    assert second.error == "image has 1x1 px [href=x.tif]. Give a larger one"
    assert second.when.endswith("+00:00")

    clear_failure(bare, "a")
    clear_failure(bare, "a")
    assert [failure.scene for failure in list_failures(bare)] == ["b"]


def test_the_failure_of_another_item_of_that_key_is_not_the_scenes(tmp_path: Path, bare: Platform) -> None:
    scene = scene_at(write_scene(tmp_path, "tile", texture(64, 64)), bare.settings)
    register(bare, scene)
    other = "https://host/other/tile.json"
    record_failure(bare, "tile", clash("tile", stored=scene.item_href, refused=other), item_href=other)
    record_failure(bare, "tile", clash("tile", first="a", second="https://host/search"))
    record_failure(bare, "tile", ItemError("it has no assets object", scene="tile"), item_href="https://host/broken")
    assert find_failure(bare, "tile") is None
    addresses = {each.item_href for each in list_failures(bare)}
    assert {each.scene for each in list_failures(bare)} == {"tile"} and addresses == {
        other,
        None,
        "https://host/broken",
    }
    record_failure(bare, "tile", RasterError("image cannot be read"), item_href=scene.item_href)
    assert find_failure(bare, "tile") is not None
    clear_failure(bare, "tile", scene.item_href)
    assert find_failure(bare, "tile") is None and len(list_failures(bare)) == 3
    clear_failure(bare, "elsewhere", other)
    assert len(list_failures(bare)) == 2
