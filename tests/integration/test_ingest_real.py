"""Real scenes, from a real S3 endpoint and from files, through the whole ingest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.records import load_record, overview_key
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import list_shards
from tests.items import scene_at, write_item
from tests.s3 import S3Endpoint
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401

ITEM = "S2A_T07HFE_20190212T192646_L2A"
FIELDS = ["patch_id", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north", "cloud_fraction"]


@pytest.fixture
def in_s3(
    samples: Path,
    s3_endpoint: S3Endpoint,
    tiny_settings: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> tuple[Settings, Path, str]:
    """Settings with everything in S3, the local path of the item in its bucket, and the address of its folder."""
    for name, value in s3_endpoint.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    bucket = s3_endpoint.root / tmp_path.name.replace("_", "-")
    source = samples / "stactools_sentinel2"
    (safe,) = (source / "tests" / "data-files").glob("*.SAFE")
    folder = bucket / "incoming" / safe.name
    # Their permissions do not matter here, and a read-only copy could not be changed.
    shutil.copytree(safe, folder, copy_function=shutil.copyfile)
    item = folder / f"{ITEM}.json"
    shutil.copyfile(source / "items_expected" / f"{safe.stem}.json", item)
    store = f"s3://{bucket.name}/imagerag"
    changed = {"s3_endpoint_url": s3_endpoint.url, "store": store, "patch_px": 32}
    return tiny_settings.model_copy(update=changed), item, f"s3://{bucket.name}/incoming/{safe.name}"


def rows_of(platform: Platform, scene: str) -> list[dict[str, Any]]:
    return platform.vectors.query("patches", Filter().scene_in([scene]), FIELDS)


def objects(platform: Platform) -> dict[str, str]:
    return {key: platform.store.version(key) for key in platform.store.list()}


def the_scene(source: str, settings: Settings) -> Scene:
    (scene,) = find_scenes(source, settings)
    assert isinstance(scene, Scene), scene
    return scene


def test_sentinel_2_from_s3_to_s3(in_s3: tuple[Settings, Path, str]) -> None:
    settings, item, address = in_s3
    settings = settings.model_copy(update={"min_valid_fraction": 0.01})
    content = json.loads(item.read_text())
    with Platform(settings) as platform:
        scene = the_scene(f"{address}/{ITEM}.json", settings)
        result = ingest_scene(platform, scene)
        rows = rows_of(platform, ITEM)

        assert (result.scene, result.status, result.error) == (ITEM, "ingested", None)
        fine = [row for row in rows if row["level"] == 0]
        assert result.patches == len(rows)
        bounds = [
            min(row["west"] for row in fine), min(row["south"] for row in fine),
            max(row["east"] for row in fine), max(row["north"] for row in fine),
        ]  # fmt: skip
        # A corner of the tile has data: that 0 is none is said by the item alone.
        with rasterio.open(item.parent / content["assets"]["visual"]["href"]) as raster:
            shown = raster.read().any(axis=0)
            whole = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
        assert raster.nodata is None
        assert shown.mean() < 0.05
        starts = range(0, 100 - 32 + 16, 16)
        corners = {(min(x, 68), min(y, 68)) for x in starts for y in starts}
        assert len(fine) == sum(shown[y : y + 32, x : x + 32].mean() >= 0.01 for x, y in corners)
        west, south, east, north = content["bbox"]
        assert whole[0] - 0.02 <= bounds[0] <= west + 0.02 < east <= bounds[2] + 0.02 <= whole[2] + 0.04
        assert whole[1] - 0.02 <= bounds[1] <= south + 0.02 < north <= bounds[3] + 0.02 <= whole[3] + 0.04
        assert {round(row["cloud_fraction"], 4) for row in rows} == {0.5158}

        record = load_record(platform, ITEM)
        assert record.render.identity  # the visual asset is bytes already
        assert record.scene.imagery.hrefs[0].startswith(address)
        assert platform.store.exists(overview_key(ITEM))
        stored = {key.split("/")[0] for key in platform.store.list()}
        assert stored == {"scenes", "patches", "embeddings", "encoders"}

        before = objects(platform)
        assert ingest_scene(platform, the_scene(address, settings)).status == "skipped"
        assert objects(platform) == before

        content["properties"]["eo:cloud_cover"] = 10.0
        item.write_text(json.dumps(content))
        changed = the_scene(address, settings)
        old_shards = list_shards(platform.store)
        assert changed.version != scene.version
        assert ingest_scene(platform, changed).status == "ingested"
        assert {round(row["cloud_fraction"], 4) for row in rows_of(platform, ITEM)} == {0.1}
        assert sorted(row["patch_id"] for row in rows_of(platform, ITEM)) == sorted(row["patch_id"] for row in rows)
        (shard,) = list_shards(platform.store)
        assert shard not in old_shards


def test_sentinel_2_reflectances_are_stretched_alike_in_all_patches(in_s3: tuple[Settings, Path, str]) -> None:
    settings, _, address = in_s3
    chosen = settings.model_copy(update={"asset_keys": ("red", "green", "blue")})
    with Platform(chosen) as platform:
        result = ingest_scene(platform, the_scene(address, chosen))
        record = load_record(platform, ITEM)

    assert result.status == "ingested", result.error
    assert record.render.source_dtype == "uint16"
    assert not record.render.identity
    assert all(low < high for low, high in record.render.limits)
    assert len(record.scene.imagery.hrefs) == 3


@pytest.mark.parametrize(
    "pattern",
    ["stactools_naip/**/m_4208701_*.tif", "deepforest/**/5b90f92da0d7280005fab355_4310.tif"],
    ids=["naip", "openaerialmap"],
)
def test_aerial_files_given_items(
    samples: Path,
    tiny_settings: Settings,  # noqa: F811
    tmp_path: Path,
    pattern: str,
) -> None:
    (raster,) = samples.glob(pattern)
    item = write_item(tmp_path / "aerial.json", str(raster), raster=raster)
    scene = scene_at(item, tiny_settings)
    with Platform(tiny_settings) as platform, rasterio.open(raster) as file:
        result = ingest_scene(platform, scene)
        rows = rows_of(platform, "aerial")
        record = load_record(platform, "aerial")

        assert (result.status, result.error) == ("ingested", None)
        assert result.patches == len(rows) == platform.recipe.division_for(None).count(file.width, file.height)
        assert (record.grid.width, record.grid.height) == (file.width, file.height)
        assert record.render.source_dtype == "uint8"
        fine = [row for row in rows if row["level"] == 0]
        assert max(row["x1"] for row in fine) == file.width
        assert max(row["y1"] for row in fine) == file.height
        bounds = [min(row["west"] for row in fine), max(row["north"] for row in fine)]
        expected = transform_bounds(file.crs, "EPSG:4326", *file.bounds)
        np.testing.assert_allclose(bounds, [expected[0], expected[3]], atol=1e-5)
