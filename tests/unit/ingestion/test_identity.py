"""Settings that decide vectors: changed ones make scenes stale, and never mix into the collection in use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.encoder_switch.backfill import backfill, make_plan
from imagerag_assets.encoder_switch.switching import rollback
from imagerag_assets.ingestion.explain import explain
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.ingestion.rates import patches_per_second
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving, target_of
from imagerag_assets.installation.status import status
from imagerag_assets.patches import recipe
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.records import load_record
from imagerag_assets.settings import Settings
from imagerag_assets.stores.collection_meta import CollectionMeta
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shard_info import Made, ShardInfo
from imagerag_assets.stores.shards import iter_batches, list_shards, read_shard, shard_info
from tests.items import scene_at, texture, write_scene


@pytest.fixture
def default_settings(tiny_settings: Settings) -> Settings:
    """The tiny encoder with the default division."""
    return tiny_settings.model_copy(update={"patch_px": 256})


@pytest.fixture
def installed(default_settings: Settings) -> Callable[..., Any]:
    """Open the installation with some settings changed."""

    @contextmanager
    def opened(**changes: object) -> Iterator[Platform]:
        with Platform(default_settings.model_copy(update=changes)) as platform:
            yield platform

    return opened


def sides(platform: Platform, scene: str, collection: str = "patches") -> set[int]:
    """Sides of the finest patches of a scene, in pixels."""
    rows = platform.vectors.query(collection, Filter().scene_in([scene]).one_of("level", [0]), ["x0", "x1"])
    return {row["x1"] - row["x0"] for row in rows}


def deep(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint16 (3, h, w), which is stretched."""
    return texture(height, width, seed).astype(np.uint16) * 37


