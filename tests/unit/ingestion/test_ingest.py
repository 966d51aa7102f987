from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from imagerag_assets.errors import SettingsError, StoreError, UnknownEncoderError, UnknownSceneError
from imagerag_assets.ingestion import ingest
from imagerag_assets.ingestion.embed_scene import scratch
from imagerag_assets.ingestion.ingest import embed, index, ingest_scene, is_current, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import target_of
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.records import load_record
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.items import ACQUIRED, scene_at, texture, write_scene


def state(platform: Platform) -> dict[str, str]:
    """Every object and when it was written."""
    return {key: platform.store.version(key) for key in platform.store.list()}


def rows_of(platform: Platform, scene: str) -> list[str]:
    """Patch ids of a scene that can be searched, sorted."""
    found = platform.vectors.query("patches", Filter().scene_in([scene]), ["patch_id"])
    return sorted(row["patch_id"] for row in found)


@pytest.fixture
def add(tmp_path: Path, platform: Platform) -> Callable[..., object]:
    """Write a scene and ingest it."""

    def write_and_ingest(name: str, height: int = 300, width: int = 400, seed: int = 0, **properties: object) -> object:
        item = write_scene(tmp_path, name, texture(height, width, seed), **properties)
        return ingest_scene(platform, scene_at(item, platform.settings))

    return write_and_ingest


