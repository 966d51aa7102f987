"""Reads of the reader against plain rasterio reads: bit for bit where nothing is rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.windows import Window

from imagerag_assets.patches.divisions import DIVISIONS, division
from imagerag_assets.patches.supertiles import supertiles
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings, load_settings
from tests.unit.raster.scenes import scene_of, unique_pixels, write_tiff

WIDTH, HEIGHT = 1500, 1100


@pytest.fixture(scope="module")
def cog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG with internal overviews in which every pixel has a colour of its own."""
    folder = tmp_path_factory.mktemp("cog")
    plain = write_tiff(folder / "plain.tif", unique_pixels(HEIGHT, WIDTH))
    rasterio.shutil.copy(plain, folder / "cog.tif", driver="COG", blocksize=256, overview_resampling="average")
    return folder / "cog.tif"


@pytest.fixture(scope="module")
def small() -> Settings:
    """Settings with super-tiles small enough that the test image has several."""
    return load_settings(supertile_px=512, _env_file=None)


@given(x=st.integers(0, WIDTH - 2), y=st.integers(0, HEIGHT - 2), width=st.integers(1, 700), height=st.integers(1, 700))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_native_windows_equal_rasterio(cog: Path, settings: Settings, x: int, y: int, width: int, height: int) -> None:
    window = (x, y, min(WIDTH, x + width), min(HEIGHT, y + height))
    with rasterio.open(cog) as dataset:
        expected = dataset.read(window=Window(x, y, window[2] - x, window[3] - y))
    with SceneReader(scene_of(cog), settings) as reader:
        picture, valid = reader.read(window)
    assert np.array_equal(picture, np.moveaxis(expected, 0, -1))
    assert valid.all()


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize(
    "window", [(0, 0, 1024, 1024), (256, 512, 1280, 1024), (13, 27, 1113, 900), (0, 0, WIDTH, HEIGHT)]
)
def test_decimated_windows_equal_rasterio(
    cog: Path, settings: Settings, window: tuple[int, int, int, int], level: int
) -> None:
    x0, y0, x1, y1 = window
    shape = (-(-(y1 - y0) >> level), -(-(x1 - x0) >> level))
    with rasterio.open(cog) as dataset:
        expected = dataset.read(
            window=Window(x0, y0, x1 - x0, y1 - y0), out_shape=(3, *shape), resampling=Resampling.average
        )
    with SceneReader(scene_of(cog), settings) as reader:
        picture, _ = reader.read(window, level)
    assert np.array_equal(picture, np.moveaxis(expected, 0, -1))


def test_an_aligned_decimated_window_is_the_overview_itself(cog: Path, settings: Settings) -> None:
    with rasterio.open(cog, overview_level=0) as dataset:
        expected = dataset.read(window=Window(128, 256, 300, 200))
    with SceneReader(scene_of(cog), settings) as reader:
        picture, _ = reader.read((256, 512, 856, 912), level=1)
    assert np.array_equal(picture, np.moveaxis(expected, 0, -1))


def test_patches_cut_from_supertiles_equal_direct_reads(cog: Path, small: Settings) -> None:
    cut = division("pyramid", patch_px=64)
    compared = dict.fromkeys(cut.levels(WIDTH, HEIGHT), 0)
    with SceneReader(scene_of(cog), small) as reader:
        for tile in supertiles(cut, WIDTH, HEIGHT, small.supertile_px):
            picture, _ = reader.read(tile.window, tile.level)
            assert picture.shape[:2] == tile.shape_px
            for patch in tile.patches:
                # Windows at the border of a coarse level may lie between its pixels.
                aligned = not any(edge % (1 << tile.level) for edge in (*patch.window, *tile.window))
                if aligned and (patch.level or (patch.row + patch.col) % 5 == 0):
                    direct, _ = reader.read(patch.window, tile.level)
                    assert np.array_equal(picture[tile.cut(patch)], direct)
                    compared[patch.level] += 1
    assert all(count >= 4 for level, count in compared.items() if level < 3)


@pytest.mark.parametrize("name", DIVISIONS)
def test_cuts_at_native_resolution_are_exact(cog: Path, small: Settings, name: str) -> None:
    with rasterio.open(cog) as dataset:
        whole = np.moveaxis(dataset.read(), 0, -1)
    with SceneReader(scene_of(cog), small) as reader:
        for tile in supertiles(division(name), WIDTH, HEIGHT, small.supertile_px):
            if tile.level:
                continue
            picture, _ = reader.read(tile.window)
            for patch in tile.patches:
                expected = whole[patch.y0 : patch.y1, patch.x0 : patch.x1]
                assert np.array_equal(picture[tile.cut(patch)], expected)


@pytest.mark.parametrize(
    "name",
    ["rio_tiler/tests/fixtures/cog_rgb.tif", "rio_tiler/tests/fixtures/cog_hirise_mars.tif",
     "deepforest/data/5b90f92da0d7280005fab355_4310.tif", "opengeos_data/naip/m_4709963_se_14_1_20200831.tif"],
)  # fmt: skip
def test_real_files_equal_rasterio(samples: Path, settings: Settings, name: str) -> None:
    with rasterio.open(samples / name) as dataset, SceneReader(scene_of(samples / name), settings) as reader:
        x1, y1 = dataset.width, dataset.height
        for window in [(0, 0, x1, y1), (x1 // 3, y1 // 4, x1 // 3 + 101, y1 // 4 + 57)]:
            expected = dataset.read(
                [1, 2, 3], window=Window(window[0], window[1], *np.subtract(window[2:], window[:2]))
            )
            picture, valid = reader.read(window)
            assert np.array_equal(picture[valid], np.moveaxis(expected, 0, -1)[valid])
            assert valid.mean() > 0.99