CHANGES: list[dict[str, object]] = [
    {"patch_px": 192},
    {"patch_overlap": 0.25},
    {"min_valid_fraction": 0.1},
    {"stretch_percentiles": (10.0, 90.0)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_changed_setting_is_never_skipped(
    tmp_path: Path, installed: Callable[..., Any], change: dict[str, object]
) -> None:
    item = write_scene(tmp_path, "port", deep(300, 700))
    with installed() as platform:
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "ingested"
    with installed(**change) as platform:
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "ingested"
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "skipped"


def test_patches_of_another_size_do_not_join_the_collection_in_use(
    tmp_path: Path, installed: Callable[..., Any]
) -> None:
    first, second = (write_scene(tmp_path, name, texture(300, 700, seed)) for seed, name in enumerate(("one", "two")))
    with installed() as platform:
        ingest_scene(platform, scene_at(first, platform.settings))
    with installed(patch_px=192) as platform:
        assert ingest_scene(platform, scene_at(second, platform.settings)).error is None
        assert sides(platform, "one") == {256}
        assert sides(platform, "two") == {256}


def test_another_version_of_the_code_makes_scenes_stale_and_leaves_the_collection_in_use(
    tmp_path: Path, installed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (scene_item(tmp_path, name, seed) for seed, name in enumerate(("old", "new")))
    with installed() as platform:
        assert ingest_scene(platform, scene_at(old, platform.settings)).note is None
        before = platform.vectors.alias_target("patches")
    monkeypatch.setattr(recipe, "CODE_VERSION", "2")
    with installed() as platform:
        assert status(platform)["stale_scenes"] == ["old"]
        result = ingest_scene(platform, scene_at(new, platform.settings))
        assert (result.status, platform.vectors.alias_target("patches")) == ("ingested", before)
        assert platform.vectors.count("patches", Filter().scene_in(["new"])) == 0
        assert result.note is not None
        assert re.match("Questions cannot find the scene yet: version 1 of the code .* imagerag backfill", result.note)
        again = ingest_scene(platform, scene_at(new, platform.settings))
        assert (again.status, again.note) == ("skipped", result.note)
        assert ingest_scene(platform, scene_at(old, platform.settings)).note is None  # it is there as it was

        done = backfill(platform)
        assert done.switched is not None, done.to_dict()
        assert done.after == f"{before}_pyramid_c2"
        assert platform.vectors.count("patches", Filter().scene_in(["new"])) == result.patches
        assert ingest_scene(platform, scene_at(new, platform.settings)).note is None
        assert status(platform)["stale"] == 0


def scene_item(folder: Path, name: str, seed: int = 0) -> Path:
    return write_scene(folder, name, deep(300, 700, seed))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_changed_settings_are_embedded_beside_and_a_backfill_switches_to_them(
    tmp_path: Path, installed: Callable[..., Any], change: dict[str, object]
) -> None:
    with installed() as platform:
        for seed, name in enumerate(("one", "two")):
            ingest_scene(platform, scene_at(scene_item(tmp_path, name, seed), platform.settings))
        before = platform.vectors.alias_target("patches")
        assert before == f"patches_{platform.fingerprint[:16]}"
        vectors = shard_vectors(platform)
    with installed(**change) as platform:
        assert status(platform)["stale_scenes"] == ["one", "two"]
        costs = explain(platform, str(tmp_path / "one.json"))
        assert (costs.scenes[0].state, costs.scenes[0].cost.patches > 0) == ("incomplete", True)
        plan = make_plan(platform)
        assert (plan.to_do, plan.before) == (("one", "two"), before)
        assert plan.collection != before

        # A scene that comes before the backfill: in both collections, each time as that collection's settings say.
        third = scene_at(scene_item(tmp_path, "three", 7), platform.settings)
        assert ingest_scene(platform, third).note is None
        shards = list_shards(platform.store, scene_key="three")
        assert {shard.division_key for shard in shards} == {"pyramid", platform.recipe.key}
        serving = find_serving(platform)
        assert serving is not None
        assert serving.platform.settings.stretch_percentiles == (2.0, 98.0)
        for target in (target_of(platform), serving.target):
            info = shard_info(platform.store, target.key(load_record(platform, "three")))
            assert info.made.follows(target.recipe)
            assert platform.vectors.count(target.collection, Filter().scene_in(["three"])) == info.rows > 0

        done = backfill(platform, force=True)
        assert done.switched is not None, done.to_dict()
        assert done.after == platform.vectors.alias_target("patches") == plan.collection
        assert status(platform)["stale"] == 0
        assert ask(platform, Question("where is a boat?", answer=False, path="fast")).path
    with installed() as platform:  # what there was is as it was
        assert shard_vectors(platform) == vectors | shard_vectors(platform, "three")
        assert rollback(platform).after["patches"] == before
        assert status(platform)["stale"] == 0


def shard_vectors(platform: Platform, *scenes: str) -> dict[str, bytes]:
    """The vectors of each shard with the default settings."""
    shards = list_shards(platform.store, division_key="pyramid")
    chosen = [shard.path for shard in shards if not scenes or shard.scene_key in scenes]
    return {path: embeddings_of(read_shard(platform.store, path)).tobytes() for path in chosen}


def test_the_serving_collections_percentiles_hold_for_scenes_that_come_later(
    tmp_path: Path, installed: Callable[..., Any]
) -> None:
    items = [scene_item(tmp_path, name, seed) for seed, name in enumerate(("one", "two"))]
    with installed(home=tmp_path / "plain") as platform:
        for item in items:
            ingest_scene(platform, scene_at(item, platform.settings))
        expected = shard_vectors(platform)
    with installed() as platform:
        ingest_scene(platform, scene_at(items[0], platform.settings))
        with Viewer(platform) as viewer:
            seen = viewer.read("one", (0, 0, 256, 256), 0)
    with installed(stretch_percentiles=(10.0, 90.0)) as platform:
        for item in items:
            ingest_scene(platform, scene_at(item, platform.settings))
        with Viewer(platform) as viewer:  # a question looks again at what its collection was made of
            np.testing.assert_array_equal(viewer.read("one", (0, 0, 256, 256), 0), seen)
        assert shard_vectors(platform) == expected
        (other,) = list_shards(platform.store, scene_key="two", division_key="pyramid-s10_90")
        assert embeddings_of(read_shard(platform.store, other.path)).tobytes() not in expected.values()


def test_a_collection_of_an_older_version_cut_with_other_sizes_is_moved_without_embedding(
    tmp_path: Path, installed: Callable[..., Any]
) -> None:
    """Older versions named it by the division alone; its shards say how it was cut."""
    item, later = scene_item(tmp_path, "one"), scene_item(tmp_path, "two", 5)
    with installed(patch_px=192) as platform:
        ingest_scene(platform, scene_at(item, platform.settings))
        vectors, (shard,) = platform.vectors, list_shards(platform.store)
        new = platform.vectors.alias_target("patches")
        older = CollectionMeta("patches", platform.fingerprint, 384, Recipe(), assumed=True)
        vectors._create(older)
        vectors.replace_scene(older.name, "one", iter_batches(platform.store, shard.path))
        vectors.point_alias("patches", older.name)
        vectors.drop(new)

        serving = find_serving(platform)
        assert serving is not None
        assert (serving.collection, serving.target.recipe.key) == (older.name, "pyramid-p192-o0.5")
        result = ingest_scene(platform, scene_at(later, platform.settings))
        assert sides(platform, "two") == {192}
        assert {each.division_key for each in list_shards(platform.store)} == {"pyramid-p192-o0.5"}
        done = backfill(platform)
        assert done.switched is not None, done.to_dict()
        assert (done.patches, done.after) == (0, new)
        assert platform.vectors.count("patches", Filter().scene_in(["two"])) == result.patches


def test_a_shard_of_an_older_version_stays_current_under_the_default_settings(
    tmp_path: Path, installed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = None
    added = ("min_valid_fraction", "stretch_percentiles", "code_version", "render", "stored_at", "seconds")
    said = ShardInfo.to_json
    with monkeypatch.context() as older, installed() as platform:
        older.setattr(
            ShardInfo,
            "to_json",
            lambda info: json.dumps({name: v for name, v in json.loads(said(info)).items() if name not in added}),
        )
        scene = scene_at(scene_item(tmp_path, "one"), platform.settings)
        ingest_scene(platform, scene)
        (shard,) = list_shards(platform.store)
        assert shard_info(platform.store, shard.path).made == Made()
    with installed() as platform:
        assert ingest_scene(platform, scene).status == "skipped"
        assert status(platform)["stale"] == 0
    with installed(min_valid_fraction=0.1) as platform:
        assert ingest_scene(platform, scene).status == "ingested"


def test_overviews_are_built_once_for_all_encoders(
    tmp_path: Path, installed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    build = SceneReader._build
    monkeypatch.setattr(
        SceneReader, "_build", lambda self, file, vrt: (built.append(file.href), build(self, file, vrt))
    )
    with installed() as platform:
        ingest_scene(platform, scene_at(write_scene(tmp_path, "one", texture(800, 800)), platform.settings))
    assert len(built) == 1
    with installed(encoder="tiny-other") as platform:
        result = ingest_scene(platform, scene_at(write_scene(tmp_path, "two", texture(800, 800, 3)), platform.settings))
        assert len(list_shards(platform.store, scene_key="two")) == 2
        assert (result.status, len(built)) == ("ingested", 2)
        assert not list((platform.settings.home / "scratch" / "overviews").iterdir())


def test_rates_come_from_the_newest_shards(tmp_path: Path, installed: Callable[..., Any]) -> None:
    with installed() as platform:
        target = target_of(platform)
        platform.store.write_json(f"rates/{target.fingerprint[:16]}/pyramid.json", {"patches": 100.0, "seconds": 4.0})
        assert patches_per_second(platform, target) == 25.0  # as an older version kept it
        for seed in range(5):
            ingest_scene(platform, scene_at(scene_item(tmp_path, f"s{seed}", seed), platform.settings))
        newest = [shard_info(platform.store, shard.path) for shard in list_shards(platform.store)][-3:]
        seconds = sum(info.made.seconds or 0 for info in newest)
        assert patches_per_second(platform, target) == pytest.approx(sum(info.rows for info in newest) / seconds)
