"""What an item must have, what is passed over where it is wrong, and how its failure reads."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from imagerag_assets.errors import ItemError, SettingsError, StoreError, error_of_item
from imagerag_assets.stac.item_model import DEEPEST, checked
from imagerag_assets.stac.item_refs import ItemRef

ITEM: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "a",
    "geometry": None,
    "bbox": [1, 2, 3, 4],
    "properties": {"datetime": "2024-01-01T00:00:00Z", "eo:cloud_cover": 3},
    "assets": {"red": {"href": "./r.tif", "roles": ["data"], "eo:bands": [{"name": "red"}], "gsd": 10}},
    "links": [],
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_right_item_is_returned_as_it_is() -> None:
    notes: list[str] = []
    assert checked(ITEM, notes) == ITEM
    assert notes == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "Feature "}, "its type is 'Feature ' (input should be 'Feature')"),
        ({"type": None}, "its type is None"),
        ({"assets": [1]}, "it has no assets object"),
        ({"assets": {"red": None}}, "asset red has no href"),
        ({"assets": {"red": {"href": 7}}}, "asset red has no href"),
        ({"assets": {"red": {"href": ""}}}, "asset red has no href"),
        ({"assets": {"red": {"href": "a\0b"}}}, "the href of asset red has control characters"),
        ({"assets": {"red": {"href": "x" * 10_001}}}, "the href of asset red: Value error, longer than 10,000"),
        ({"assets": {str(n): {"href": "x"} for n in range(10_001)}}, "assets: "),
        ({"properties": 7}, "its properties are not an object"),
        ({"properties": {"datetime": 2024}}, "its datetime is 2024"),
        ({"properties": {"start_datetime": []}}, "its start_datetime is []"),
        ({"id": "x" * 10_001}, "its id is 'xxx"),
        ({"anything": nested(DEEPEST)}, f"it is nested more than {DEEPEST} levels deep"),
    ],
)
def test_what_an_item_needs(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ItemError) as caught:
        checked(ITEM | change, [])
    assert said in caught.value.message
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        ({"stac_extensions": "proj"}, "stac_extensions 'proj'"),
        ({"geometry": [1]}, "geometry [1]"),
        ({"bbox": "1,2,3,4"}, "bbox '1,2,3,4'"),
        ({"collection": {"id": "c"}}, "collection {'id': 'c'}"),
        ({"properties": {"datetime": None, "instruments": "msi"}}, "instruments 'msi'"),
        ({"assets": {"red": {"href": "x", "roles": [1]}}}, "roles of asset red [1]"),
        ({"assets": {"red": {"href": "x", "eo:bands": {"name": "red"}}}}, "eo:bands of asset red {'name': 'red'}"),
        ({"assets": {"red": {"href": "x", "type": ["image/tiff"]}}}, "type of asset red ['image/tiff']"),
    ],
)
def test_what_is_passed_over(change: dict[str, Any], noted: str) -> None:
    content, notes = deepcopy(ITEM) | change, []  # type: ignore[var-annotated]
    before = json.dumps(content)
    item = checked(content, notes)
    assert notes == [f"{noted} cannot be used: passed over"]
    assert json.dumps(content) == before
    assert checked(item, []) == item


def test_a_thousand_wrong_fields_are_a_few_notes() -> None:
    notes: list[str] = []
    checked(ITEM | {"assets": {str(n): {"href": "x", "roles": 7} for n in range(1_000)}}, notes)
    assert len(notes) == 6
    assert notes[-1] == "995 more fields of the item cannot be used: passed over"


def test_what_providers_write_is_fine() -> None:
    notes: list[str] = []
    asset = {
        "href": "x",
        "roles": "data",
        "title": None,
        "type": None,
        "gsd": "10",
        "bands": None,
        "proj:epsg": "32631",
    }
    checked(ITEM | {"assets": {"red": asset}, "collection": None, "stac_extensions": None, "bbox": None}, notes)
    without = {name: value for name, value in ITEM.items() if name in ("type", "id", "assets")}
    checked(without, notes)
    assert notes == []


def test_numbers_that_json_does_not_have_become_null() -> None:
    item = checked(json.loads(json.dumps(ITEM | {"bbox": [1e999, float("nan"), 3, 4]})), [])
    assert item["bbox"] == [None, None, 3, 4]
    json.dumps(item, allow_nan=False)


def test_whatever_is_raised_for_an_item_is_its_failure() -> None:
    item = ItemRef(ITEM, "/x/a.json", "/x/a.json")
    failed = item.failed(TypeError("unhashable\x1b[31m"))
    assert (failed.scene_key, failed.item_href) == ("a", "/x/a.json")
    assert "a.json" in str(failed.error)
    assert "TypeError: unhashable\\x1b[31m" in failed.error.message
    known = ItemError("it is wrong")
    assert item.failed(known).error is known


@pytest.mark.parametrize("error", [StoreError("down"), SettingsError("wrong"), MemoryError()])
def test_what_concerns_every_item_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        error_of_item(error)
