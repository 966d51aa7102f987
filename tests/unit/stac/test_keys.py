from __future__ import annotations

import pytest

from imagerag_assets.errors import ItemError
from imagerag_assets.stac.keys import is_scene_key, safe_key, scene_key


@pytest.mark.parametrize(
    ("collection", "item_id", "key"),
    [
        (None, "mosaic-0001", "mosaic-0001"),
        ("", "mosaic-0001", "mosaic-0001"),
        ("sentinel-2-l2a", "S2A_T07HFE", "sentinel-2-l2a.S2A_T07HFE"),
        (None, "2024-02-15_UMBRA-06_GEC.tif", "2024-02-15_UMBRA-06_GEC.tif"),
        (None, "x" * 200, "x" * 200),
        (None, "a..b", "a..b"),
    ],
)
def test_plain_ids_keep_their_name(collection: str | None, item_id: str, key: str) -> None:
    assert scene_key(collection, item_id) == key


@pytest.mark.parametrize("item_id", ["", None, 7, ["a"]])
def test_what_is_no_text_is_refused_in_one_line(item_id: str) -> None:
    with pytest.raises(ItemError) as caught:
        scene_key(None, item_id)
    assert "item id" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert is_scene_key(safe_key(item_id))


@pytest.mark.parametrize(
    "item_id", ["../../etc/passwd", "item/with/slashes", "17/0313/1030", "a\\b", "..", ".", ".hidden", "/", "//"]
)
def test_no_id_leads_out_of_its_folder(item_id: str) -> None:
    key = scene_key(None, item_id)
    assert is_scene_key(key)
    assert key not in ("..", ".")
    assert key != scene_key("c", item_id)


@pytest.mark.parametrize(
    "item_id",
    [
        "São Paulo",
        "sao paulo",
        "urn:x:1",
        "x" * 201,
        "é",
        "衛星",
        "a b",
        "%41",
        " ",
        "a\x00b",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200d",
        "\ud800",
    ],
)
def test_odd_ids_become_safe_stable_keys(item_id: str) -> None:
    key = scene_key(None, item_id)
    assert is_scene_key(key)
    assert key == scene_key("", item_id)
    assert key != item_id


def test_ids_that_look_alike_when_made_safe_stay_apart() -> None:
    ids = [
        "a b",
        "a_b",
        "a/b",
        "a\\b",
        "/a/b",
        "hidden",
        ".hidden",
        "..hidden",
        "a:b",
        "a  b",
        "A b",
        "x" * 201,
        "x" * 202,
        "衛星",
        "衛生",
    ]
    assert len({scene_key(None, item_id) for item_id in ids}) == len(ids)
    assert scene_key("a/b", "c") != scene_key("a_b", "c")
    assert is_scene_key(scene_key("../x", "c"))
