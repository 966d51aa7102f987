"""Reading scenes: every kind of file a bucket may hold, padding, overviews, threads, and files that are broken."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import Affine, from_origin
from rasterio.windows import Window

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import IDENTITY, Grid, RenderSpec
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Scene
from tests.s3 import S3Endpoint
from tests.unit.raster.scenes import UTM, identity_grid, scene_of, unique_pixels, write_tiff


def small_supertiles(settings: Settings) -> Settings:
    """Settings under which an image of 1 Mpx is large."""
    return settings.model_copy(update={"supertile_px": 512})


# -- Windows -----------------------------------------------------------------------------------------------------------


def test_bytes_are_shown_as_they_are(tmp_path: Path, settings: Settings) -> None:
    pixels = unique_pixels(300, 400)
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", pixels)), settings) as reader:
        picture, valid = reader.read((10, 20, 110, 220))
        assert reader.render == RenderSpec(IDENTITY, "uint8", "optical", "bytes as they are")
        assert (reader.grid.width, reader.grid.height) == (400, 300)
    assert np.array_equal(picture, np.moveaxis(pixels[:, 20:220, 10:110], 0, -1))
    assert valid.all()


@pytest.mark.parametrize("window", [(-5, -7, 40, 30), (380, 290, 420, 310), (0, 0, 512, 512), (-10, 100, 410, 110)])
def test_windows_beyond_the_scene_are_padded(
    tmp_path: Path, settings: Settings, window: tuple[int, int, int, int]
) -> None:
    pixels = unique_pixels(300, 400)
    x0, y0, x1, y1 = window
    framed = np.zeros((3, 300 + 600, 400 + 600), np.uint8)
    framed[:, 300:600, 300:700] = pixels
    inside = np.zeros(framed.shape[1:], bool)
    inside[300:600, 300:700] = True
    where = (slice(y0 + 300, y1 + 300), slice(x0 + 300, x1 + 300))
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", pixels)), settings) as reader:
        picture, valid = reader.read(window)
    assert np.array_equal(picture, np.moveaxis(framed[:, *where], 0, -1))
    assert np.array_equal(valid, inside[where])


def test_a_window_outside_the_scene_is_all_padding_and_an_empty_one_is_refused(
    tmp_path: Path, settings: Settings
) -> None:
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", unique_pixels(64, 64))), settings) as reader:
        picture, valid = reader.read((100, 100, 164, 132), level=1)
        assert picture.shape == (16, 32, 3)
        assert not picture.any()
        assert not valid.any()
        with pytest.raises(RasterError, match="is empty"):
            reader.read((5, 5, 5, 9))


def test_padding_of_a_decimated_window_falls_where_the_scene_ends(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "a.tif", np.full((3, 200, 200), 9, np.uint8))
    with SceneReader(scene_of(path), settings) as reader:
        picture, valid = reader.read((0, 0, 400, 800), level=2)
    assert valid.shape == (200, 100)
    assert valid[:50, :50].all()
    assert valid.sum() == 50 * 50
    assert (picture[valid] == 9).all()


def test_an_overview_keeps_proportions_and_is_never_enlarged(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "a.tif", unique_pixels(300, 400))
    with SceneReader(scene_of(path), settings) as reader:
        assert reader.overview(100)[0].shape == (75, 100, 3)
        assert reader.overview(4000)[0].shape == (300, 400, 3)


# -- Validity ----------------------------------------------------------------------------------------------------------


def test_nodata_in_all_bands_is_no_pixel_and_in_one_band_is_a_colour(tmp_path: Path, settings: Settings) -> None:
    pixels = np.full((3, 64, 64), 100, np.uint8)
    pixels[:, :10] = 0
    pixels[0, 20:30] = 0
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", pixels, nodata=0)), settings) as reader:
        picture, valid = reader.read((0, 0, 64, 64))
    assert not valid[:10].any()
    assert valid[10:].all()
    assert picture[25, 5].tolist() == [0, 100, 100]


def test_alpha_is_a_mask(tmp_path: Path, settings: Settings) -> None:
    pixels = np.full((4, 64, 64), 100, np.uint8)
    pixels[3, :, :16], pixels[3, :, 16:] = 0, 255
    path = write_tiff(tmp_path / "a.tif", pixels, photometric="RGB", alpha="YES")
    with SceneReader(scene_of(path), settings) as reader:
        picture, valid = reader.read((0, 0, 64, 64))
    assert not valid[:, :16].any()
    assert valid[:, 16:].all()
    assert not picture[:, :16].any()


def test_alpha_beside_more_than_three_bands_is_a_mask(tmp_path: Path, settings: Settings) -> None:
    pixels = np.full((6, 64, 64), 100, np.uint16)
    pixels[5, :, :16], pixels[5, :, 16:] = 0, 65535
    path = write_tiff(tmp_path / "a.tif", pixels)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 4, ColorInterp.alpha]
    with SceneReader(scene_of(path, (3, 2, 1)), settings) as reader:
        _, valid = reader.read((0, 0, 64, 64))
    assert valid.mean() == 0.75


def test_near_infrared_marked_as_alpha_is_not_a_mask(samples: Path, settings: Settings) -> None:
    path = samples / "stactools_naip/tests/data-files/m_4208701_ne_16_060_20200902.tif"
    with SceneReader(scene_of(path), settings) as reader:
        _, valid = reader.read(reader.grid.window)
        assert any("marked as alpha but holds data" in note for note in reader.notes)
    assert valid.all()


def test_the_files_own_mask_is_used_at_every_level(samples: Path, settings: Settings) -> None:
    path = samples / "rio_tiler/tests/fixtures/cog_rgb_mask.tif"
    with rasterio.open(path) as dataset:
        expected = dataset.dataset_mask() > 0
    with SceneReader(scene_of(path), settings) as reader:
        _, valid = reader.read(reader.grid.window)
        _, small = reader.overview(96)
    assert np.array_equal(valid, expected)
    assert 0.9 < small.mean() < 1


def test_nan_is_no_pixel(samples: Path, settings: Settings) -> None:
    path = samples / "rio_tiler/tests/fixtures/cog_nodata_nan.tif"
    with rasterio.open(path) as dataset:
        expected = np.isfinite(dataset.read(1)) & (dataset.read_masks(1) > 0)
    with SceneReader(scene_of(path, modality="other"), settings) as reader:
        picture, valid = reader.read(reader.grid.window)
    assert np.array_equal(valid, expected)
    assert 0.3 < valid.mean() < 0.7
    assert not picture[~valid].any()
    assert picture[valid].std() > 10


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_image_without_a_valid_pixel_is_one_clear_line(tmp_path: Path, settings: Settings, dtype: str) -> None:
    path = write_tiff(tmp_path / "empty.tif", np.zeros((3, 64, 64), dtype), nodata=0)
    with (
        SceneReader(scene_of(path), settings) as reader,
        pytest.raises(RasterError, match=r"no valid pixels .*empty\.tif"),
    ):
        reader.overview(64)


# -- Bands and data types ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_every_data_type_is_stretched_over_the_whole_scene(tmp_path: Path, settings: Settings, dtype: str) -> None:
    ramp = np.linspace(0, 200 if dtype == "uint8" else 20_000, 256 * 256).reshape(1, 256, 256)
    pixels = np.concatenate([ramp, ramp / 2, ramp / 4]).astype(dtype)
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", pixels)), settings) as reader:
        whole, _ = reader.read((0, 0, 256, 256))
        part, _ = reader.read((100, 100, 150, 150))
    assert np.array_equal(part, whole[100:150, 100:150])
    if dtype != "uint8":
        assert [whole[..., band].mean() for band in range(3)] == pytest.approx([127.5] * 3, abs=1)
        assert (whole.reshape(-1, 3).min(0).tolist(), whole.reshape(-1, 3).max(0).tolist()) == ([0] * 3, [255] * 3)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_constant_image_is_mid_grey(tmp_path: Path, settings: Settings, dtype: str) -> None:
    path = write_tiff(tmp_path / "a.tif", np.full((3, 64, 64), 7, dtype))
    with SceneReader(scene_of(path), settings) as reader:
        picture, valid = reader.read((0, 0, 64, 64))
    assert valid.all()
    assert set(picture.ravel().tolist()) == {128}


def test_one_band_is_shown_three_times(samples: Path, settings: Settings) -> None:
    path = samples / "rio_tiler/tests/fixtures/scene_band1.tif"
    for scene in (scene_of(path, (1, 1, 1), "panchromatic"), scene_of(path, (1, 2, 3), "other")):
        with SceneReader(scene, settings) as reader:
            picture, _ = reader.overview(128)
            assert reader.lazy().shape == (3, 128, 128)
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        assert picture.std() > 10


def test_a_band_that_the_file_does_not_have_is_one_clear_line(samples: Path, settings: Settings) -> None:
    path = samples / "rio_tiler/tests/fixtures/scene_band1.tif"
    scene = scene_of(path, (1, 2, 3), "optical")
    named = tuple(replace(band, name=f"B{band.index}") for band in scene.imagery.bands)
    with pytest.raises(RasterError, match=r"no band 3, only 1 .*scene_band1"):
        SceneReader(replace(scene, imagery=replace(scene.imagery, bands=named)), settings)


@pytest.mark.parametrize("kind", ["grey", "alpha", "palette", "two"])
def test_a_picture_whose_bands_nobody_described_may_have_fewer_than_three(
    tmp_path: Path, settings: Settings, kind: str
) -> None:
    grey = np.linspace(0, 2, 64 * 64).reshape(1, 64, 64).astype(np.uint8) + 1
    second = np.full_like(grey, 255) if kind == "alpha" else grey[:, ::-1]
    pixels = grey if kind in ("grey", "palette") else np.concatenate([grey, second])
    more = {"palette": {"photometric": "PALETTE"}, "alpha": {"ALPHA": "YES", "photometric": "MINISBLACK"}}.get(kind, {})
    path = write_tiff(tmp_path / "a.tif", pixels, **more)
    colours = {1: (250, 0, 0, 255), 2: (0, 250, 0, 255), 3: (0, 0, 250, 255)}
    if kind == "palette":
        with rasterio.open(path, "r+") as file:
            file.write_colormap(1, colours)
    with SceneReader(scene_of(path, (1, 2, 3), "optical"), settings) as reader:
        picture, valid = reader.read((0, 0, 64, 64))
    assert valid.all()
    expected = np.stack([np.vectorize(lambda v, c=c: colours[v][c])(grey[0]) for c in range(3)], -1)
    assert np.array_equal(picture, expected if kind == "palette" else np.repeat(grey[0][..., None], 3, -1))


@pytest.mark.parametrize("factor", [1, 4])
def test_white_is_zero_and_few_bits_are_shown_as_people_see_them(
    tmp_path: Path, settings: Settings, factor: int
) -> None:
    halves = np.repeat(np.array([30, 220], np.uint8), 32)[:, None].repeat(64, 1)[None]
    white = write_tiff(tmp_path / "white.tif", halves, photometric="MINISWHITE")
    few = write_tiff(tmp_path / "few.tif", (halves // 16).astype(np.uint8), nbits=4)
    both = write_tiff(tmp_path / "both.tif", (halves // 16).astype(np.uint8), nbits=4, photometric="MINISWHITE")
    for path, upper, lower in ((white, 225, 35), (few, 17, 221), (both, 238, 34)):
        with SceneReader(scene_of(path, (1, 1, 1), "panchromatic"), settings) as reader:
            picture, _ = reader.read((0, 0, 64, 64), out_shape=(64 // factor, 64 // factor))
        assert np.unique(picture[: 32 // factor]).tolist() == [upper]
        assert np.unique(picture[32 // factor :]).tolist() == [lower]


# -- What the item says of missing pixels, and bands that cover less -------------------------------------------------


def with_nodata(scene: Scene, nodata: float) -> Scene:
    bands = tuple(replace(band, nodata=nodata) for band in scene.imagery.bands)
    return replace(scene, imagery=replace(scene.imagery, bands=bands))


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("side", [300, 1100])
def test_nodata_that_only_the_item_names_counts_like_the_files_own(
    tmp_path: Path, settings: Settings, apart: bool, side: int
) -> None:
    pixels = np.random.default_rng(1).integers(1000, 4000, (3, side, side)).astype(np.uint16)
    pixels[:, :, : side // 2] = 7
    readers = []
    for own in (None, 7):
        kind = {} if own is None else {"nodata": own}
        paths = [write_tiff(tmp_path / f"{own}-{n}.tif", pixels[n : n + 1], **kind) for n in range(3)]
        whole = write_tiff(tmp_path / f"{own}.tif", pixels, **kind)
        scene = scene_of(paths, (1, 1, 1)) if apart else scene_of(whole, (1, 2, 3))
        readers.append(SceneReader(scene if own is not None else with_nodata(scene, 7), small_supertiles(settings)))
    with readers[0] as said, readers[1] as tagged:
        for window, level in (((0, 0, side, side), 0), ((0, 0, side, side), 2), ((side // 2 - 9, 3, side, 200), 1)):
            picture, valid = said.read(window, level)
            expected, known = tagged.read(window, level)
            assert np.array_equal(valid, known)
            assert np.abs(picture.astype(int) - expected)[valid].max() <= 1
        assert said.render.limits == tagged.render.limits
        assert said.render.limits[0][0] > 1000


@pytest.mark.parametrize(
    ("own", "said", "note"),
    [
        (0, 255.0, "nodata is 0 in the file and 255 in the item: the file's is used"),
        (None, 300.0, "the item's nodata value 300 does not fit uint8: not used"),
        (None, 0.5, "the item's nodata value 0.5 does not fit uint8: not used"),
        (0, 0.0, None),
        (None, float("nan"), None),
    ],
)
def test_nodata_that_contradicts_the_file_or_does_not_fit_is_said(
    tmp_path: Path, settings: Settings, own: int | None, said: float, note: str | None
) -> None:
    pixels = unique_pixels(64, 64)
    path = write_tiff(tmp_path / "a.tif", pixels, **({} if own is None else {"nodata": own}))
    with (
        SceneReader(with_nodata(scene_of(path, (1, 2, 3)), said), settings) as reader,
        SceneReader(scene_of(path, (1, 2, 3)), settings) as plain,
    ):
        assert np.array_equal(reader.read((0, 0, 64, 64))[1], plain.read((0, 0, 64, 64))[1])
        assert [note for note in reader.notes if "nodata" in note] == ([] if note is None else [note])


@pytest.mark.parametrize("said_by", ["nobody", "nodata", "mask", "alpha"])
def test_where_one_band_ends_the_scene_has_no_valid_pixels(tmp_path: Path, settings: Settings, said_by: str) -> None:
    rng = np.random.default_rng(2)
    kind = {"nodata": 0} if said_by == "nodata" else {}
    paths = []
    for name, columns in (("red", 300), ("green", 300), ("blue", 150)):
        pixels = rng.integers(1000, 4000, (1, 300, columns)).astype(np.uint16)
        if said_by == "alpha" and name == "blue":
            pixels = np.concatenate([pixels, np.full_like(pixels, 65535)])
            paths.append(write_tiff(tmp_path / f"{name}.tif", pixels, ALPHA="YES", photometric="MINISBLACK"))
        else:
            paths.append(write_tiff(tmp_path / f"{name}.tif", pixels, **kind))
    if said_by == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(paths[2], "r+") as file:
            mask = np.full((300, 150), 255, np.uint8)
            mask[:100] = 0
            file.write_mask(mask)
    with SceneReader(scene_of(paths, (1, 1, 1)), settings) as reader:
        picture, valid = reader.read((0, 0, 300, 300))
        low, high = reader.render.limits[2]
    assert not valid[:, 152:].any()
    assert valid[102:, :148].all()
    assert valid[:98, :148].any() != (said_by == "mask")
    assert not picture[~valid].any()
    assert 1000 <= low < high <= 4000


def test_a_local_coordinate_system_gives_windows_in_pixels_only(tmp_path: Path, settings: Settings) -> None:
    site = 'LOCAL_CS["Site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    path = write_tiff(tmp_path / "a.tif", unique_pixels(64, 64), crs=site)
    with SceneReader(scene_of(path, (1, 2, 3)), settings) as reader:
        assert reader.grid.crs_wkt is None
        assert "local coordinate system: windows are in pixels only" in reader.notes
        assert reader.read((0, 0, 64, 64))[1].all()


def test_bands_are_shown_in_the_order_asked_for(tmp_path: Path, settings: Settings) -> None:
    pixels = np.stack([np.full((64, 64), value, np.uint8) for value in (10, 20, 30, 40)])
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", pixels), (4, 1, 3)), settings) as reader:
        assert reader.read((0, 0, 8, 8))[0][0, 0].tolist() == [40, 10, 30]
        assert reader.lazy().values[:, 0, 0].tolist() == [40, 10, 30]


def test_a_palette_is_expanded_at_every_level(tmp_path: Path, settings: Settings) -> None:
    pixels = np.zeros((1, 64, 64), np.uint8)
    pixels[:, :, 32:] = 200
    path = write_tiff(tmp_path / "a.tif", pixels, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (255, 0, 0, 255), 200: (0, 0, 255, 255)})
    with SceneReader(scene_of(path, (1, 1, 1), "other"), settings) as reader:
        for picture, valid in (reader.read((0, 0, 64, 64)), reader.overview(8)):
            assert picture[0, 0].tolist() == [255, 0, 0]
            assert picture[-1, -1].tolist() == [0, 0, 255]
            assert valid.all()


def test_complex_radar_is_shown_in_decibels_of_mean_magnitude(tmp_path: Path, settings: Settings) -> None:
    phases = np.exp(1j * np.random.default_rng(1).uniform(0, 2 * np.pi, (1, 256, 256)))
    magnitude = np.where(np.arange(256) < 128, 10.0, 1000.0)
    path = write_tiff(tmp_path / "slc.tif", (phases * magnitude).astype(np.complex64))
    with SceneReader(scene_of(path, (1, 1, 1), "sar"), settings, scratch=tmp_path / "scratch") as reader:
        small, valid = reader.overview(32)
        limits = reader.render.limits[0]
    # The mean of complex values would be near 0; that of magnitudes is 20 and 60 dB.
    assert limits == pytest.approx((20, 60), abs=0.1)
    assert valid.all()
    assert set(small[:, :15].ravel().tolist()) == {0}
    assert set(small[:, 17:].ravel().tolist()) == {255}


def test_real_radar_files(tmp_path: Path, samples: Path, settings: Settings) -> None:
    umbra = samples / "geotiff_test_data/files/umbra_mount_yasur.tiff"
    with rasterio.open(umbra) as dataset:
        magnitude = dataset.read().astype(np.float32)
    phases = np.exp(1j * np.random.default_rng(1).uniform(0, 2 * np.pi, magnitude.shape))
    # Turned by a little and in rows of pixels, as single-look products are.
    turned = from_origin(592_618, 5_749_208, 2.5, 2.5) * Affine.rotation(89.3)
    slc = write_tiff(tmp_path / "slc.tif", (magnitude * phases).astype(np.complex64), transform=turned, tiled=False)
    for path in (slc, umbra, samples / "rio_tiler/tests/fixtures/cog_gcps.tif"):
        with SceneReader(scene_of(path, (1, 1, 1), "sar"), settings) as reader:
            picture, valid = reader.overview(128)
        assert valid.mean() > 0.95
        assert picture.std() > 10


# -- Several files -----------------------------------------------------------------------------------------------------


def test_separate_files_are_put_together(samples: Path, settings: Settings) -> None:
    folder = samples / "stactools_landsat/tests/data-files/assets3"
    paths = [next(folder.glob(f"*_SR_B{number}.TIF")) for number in (4, 3, 2)]
    with SceneReader(scene_of(paths, (1, 1, 1)), settings) as reader:
        picture, valid = reader.read((0, 0, 128, 128))
        lazy = reader.lazy()
    expected = [rasterio.open(path).read(1) for path in paths]
    assert np.array_equal(valid, np.all([band > 0 for band in expected], axis=0))
    assert np.array_equal(lazy.values, np.stack(expected))
    for channel, band in enumerate(expected):
        order = np.argsort(band[valid], kind="stable")
        assert (np.diff(picture[..., channel][valid][order].astype(int)) >= 0).all()


def test_a_coarser_band_of_the_same_extent_is_enlarged_onto_the_finest(tmp_path: Path, settings: Settings) -> None:
    fine = np.zeros((1, 200, 300), np.uint8)
    fine[:, :, 150:] = 200
    coarse = fine[:, ::2, ::2].copy()
    one = write_tiff(tmp_path / "red.tif", fine)
    two = write_tiff(tmp_path / "green.tif", coarse, crs=UTM["crs"], transform=from_origin(500_000, 5_000_000, 20, 20))
    with SceneReader(scene_of([one, two, one], (1, 1, 1)), settings) as reader:
        picture, valid = reader.read((0, 0, 300, 200))
        part, _ = reader.read((101, 51, 201, 151))
        assert (reader.grid.width, reader.grid.height) == (300, 200)
        assert reader.lazy().shape == (3, 200, 300)
        assert np.array_equal(reader.lazy()[1, 60:140, 160:].values, np.full((80, 140), 200))
    assert valid.all()
    assert np.array_equal(part, picture[51:151, 101:201])
    assert np.array_equal(picture[:, :148, 1], picture[:, :148, 0])
    assert np.array_equal(picture[:, 152:, 1], picture[:, 152:, 0])


def test_a_band_on_a_shifted_grid_is_warped_into_place(tmp_path: Path, settings: Settings) -> None:
    pixels = unique_pixels(200, 300)[:1]
    one = write_tiff(tmp_path / "red.tif", pixels)
    two = write_tiff(
        tmp_path / "green.tif", pixels[:, 40:, 50:].copy(), crs=UTM["crs"], nodata=255,
        transform=from_origin(500_500, 4_999_600, 10, 10),
    )  # fmt: skip
    with SceneReader(scene_of([one, two, one], (1, 1, 1)), settings) as reader:
        picture, valid = reader.read((0, 0, 300, 200))
    assert not valid[:40].any()
    assert not valid[:, :50].any()
    assert valid[40:, 50:].mean() > 0.99
    assert np.array_equal(picture[valid][:, 0], picture[valid][:, 1])


def test_files_that_cannot_be_fitted_are_one_clear_line(tmp_path: Path, settings: Settings) -> None:
    one = write_tiff(tmp_path / "red.tif", unique_pixels(64, 64)[:1], **identity_grid())
    two = write_tiff(tmp_path / "green.tif", unique_pixels(64, 100)[:1], **identity_grid())
    with pytest.raises(RasterError, match=r"no CRS to fit them by \[href="):
        SceneReader(scene_of([one, two, one], (1, 1, 1)), settings)


def test_multispectral_and_panchromatic_files_of_one_place(tmp_path: Path, samples: Path, settings: Settings) -> None:
    with rasterio.open(samples / "deepforest/data/5b90f92da0d7280005fab355_4310.tif") as dataset:
        colours = dataset.read(window=Window(100, 100, 600, 600)) * 8.0
    fine = colours.mean(axis=0, keepdims=True).astype(np.uint16)
    coarse = colours.reshape(3, 300, 2, 300, 2).mean(axis=(2, 4))
    # Products of one place begin at one corner, but their pixels are not exactly as large as their names say.
    corner = (593_270.29, 5_747_657.42)
    pan = write_tiff(tmp_path / "pan.tif", fine, transform=from_origin(*corner, 0.49999346, 0.49999346))
    ms = write_tiff(tmp_path / "ms.tif", coarse[[2, 1, 0, 0]], transform=from_origin(*corner, 1.00004832, 1.00004832))
    scene = scene_of([pan, ms, ms], (1, 2, 3))
    with SceneReader(scene, settings) as reader:
        picture, valid = reader.overview(300)
        assert reader.grid.width == 600
        assert reader.lazy().shape == (3, 600, 600)
    assert valid.all()
    # The same ground at two resolutions: the channels must rise and fall together.
    assert np.corrcoef(picture[..., 0].ravel(), picture[..., 1].ravel())[0, 1] > 0.8


# -- Georeferencing ----------------------------------------------------------------------------------------------------


def test_notes_say_what_is_missing(tmp_path: Path, samples: Path, settings: Settings) -> None:
    fixtures = samples / "rio_tiler/tests/fixtures"
    plain = write_tiff(tmp_path / "plain.tif", unique_pixels(64, 64), **identity_grid())
    cases = {
        plain: "no CRS: windows are in pixels only",
        fixtures / "cog_gcps.tif": "ground control points only: approximate footprint",
        fixtures / "cog_hirise_mars.tif": "not of the Earth",
    }
    for path, note in cases.items():
        with SceneReader(scene_of(path, modality="other"), settings) as reader:
            assert note in " ".join(reader.notes)
            assert reader.overview(64)[1].all()
            assert reader.grid.gcps == ("gcps" in path.name)
            assert (reader.grid.crs_wkt is None) == (path == plain)


def test_png_is_read_like_any_raster(tmp_path: Path, settings: Settings) -> None:
    pixels = np.moveaxis(unique_pixels(90, 120), 0, -1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with SceneReader(scene_of(tmp_path / "a.png"), settings) as reader:
        assert np.array_equal(reader.read((0, 0, 120, 90))[0], pixels)


def test_grid_and_render_survive_json(samples: Path, settings: Settings) -> None:
    with SceneReader(scene_of(samples / "opengeos_data/raster/cog.tif"), settings) as reader:
        grid, render = reader.grid, reader.render
    assert Grid.from_dict(grid.to_dict()) == grid
    assert RenderSpec.from_dict(render.to_dict()) == render
    with SceneReader(scene_of(samples / "opengeos_data/raster/cog.tif"), settings, render) as reader:
        assert reader.render is render


# -- Overviews ---------------------------------------------------------------------------------------------------------


def test_overviews_of_a_large_file_without_any_are_built_once(tmp_path: Path, settings: Settings) -> None:
    settings = small_supertiles(settings)
    pixels = np.random.default_rng(2).integers(0, 255, (4, 1024, 1024), np.uint8)
    pixels[3] = 255
    pixels[:, :256, :256] = 0
    path = write_tiff(tmp_path / "a.tif", pixels, photometric="RGB", alpha="YES")
    scratch = tmp_path / "scratch"
    with SceneReader(scene_of(path), settings, scratch=scratch) as reader:
        reader.read((0, 0, 512, 512))
        assert not scratch.exists()
        coarse, valid = reader.read((0, 0, 1024, 1024), level=2)
        assert "no usable overviews in a.tif: built once" in reader.notes
        assert not reader.grid.has_overviews
    (built,) = scratch.iterdir()
    assert {file.name for file in built.iterdir()} == {"image.vrt", "image.vrt.ovr"}
    stamp = (built / "image.vrt.ovr").stat().st_mtime_ns
    means = pixels[:3].reshape(3, 256, 4, 256, 4).mean(axis=(2, 4))
    assert np.abs(coarse[valid] - np.moveaxis(means, 0, -1)[valid]).max() <= 1.5
    assert not valid[:64, :64].any()
    assert valid.mean() == pytest.approx(1 - 1 / 16)
    with SceneReader(scene_of(path), settings, scratch=scratch) as reader:
        again, _ = reader.read((0, 0, 1024, 1024), level=2)
    assert np.array_equal(again, coarse)
    assert (built / "image.vrt.ovr").stat().st_mtime_ns == stamp


def test_what_a_killed_build_left_is_not_used(tmp_path: Path, settings: Settings) -> None:
    settings = small_supertiles(settings)
    path = write_tiff(tmp_path / "a.tif", unique_pixels(1024, 1024))
    with SceneReader(scene_of(path), settings, scratch=tmp_path / "one") as reader:
        expected, _ = reader.overview(128)
    (built,) = (tmp_path / "one").iterdir()
    aside = tmp_path / "two" / f".aside-{built.name}.killed"
    shutil.copytree(built, aside)
    (aside / "image.vrt.ovr").write_bytes((built / "image.vrt.ovr").read_bytes()[:100])
    with SceneReader(scene_of(path), settings, scratch=tmp_path / "two") as reader:
        assert np.array_equal(reader.overview(128)[0], expected)


def test_without_a_scratch_folder_overviews_are_temporary(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "a.tif", unique_pixels(1024, 1024))
    with SceneReader(scene_of(path), small_supertiles(settings)) as reader:
        reader.overview(64)
        assert reader._temporary is not None
        folder = Path(reader._temporary.name)
        assert folder.is_dir()
    assert not folder.exists()


def test_the_mask_of_a_file_holds_in_built_overviews(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "a.tif", np.full((3, 1024, 1024), 50, np.uint8))
    mask = np.full((1024, 1024), 255, np.uint8)
    mask[:, :512] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    with SceneReader(scene_of(path), small_supertiles(settings), scratch=tmp_path / "scratch") as reader:
        picture, valid = reader.overview(128)
    assert not valid[:, :64].any()
    assert valid[:, 64:].all()
    assert (picture[valid] == 50).all()


# -- Threads, laziness, failures ---------------------------------------------------------------------------------------


def test_threads_read_at_once_on_handles_of_their_own(tmp_path: Path, settings: Settings) -> None:
    pixels = unique_pixels(600, 600)
    path = write_tiff(tmp_path / "a.tif", pixels, overviews=[2, 4])
    windows = [(x, y, x + 97, y + 101) for x in range(0, 500, 50) for y in range(0, 500, 50)]
    with SceneReader(scene_of(path), settings) as reader, ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda window: reader.read(window)[0], windows))
    for (x0, y0, x1, y1), picture in zip(windows, pictures, strict=True):
        assert np.array_equal(picture, np.moveaxis(pixels[:, y0:y1, x0:x1], 0, -1))
    with pytest.raises(RuntimeError, match="closed"):
        reader.read((0, 0, 10, 10))


def test_the_lazy_view_reads_nothing_until_computed(tmp_path: Path, settings: Settings) -> None:
    pixels = unique_pixels(300, 400)
    path = write_tiff(tmp_path / "a.tif", pixels)
    with SceneReader(scene_of(path, (3, 2, 1)), settings) as reader:
        view = reader.lazy()
    assert dask.is_dask_collection(view)
    assert view.dims == ("band", "y", "x")
    assert view.rio.crs == UTM["crs"]
    assert np.array_equal(view[:, 10:20, 30:50].compute().values, pixels[::-1, 10:20, 30:50])


def test_remote_files_are_read_in_place_and_their_overviews_kept_here(
    tmp_path: Path, settings: Settings, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    settings = small_supertiles(settings).model_copy(update={"s3_endpoint_url": s3_endpoint.url})
    pixels = np.random.default_rng(4).integers(0, 255, (3, 1100, 1100), np.uint8)
    (s3_endpoint.root / "rasters").mkdir()
    write_tiff(s3_endpoint.root / "rasters" / "a.tif", pixels)
    with SceneReader(scene_of("s3://rasters/a.tif"), settings, scratch=tmp_path / "scratch") as reader:
        native, _ = reader.read((100, 200, 400, 500))
        coarse, _ = reader.read((0, 0, 1100, 1100), level=2)
        with ThreadPoolExecutor(2) as pool:
            (other,) = pool.map(lambda level: reader.read((0, 0, 1100, 1100), level)[0], [2])
    assert np.array_equal(native, np.moveaxis(pixels[:, 200:500, 100:400], 0, -1))
    assert np.abs(coarse - np.moveaxis(pixels.reshape(3, 275, 4, 275, 4).mean(axis=(2, 4)), 0, -1)).max() <= 1.5
    assert np.array_equal(other, coarse)
    with pytest.raises(RasterError, match=r"image cannot be opened .*s3://rasters/missing\.tif"):
        SceneReader(scene_of("s3://rasters/missing.tif"), settings)


@pytest.mark.parametrize("size", [(1, 1), (1, 50)])
def test_an_image_of_one_pixel_is_one_clear_line(tmp_path: Path, settings: Settings, size: tuple[int, int]) -> None:
    path = write_tiff(tmp_path / "dot.tif", np.ones((3, *size), np.uint8), tiled=False)
    with pytest.raises(RasterError, match=rf"image has {size[1]}x{size[0]} px .*dot\.tif") as caught:
        SceneReader(scene_of(path), settings)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened_are_one_clear_line(tmp_path: Path, settings: Settings) -> None:
    whole = write_tiff(tmp_path / "whole.tif", unique_pixels(300, 300)).read_bytes()
    cases = {"empty.tif": b"", "head.tif": whole[:60], "text.tif": b"<html>not found</html>", "missing.tif": None}
    for name, content in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(RasterError, match=rf"image cannot be opened .*{name}") as caught:
            SceneReader(scene_of(tmp_path / name), settings)
        assert "\n" not in str(caught.value)


def test_a_truncated_file_that_opens_fails_with_its_name_when_read(tmp_path: Path, settings: Settings) -> None:
    # The directory of a COG comes first, so a cut copy opens.
    plain = write_tiff(tmp_path / "plain.tif", np.random.default_rng(3).integers(0, 255, (3, 600, 600), np.uint8))
    rasterio.shutil.copy(plain, tmp_path / "cog.tif", driver="COG", blocksize=256)
    cut = tmp_path / "cut.tif"
    content = (tmp_path / "cog.tif").read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    with SceneReader(scene_of(cut), settings) as reader, pytest.raises(RasterError, match=r"cannot be read .*cut\.tif"):
        for x in range(0, 600, 200):
            for y in range(0, 600, 200):
                reader.read((x, y, x + 200, y + 200))


def test_a_truncated_file_without_overviews_fails_when_they_are_built(tmp_path: Path, settings: Settings) -> None:
    plain = write_tiff(tmp_path / "a.tif", np.random.default_rng(3).integers(0, 255, (3, 1100, 1100), np.uint8))
    rasterio.shutil.copy(plain, tmp_path / "cog.tif", driver="COG", blocksize=256, overviews="NONE")
    whole = (tmp_path / "cog.tif").read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole[: len(whole) // 2])
    scratch = tmp_path / "scratch"
    with (
        SceneReader(scene_of(cut), small_supertiles(settings), scratch=scratch) as reader,
        pytest.raises(RasterError, match=r"cannot be read .*cut\.tif"),
    ):
        reader.overview(64)
    assert list(scratch.iterdir()) == []
