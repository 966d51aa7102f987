from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from imagerag_assets.errors import RasterError
from imagerag_assets.ingestion.ingest import ingest_scene, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.items import scene_at, texture, write_item, write_scene
from tests.unit.raster.scenes import scene_of, unique_pixels, write_tiff


def sparse(path: Path, width: int, height: int, **profile: Any) -> Path:
    """A GeoTIFF without any block, which takes a few bytes for each that it says it has."""
    options = {"driver": "GTiff", "dtype": "uint8", "count": 1, "tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", width=width, height=height, SPARSE_OK=True, BIGTIFF="YES", **options | profile):
        pass
    return path


@pytest.mark.parametrize(
    ("profile", "limits", "why"),
    [
        ({"count": 5}, {"limit_bands": 4}, "5 bands; at most 4.*IMAGERAG_LIMIT_BANDS"),
        ({}, {"limit_pixels": 999_999}, "1,000x1,000 px, 1,000,000 in all; at most 999,999.*IMAGERAG_LIMIT_PIXELS"),
        ({"count": 3, "interleave": "pixel"}, {"limit_block_bytes": 786_431},
         "blocks of 512x512 px, 786,432 bytes each; at most 786,431.*IMAGERAG_LIMIT_BLOCK_BYTES"),
        ({"tiled": False, "blockysize": 1000, "compress": "deflate"}, {"limit_block_bytes": 999_999},
         "blocks of 1,000x1,000 px, 1,000,000 bytes"),
        ({"dtype": "complex64"}, {"limit_block_bytes": 2**20}, "blocks of 512x512 px, 2,097,152 bytes"),
    ],
    ids=["bands", "pixels", "tile-of-all-bands", "strip", "complex"],
)  # fmt: skip
def test_what_a_raster_declares_is_held_to_the_limits(
    profile: dict[str, Any], limits: dict[str, Any], why: str, tmp_path: Path, settings: Settings
) -> None:
    path = sparse(tmp_path / "a.tif", 1000, 1000, **profile)
    with pytest.raises(RasterError, match=why) as told:
        SceneReader(scene_of(path, (1, 1, 1)), settings.model_copy(update=limits))
    assert not told.value.transient and str(path) in str(told.value)


def test_a_block_has_one_band_where_bands_are_stored_apart(tmp_path: Path, settings: Settings) -> None:
    path = sparse(tmp_path / "a.tif", 1000, 1000, count=5, interleave="band")
    limited = settings.model_copy(update={"limit_block_bytes": 512 * 512})
    with SceneReader(scene_of(path), limited) as reader:
        assert reader.grid.width == 1000


def test_a_small_file_of_a_million_by_a_million_pixels_fails_at_once(tmp_path: Path, platform: Platform) -> None:
    raster = sparse(tmp_path / "huge.tif", 1_000_000, 1_000_000, blockxsize=16384, blockysize=16384,
                    compress="deflate", crs="EPSG:32632", transform=rasterio.Affine(1, 0, 5e5, 0, -1, 5e6))  # fmt: skip
    assert raster.stat().st_size < 100_000
    scene = scene_at(write_item(tmp_path / "huge.json", "./huge.tif", raster=raster), platform.settings)
    with pytest.raises(RasterError, match="1,000,000,000,000 in all; at most 40,000,000,000.*IMAGERAG_LIMIT_PIXELS"):
        register(platform, scene)
    other = scene_at(write_scene(tmp_path / "good", "good", texture(300, 300)), platform.settings)
    assert [ingest_scene(platform, each).status for each in (scene, other)] == ["failed", "ingested"]


def test_a_large_scene_is_within_the_limits(tmp_path: Path, settings: Settings, platform: Platform) -> None:
    path = sparse(tmp_path / "a.tif", 100_000, 100_000, count=3)
    with SceneReader(scene_of(path), settings) as reader:
        size = reader.grid.width, reader.grid.height
    assert size == (100_000, 100_000)
    assert platform.division.count(*size) < settings.limit_patches


def test_a_scene_of_too_many_patches_fails(tmp_path: Path, platform: Platform) -> None:
    few = platform.settings.model_copy(update={"limit_patches": 3, "home": tmp_path / "few"})
    scene = scene_at(write_scene(tmp_path / "one", "one", texture(600, 600)), platform.settings)
    with Platform(few) as limited, pytest.raises(RasterError, match=r"patches; at most 3 .*IMAGERAG_LIMIT_PATCHES"):
        register(limited, scene)


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A file of a few hundred kilobytes with one tile that takes 300 MB, and again for each band, once decoded."""
    size = {"width": 10_000, "height": 10_000, "blockxsize": 10_000, "blockysize": 10_000}
    profile = {"count": 3, "interleave": "pixel", "compress": "deflate", "zlevel": 1}
    path = sparse(tmp_path / "bomb.tif", **size, **profile)
    with rasterio.open(path, "r+") as file:
        file.write(np.ones((1, 1), np.uint8), 1, window=rasterio.windows.Window(0, 0, 1, 1))
    assert path.stat().st_size < 2_000_000
    return path


def test_a_small_tile_that_decodes_to_gigabytes_is_refused_by_what_it_declares(bomb: Path, settings: Settings) -> None:
    limited = settings.model_copy(update={"limit_block_bytes": 2**28})
    with pytest.raises(RasterError, match="300,000,000 bytes each; at most 268,435,456"):
        SceneReader(scene_of(bomb), limited)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process takes so")
def test_a_small_tile_that_decodes_to_more_memory_than_is_allowed_fails_alone(
    bomb: Path, tmp_path: Path, settings: Settings
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limited = settings.model_copy(update={"limit_read_bytes": 2**27})
    good = write_tiff(tmp_path / "good.tif", unique_pixels(300, 300))
    with SceneReader(scene_of(bomb), limited, build_overviews=False) as reader:
        with pytest.raises(RasterError, match="134,217,728 bytes of memory.*IMAGERAG_LIMIT_READ_BYTES") as told:
            reader._values((0, 0, 256, 256), (256, 256), with_collars=True)
    assert not told.value.transient
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    with SceneReader(scene_of(good), limited) as reader:
        assert reader.read((0, 0, 300, 300))[1].all()
