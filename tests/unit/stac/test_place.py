"""The projection extension in the spellings of its versions, at the asset and at the item."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagerag_assets.stac.place import item_place
from imagerag_assets.stac.types import Band, Imagery, ItemPlace, Scene
from tests.unit.raster.scenes import scene_of

TRANSFORM = [10, 0, 500_000, 0, -10, 5_300_000]
SIX = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)


@pytest.mark.parametrize(
    ("fields", "crs"),
    [
        ({"proj:code": "EPSG:32633"}, "EPSG:32633"),
        ({"proj:code": "IAU_2015:49900"}, "IAU_2015:49900"),
        ({"proj:epsg": 32633}, "EPSG:32633"),
        ({"proj:epsg": "32633"}, "EPSG:32633"),
        ({"proj:epsg": "epsg:32633"}, "EPSG:32633"),
        ({"proj:epsg": 32633.0}, "EPSG:32633"),
        ({"proj:epsg": None, "proj:wkt2": 'PROJCRS["x"]'}, 'PROJCRS["x"]'),
        ({"proj:projjson": {"type": "ProjectedCRS"}}, '{"type": "ProjectedCRS"}'),
        ({"proj:code": "EPSG:4326", "proj:epsg": 32633}, "EPSG:4326"),
    ],
)
def test_a_crs_in_any_spelling(fields: dict[str, Any], crs: str) -> None:
    assert item_place(fields, {}) == ItemPlace(crs)
    assert item_place({}, fields) == ItemPlace(crs)


def test_numbers_may_be_words() -> None:
    fields = {"proj:transform": [str(value) for value in TRANSFORM], "proj:shape": ["80", "120"]}
    assert item_place(fields, {}) == ItemPlace(None, SIX, None, (80, 120))
    assert item_place({"proj:bbox": ["1", "2", "3", "four"]}, {}) is None


def test_the_asset_comes_before_the_item() -> None:
    of_item = {"proj:epsg": 32633, "proj:transform": TRANSFORM, "proj:shape": [80, 120]}
    assert item_place({}, of_item) == ItemPlace("EPSG:32633", SIX, None, (80, 120))
    of_asset = {"proj:shape": [40, 60], "proj:transform": [20, *TRANSFORM[1:], 0, 0, 1]}
    assert item_place(of_asset, of_item) == ItemPlace("EPSG:32633", (20.0, *SIX[1:]), None, (40, 60))
    # The item's transform is of another grid than an asset of another size.
    assert item_place({"proj:shape": [40, 60]}, of_item) == ItemPlace("EPSG:32633", None, None, (40, 60))
    assert item_place({"proj:shape": [80, 120]}, of_item) == ItemPlace("EPSG:32633", SIX, None, (80, 120))
    with_heights = {"proj:bbox": [1, 2, -5, 3, 4, 9]}
    assert item_place(with_heights, {}) == ItemPlace(bbox=(1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"proj:epsg": None}, {"proj:epsg": True}, {"proj:epsg": "Mercator"}, {"proj:code": 5},
        {"proj:code": "EPSG:1; DROP"}, {"proj:transform": [1, 2, 3]}, {"proj:transform": "unit"},
        {"proj:transform": [10, 0, float("nan"), 0, -10, 0]}, {"proj:transform": [10**400, 0, 1, 0, -10, 0]},
        {"proj:shape": [0, 5]}, {"proj:shape": [80]}, {"proj:bbox": [1, 2, 3]}, {"proj:bbox": [None] * 4},
        {"proj:projjson": {}}, {"proj:wkt2": " "},
    ],
)  # fmt: skip
def test_what_is_none_is_left_out(fields: dict[str, Any]) -> None:
    assert item_place(fields, {}) is None


def test_a_scene_keeps_it_and_is_the_same_without() -> None:
    scene = scene_of("a.png")
    place = ItemPlace("EPSG:32633", SIX, (1.0, 2.0, 3.0, 4.0), (80, 120))
    bands = tuple(Band(b.asset_key, b.href, b.index, place=place) for b in scene.imagery.bands)
    placed = Scene(**scene.__dict__ | {"imagery": Imagery(bands, "optical", scene.imagery.asset_keys)})
    read = Scene.from_dict(json.loads(json.dumps(placed.to_dict())))
    assert [band.place for band in read.imagery.bands] == [place] * 3
    assert "place" not in json.dumps(scene.to_dict())
    assert placed == scene  # scenes that were registered before are current