def test_ingesting_makes_record_shard_and_rows_and_again_changes_nothing(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_at(write_scene(tmp_path, "port", texture(600, 900), eo_cloud_cover=25.0), platform.settings)
    steps: list[tuple[int, int, str]] = []
    result = ingest_scene(platform, scene, lambda *step: steps.append(step))
    patches = platform.recipe.division_for(None).count(900, 600)

    assert (result.status, result.patches, result.error) == ("ingested", patches, None)
    assert set(result.to_dict()) == {"scene", "status", "patches", "seconds", "error", "note"}
    assert steps[-1] == (len(steps), len(steps), "embedding port")
    shard = read_shard(platform.store, list_shards(platform.store)[0].path)
    assert sorted(shard.column("patch_id").to_pylist()) == rows_of(platform, "port")
    assert set(shard.column("cloud_fraction").to_pylist()) == {0.25}
    assert set(shard.column("acquired_at").to_pylist()) == {int(ACQUIRED.timestamp() * 1000)}
    fine = shard.filter(np.asarray(shard.column("level")) == 0)
    bounds = [min(fine["west"].to_pylist()), min(fine["south"].to_pylist()), max(fine["east"].to_pylist())]
    np.testing.assert_allclose(bounds, scene.bbox[:3] if scene.bbox else None, atol=2e-5)

    before = state(platform)
    monkeypatch.setattr(ingest, "register", None)
    again = ingest_scene(platform, scene)
    assert (again.status, again.patches) == ("skipped", patches)
    assert is_current(platform, scene)
    assert state(platform) == before
    assert not list((platform.settings.home / "scratch" / "embed").iterdir())


def test_a_changed_scene_leaves_no_old_rows_or_shards(platform: Platform, add: Callable[..., object]) -> None:
    add("field", 300, 900)
    before, old = rows_of(platform, "field"), list_shards(platform.store)
    result = add("field", 300, 400, seed=1)
    now, new = rows_of(platform, "field"), list_shards(platform.store)

    assert getattr(result, "status", "") == "ingested"
    assert len(now) < len(before)
    assert len(old) == len(new) == 1
    assert old[0].path != new[0].path
    assert sorted(read_shard(platform.store, new[0].path).column("patch_id").to_pylist()) == now


def test_a_scene_of_another_source_never_replaces_one_with_the_same_id(tmp_path: Path, platform: Platform) -> None:
    there = {"transform": from_origin(600_000, 5_300_000, 0.5, 0.5)}
    first = scene_at(write_scene(tmp_path / "one", "tile", texture(300, 300)), platform.settings)
    second = scene_at(write_scene(tmp_path / "two", "tile", texture(300, 300, 1), profile=there), platform.settings)
    assert ingest_scene(platform, first).status == "ingested"
    rows = rows_of(platform, "tile")
    result = ingest_scene(platform, second)
    assert result.status == "failed"
    assert "same collection and id" in (result.error or "")
    assert str(tmp_path / "one") in (result.error or "")
    assert rows_of(platform, "tile") == rows
    assert ingest_scene(platform, first).status == "skipped"
    moved = scene_at(write_scene(tmp_path / "moved", "tile", texture(300, 300)), platform.settings)
    assert ingest_scene(platform, moved).status == "ingested"  # the same place and time, from elsewhere


def test_killed_between_embedding_and_indexing_the_old_rows_are_not_taken_for_the_new(
    tmp_path: Path, platform: Platform, add: Callable[..., object]
) -> None:
    add("lake")
    (ids, old) = (
        rows_of(platform, "lake"),
        platform.vectors.get_rows("patches", rows_of(platform, "lake"), embedding=True),
    )
    changed = scene_at(write_scene(tmp_path, "lake", texture(300, 400, seed=9)), platform.settings)
    register(platform, changed)
    embed(platform, "lake")

    assert not is_current(platform, changed)
    assert ingest_scene(platform, changed).status == "ingested"
    assert rows_of(platform, "lake") == ids
    new = platform.vectors.get_rows("patches", ids, embedding=True)
    assert not np.allclose(old[0]["embedding"], new[0]["embedding"])
    assert len(list_shards(platform.store)) == 1


def test_rows_lost_in_milvus_come_back_from_the_shard(
    tmp_path: Path, platform: Platform, add: Callable[..., object]
) -> None:
    add("hill")
    rows, shards = rows_of(platform, "hill"), state(platform)
    platform.vectors.delete("patches", rows[::2])
    scene = scene_at(tmp_path / "hill.json", platform.settings)

    assert not is_current(platform, scene)
    assert ingest_scene(platform, scene).status == "ingested"
    assert rows_of(platform, "hill") == rows
    assert state(platform) == shards


def test_a_scene_that_fails_keeps_its_rows_and_says_why_until_it_works(
    tmp_path: Path, platform: Platform, add: Callable[..., object]
) -> None:
    add("road")
    rows, shards = rows_of(platform, "road"), list_shards(platform.store)
    raster = tmp_path / "road.tif"
    whole = raster.read_bytes()
    raster.write_bytes(whole[: len(whole) // 2])
    broken = scene_at(tmp_path / "road.json", platform.settings)
    result = ingest_scene(platform, broken)

    assert (result.status, result.patches) == ("failed", 0)
    assert result.error
    assert "road.tif" in result.error
    assert "\n" not in result.error
    assert rows_of(platform, "road") == rows
    assert list_shards(platform.store) == shards
    (failure,) = list_failures(platform)
    assert (failure.scene, failure.error, failure.type) == ("road", result.error, "RasterError")
    assert failure.item_href == str(tmp_path / "road.json")

    raster.write_bytes(whole)
    assert ingest_scene(platform, scene_at(tmp_path / "road.json", platform.settings)).status == "ingested"
    assert list_failures(platform) == []
    assert rows_of(platform, "road") == rows


def test_mostly_empty_patches_are_not_embedded_and_an_empty_rest_is_no_error(
    tmp_path: Path, platform: Platform
) -> None:
    pixels = texture(512, 1024) | 1
    pixels[:, :, 256:] = 0
    item = write_scene(tmp_path, "edge", pixels, profile={"nodata": 0})
    result = ingest_scene(platform, scene_at(item, platform.settings))
    shard = read_shard(platform.store, list_shards(platform.store)[0].path)

    assert result.status == "ingested"
    assert 0 < result.patches < platform.recipe.division_for(None).count(1024, 512) / 2
    assert result.note is None
    assert min(shard.column("valid_fraction").to_pylist()) >= 0.5
    assert max(shard.filter(np.asarray(shard.column("level")) == 0).column("x0").to_pylist()) == 192


def test_another_encoder_and_division_stand_beside_and_do_not_take_the_alias(
    platform: Platform, add: Callable[..., object]
) -> None:
    add("quay")
    left = scratch(platform, target_of(platform).key(load_record(platform, "quay")))  # as a killed run leaves it
    left.mkdir(parents=True)
    assert embed(platform, "quay").skipped
    assert not left.exists()
    active = platform.vectors.alias_target("patches")
    for target in (target_of(platform, "tiny-other"), target_of(platform, division="grid")):
        assert not embed(platform, "quay", target=target).skipped
        result = index(platform, "quay", target=target)
        assert result.alias is None
        assert result.collection != active
        assert index(platform, "quay", target=target).skipped

    assert platform.vectors.alias_target("patches") == active
    assert len(list_shards(platform.store)) == len(platform.vectors.list_collections()) == 3


def test_what_is_missing_is_said_in_one_line(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(UnknownSceneError):
        embed(platform, "nowhere")
    scene = scene_at(write_scene(tmp_path, "new", texture(80, 80)), platform.settings)
    register(platform, scene)
    assert load_record(platform, "new").scene == scene
    with pytest.raises(StoreError, match="imagerag ingest"):
        index(platform, "new")
    with pytest.raises(UnknownEncoderError):
        embed(platform, "new", target=target_of(platform, "nonsuch"))
    with pytest.raises(SettingsError, match="spiral"):
        embed(platform, "new", target=target_of(platform, division="spiral"))


def test_settings_that_no_scene_can_be_ingested_with_are_raised(tmp_path: Path, platform: Platform) -> None:
    scene = scene_at(write_scene(tmp_path, "any", texture(80, 80)), platform.settings)
    with (
        Platform(platform.settings.model_copy(update={"encoder": "nonsuch"})) as other,
        pytest.raises(UnknownEncoderError, match="nonsuch"),
    ):
        ingest_scene(other, scene)
