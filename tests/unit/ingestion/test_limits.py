from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from imagerag_assets.errors import RasterError
from imagerag_assets.ingestion.explain import explain
from imagerag_assets.ingestion.ingest import ingest_scene, register
from imagerag_assets.installation.platform import Platform
from tests.items import scene_at, texture, write_item, write_scene
from tests.unit.raster.scenes import UTM, sparse


def test_a_small_file_of_a_million_by_a_million_pixels_fails_at_once(tmp_path: Path, platform: Platform) -> None:
    raster = sparse(tmp_path / "huge.tif", 1_000_000, 1_000_000, blockxsize=16384, blockysize=16384,
                    compress="deflate", crs="EPSG:32632", transform=rasterio.Affine(1, 0, 5e5, 0, -1, 5e6))  # fmt: skip
    assert raster.stat().st_size < 100_000
    scene = scene_at(write_item(tmp_path / "huge.json", "./huge.tif", raster=raster), platform.settings)
    with pytest.raises(RasterError, match="1,000,000,000,000 in all; at most 40,000,000,000.*IMAGERAG_LIMIT_PIXELS"):
        register(platform, scene)
    other = scene_at(write_scene(tmp_path / "good", "good", texture(300, 300)), platform.settings)
    assert [ingest_scene(platform, each).status for each in (scene, other)] == ["failed", "ingested"]


def test_overviews_take_no_longer_than_they_may(tmp_path: Path, platform: Platform) -> None:
    raster = sparse(tmp_path / "large.tif", 60_000, 60_000, **UTM)
    scene = scene_at(write_item(tmp_path / "large.json", "./large.tif", raster=raster), platform.settings)
    limited = platform.settings.model_copy(update={"limit_overviews_s": 0.3})
    with Platform(limited) as hurried:
        with pytest.raises(RasterError, match=r"given overviews in 0\.3 s.*IMAGERAG_LIMIT_OVERVIEWS_S"):
            register(hurried, scene)
        assert not list((limited.home / "scratch" / "overviews").glob("*/*"))


def test_a_scene_of_too_many_patches_fails(tmp_path: Path, platform: Platform) -> None:
    few = platform.settings.model_copy(update={"limit_patches": 3, "home": tmp_path / "few"})
    scene = scene_at(write_scene(tmp_path / "one", "one", texture(600, 600)), platform.settings)
    with Platform(few) as limited, pytest.raises(RasterError, match=r"patches; at most 3 .*IMAGERAG_LIMIT_PATCHES"):
        register(limited, scene)
    with Platform(few) as limited:
        (cost,) = explain(limited, str(tmp_path / "one" / "one.json")).scenes
        assert cost.state == "failed" and "IMAGERAG_LIMIT_PATCHES" in str(cost.error)
