from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.ingestion.explain import explain
from imagerag_assets.ingestion.ingest import ingest_scene, register
from imagerag_assets.installation.platform import Platform
from tests.items import scene_at, texture, write_item, write_scene


def test_each_scene_is_told_apart_and_nothing_is_written(tmp_path: Path, platform: Platform) -> None:
    folder, settings = tmp_path / "source", platform.settings
    folder.mkdir()
    items = {name: write_scene(folder, name, texture(300, 400)) for name in ("current", "changed", "waiting", "fresh")}
    for name in ("current", "changed"):
        assert ingest_scene(platform, scene_at(items[name], settings)).status == "ingested"
    register(platform, scene_at(items["waiting"], settings))
    write_scene(folder, "changed", texture(300, 800, seed=1))
    write_item(folder / "gone.json", "./gone.tif")
    state = {key: platform.store.version(key) for key in platform.store.list()}
    found = explain(platform, str(folder)).to_dict()

    scenes = {each["scene"]: each for each in found["scenes"]}
    assert {name: each["state"] for name, each in scenes.items()} == {
        "changed": "changed", "current": "current", "fresh": "new", "gone": "failed", "waiting": "incomplete",
    }  # fmt: skip
    small, wide = platform.recipe.division_for(None).count(400, 300), platform.recipe.division_for(None).count(800, 300)
    assert [scenes[name]["patches"] for name in ("current", "fresh", "waiting", "changed")] == [0, small, small, wide]
    assert scenes["fresh"]["bytes_read"] == (folder / "fresh.tif").stat().st_size
    assert scenes["fresh"]["vector_bytes"] == small * 384 * 4
    assert "gone.tif" in scenes["gone"]["error"]
    totals = found["totals"]
    assert (totals["new"], totals["failed"], totals["patches"]) == (1, 1, 2 * small + wide)
    assert 0 < totals["seconds"] < 3600
    assert {key: platform.store.version(key) for key in platform.store.list()} == state


def test_while_another_encoder_serves_both_are_counted(tmp_path: Path, platform: Platform) -> None:
    item = write_scene(tmp_path / "source", "one", texture(300, 400))
    ingest_scene(platform, scene_at(item, platform.settings))
    found = explain(platform.using("tiny-other"), str(item)).to_dict()
    assert [each["name"] for each in found["encoders"]] == ["tiny-other", "tiny"]
    assert found["scenes"][0]["state"] == "incomplete"
    patches = platform.recipe.division_for(None).count(400, 300)
    assert found["totals"]["patches"] == patches  # the serving one has its shard
    assert 0 < found["totals"]["seconds"] < 3600
    with pytest.raises(SourceError):
        explain(platform, str(tmp_path / "nowhere"))
