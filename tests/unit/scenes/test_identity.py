"""Items of two sources with one key: one scene, or two."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import ItemError
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.identity import SceneKeys, is_another, refuse_another
from imagerag_assets.scenes.records import recorded_made_notes
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.items import scene_at, texture, write_scene


@pytest.fixture
def bare(settings: Settings) -> Platform:
    return Platform(settings)


@pytest.fixture
def scene(tmp_path: Path, settings: Settings) -> Scene:
    return replace(
        scene_at(write_scene(tmp_path, "tile", texture(64, 64)), settings), source="one", bbox=(10.0, 50.0, 10.1, 50.1)
    )


@pytest.mark.parametrize(
    ("change", "another"),
    [
        ({}, False),
        ({"item_href": "/elsewhere/tile.json"}, False),
        ({"bbox": (10.0004, 50.0, 10.1, 50.0996)}, False),
        ({"bbox": None}, False),
        ({"acquired_at": None}, False),
        ({"acquired_at": None, "bbox": None}, True),
        ({"bbox": (11.5, 50.0, 11.6, 50.1)}, True),
        ({"bbox": (10.08, 50.08, 10.18, 50.18)}, True),
        ({"later": 1}, True),
        ({"collection": "c"}, True),
        ({"item_id": "other"}, True),
    ],
)
def test_place_time_and_id_tell_scenes_of_two_sources_apart(scene: Scene, change: dict, another: bool) -> None:  # type: ignore[type-arg]
    change = {"source": "two", "item_href": "/two/tile.json"} | change
    if change.pop("later", None):
        assert scene.acquired_at is not None
        change["acquired_at"] = scene.acquired_at + timedelta(days=1)
    assert is_another(scene, replace(scene, **change)) is another


def test_a_scene_that_replaces_that_of_another_source_says_so(bare: Platform, scene: Scene) -> None:
    item = scene_at(Path(scene.item_href or ""), bare.settings)
    register(bare, item)
    assert refuse_another(bare, item) is None
    moved = replace(item, source="two", item_href="/two/tile.json")
    assert register(bare, moved).notes[-1].startswith(f"Replaced the scene of {item.item_href}")
    (note,) = recorded_made_notes(bare, moved)
    assert note.startswith("Replaced the scene of ")
    with pytest.raises(ItemError, match=r"same collection and id .*stored=/two/tile.json"):
        register(bare, replace(item, bbox=None, acquired_at=None))


def test_a_source_may_correct_its_item(scene: Scene) -> None:
    assert not is_another(scene, replace(scene, bbox=(0.0, 0.0, 0.1, 0.1), acquired_at=None))


def test_boxes_across_the_antimeridian_are_compared_as_they_lie(scene: Scene) -> None:
    across = replace(scene, bbox=(179.9, 10.0, -179.9, 10.2))
    assert not is_another(across, replace(across, source="two", item_href=None, bbox=(179.9001, 10.0, -179.9001, 10.2)))
    assert is_another(across, replace(across, source="two", item_href=None, bbox=(-0.1, 10.0, 0.1, 10.2)))


def test_items_that_share_a_plain_key_get_two_that_stay(tmp_path: Path) -> None:
    """`b` of collection `a` and `a.b` without one: the first has the plain key, whatever comes first later."""
    settings = load_settings(home=tmp_path / "home", _env_file=None)
    write_scene(tmp_path / "in", "one", texture(64, 64))
    item = json.loads((tmp_path / "in" / "one.json").read_text())
    pair = [item | {"id": "b", "collection": "a"}, item | {"id": "a.b"}]

    def keys(platform: Platform, order: list[dict[str, Any]]) -> dict[tuple[str | None, str], str]:
        source = tmp_path / "in" / "items.json"
        source.write_text(json.dumps({"type": "FeatureCollection", "stac_version": "1.0.0", "features": order}))
        found = {}
        own = SceneKeys(platform)
        for scene in find_scenes(str(source), settings):
            assert isinstance(scene, Scene), scene.error
            scene = own.own(scene)
            platform.store.write_json(f"sources/{scene.scene_key}.json", scene.to_dict())
            found[scene.identity] = scene.scene_key
        return found

    with Platform(settings) as platform:
        first = keys(platform, pair)
        assert first["a", "b"] == "a.b"
        assert first[None, "a.b"].startswith("a.b-")
        assert keys(platform, pair[::-1]) == first
        assert keys(platform, pair[1:]) == {(None, "a.b"): first[None, "a.b"]}


def test_keys_that_differ_only_by_case_get_two_that_stay(scene: Scene, tmp_path: Path) -> None:
    port, upper = (replace(scene, item_id=name, scene_key=name) for name in ("port", "Port"))
    with Platform(load_settings(home=tmp_path / "home", _env_file=None)) as platform:
        keys = SceneKeys(platform)
        assert keys.own(port).scene_key == "port"
        other = keys.own(upper)
        assert re.fullmatch("Port-[0-9a-f]{12}", other.scene_key)
        assert keys.own(port).scene_key == "port"
        assert SceneKeys(platform, lambda: ["port"]).own(upper) == other
        platform.store.write_json("sources/port.json", port.to_dict())
        assert SceneKeys(platform).own(upper) == other
        platform.store.write_json(f"sources/{other.scene_key}.json", other.to_dict())
        platform.store.delete("sources/port.json")  # purged: the other one keeps its key
        assert SceneKeys(platform).own(upper) == other
