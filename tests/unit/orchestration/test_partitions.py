"""Scenes become partitions together with what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from imagerag_assets.errors import ItemError, StoreError, UnknownSceneError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.partitions import SCENES_NAME, add_partition, find_partition_scene, partition_scene
from imagerag_assets.scenes.removed import is_removed, mark_removed
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Band, Imagery, Scene


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings) as platform:
        yield platform


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def scene() -> Scene:
    bands = tuple(Band("image", "/data/image.tif", index) for index in (1, 2, 3))
    return Scene(
        scene_key="C.one",
        item_id="one",
        collection="C",
        source="/data",
        item_href="/data/one.json",
        version="0a",
        acquired_at=None,
        bbox=None,
        geometry=None,
        imagery=Imagery(bands, "optical", ("image",)),
        cloud_cover=None,
    )


def test_an_announced_scene_is_a_partition_that_stands_for_it(
    platform: Platform, instance: dg.DagsterInstance, scene: Scene
) -> None:
    add_partition(platform, instance, scene)
    add_partition(platform, instance, scene)
    assert instance.get_dynamic_partitions(SCENES_NAME) == ["C.one"]
    assert partition_scene(platform, "C.one") == scene


def test_a_changed_item_replaces_what_was_known(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> None:
    add_partition(platform, instance, scene)
    changed = replace(scene, version="0b")
    add_partition(platform, instance, changed)
    assert partition_scene(platform, "C.one") == changed
    assert instance.get_dynamic_partitions(SCENES_NAME) == ["C.one"]


@pytest.mark.parametrize("key", ["", "unknown", "../../etc/passwd", "a\nb", ".hidden", "x" * 300])
def test_a_key_typed_by_hand_stands_for_nothing(platform: Platform, key: str) -> None:
    with pytest.raises(UnknownSceneError, match="No source has a scene for this partition"):
        partition_scene(platform, key)


def test_a_key_that_is_no_scene_key_is_refused(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> None:
    with pytest.raises(StoreError, match="not a scene key"):
        add_partition(platform, instance, replace(scene, scene_key="a/b"))
    assert instance.get_dynamic_partitions(SCENES_NAME) == []


def test_a_key_that_differs_only_by_case_is_refused(
    platform: Platform, instance: dg.DagsterInstance, scene: Scene
) -> None:
    add_partition(platform, instance, scene)
    with pytest.raises(ItemError, match=r"only by upper and lower case \[scene=c.ONE\] \[other=C.one\]"):
        add_partition(platform, instance, replace(scene, scene_key="c.ONE"))
    assert instance.get_dynamic_partitions(SCENES_NAME) == ["C.one"]
    assert find_partition_scene(platform, "c.ONE") is None


def test_an_announced_scene_is_there_again(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> None:
    mark_removed(platform, scene.scene_key)
    add_partition(platform, instance, scene)
    assert not is_removed(platform, scene.scene_key)


def test_an_entry_of_another_version_is_replaced(
    platform: Platform, instance: dg.DagsterInstance, scene: Scene
) -> None:
    platform.store.write_json("sources/C.one.json", {"scene_key": "C.one", "version": 0})
    assert find_partition_scene(platform, "C.one") is None
    add_partition(platform, instance, scene)
    assert partition_scene(platform, "C.one") == scene
