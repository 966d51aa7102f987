from __future__ import annotations

import io
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from imagerag_assets.errors import RasterError
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.unit.raster.scenes import scene_of, sparse, unique_pixels, write_tiff


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


def test_a_large_scene_is_within_the_limits(tmp_path: Path, settings: Settings) -> None:
    path = sparse(tmp_path / "a.tif", 100_000, 100_000, count=3)
    with SceneReader(scene_of(path), settings) as reader:
        size = reader.grid.width, reader.grid.height
    assert size == (100_000, 100_000)
    assert Recipe.of(settings).division_for(None).count(*size) < settings.limit_patches


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
    why = "134,217,728 bytes of memory.*IMAGERAG_LIMIT_READ_BYTES"
    with (
        SceneReader(scene_of(bomb), limited, build_overviews=False) as reader,
        pytest.raises(RasterError, match=why) as told,
    ):
        reader._values((0, 0, 256, 256), (256, 256), with_collars=True)
    assert not told.value.transient
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    with SceneReader(scene_of(good), limited) as reader:
        assert reader.read((0, 0, 300, 300))[1].all()


def _with_tile(path: Path, tile: bytes) -> Path:
    """Put other data in place of the only tile of a little-endian GeoTIFF."""
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for start in range(directory + 2, directory + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, start)
        if tag in (324, 325):  # offset and size of the tile
            struct.pack_into("<HHII", data, start, tag, 4, 1, len(data) if tag == 324 else len(tile))
    path.write_bytes(data + tile)
    return path


def _jpeg() -> bytes:
    held = io.BytesIO()
    Image.new("L", (16_000, 16_000)).save(held, "JPEG")
    return held.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process takes so")
@pytest.mark.parametrize(
    ("compress", "tile"), [("jpeg", _jpeg), ("deflate", lambda: zlib.compress(bytes(400_000_000), 1))]
)
def test_a_tile_that_holds_more_than_it_declares_takes_no_more_memory(
    compress: str, tile: Callable[[], bytes], tmp_path: Path, settings: Settings
) -> None:
    path = _with_tile(write_tiff(tmp_path / "a.tif", unique_pixels(256, 256)[:1], compress=compress), tile())
    limited = settings.model_copy(update={"limit_read_bytes": 2**26})  # a quarter of what the tile holds, or less
    with SceneReader(scene_of(path, (1, 1, 1)), limited) as reader:
        if (
            compress == "deflate"
        ):  # the beginning is what is shown; libtiff leaves what a repetition that is cut would fill
            assert not reader._values((0, 0, 256, 256), (256, 256), with_collars=True)[0][:, :254].any()
            return
        with pytest.raises(RasterError, match="TIFFReadEncodedTile") as told:
            reader.read((0, 0, 256, 256))
        assert str(path) in str(told.value)
