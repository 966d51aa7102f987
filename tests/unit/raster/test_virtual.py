"""Nodata values that differ between the bands of a file: alone, beside a mask, reduced, and on another grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Scene
from tests.unit.raster.scenes import scene_of, write_tiff

FILLS = (0, 7, 65535)


def scattered(side: int) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """(3, side, side) and where it is missing: the western half, and single pixels elsewhere."""
    rng = np.random.default_rng(3)
    missing = rng.random((side, side)) < 0.1
    missing[:, : side // 2] = True
    return rng.integers(1000, 4000, (3, side, side)).astype(np.uint16), missing


def filled(pixels: NDArray[np.uint16], missing: NDArray[np.bool_], fills: tuple[int, ...]) -> NDArray[np.uint16]:
    return np.stack([np.where(missing, fill, band) for fill, band in zip(fills, pixels, strict=True)]).astype("uint16")


def said(scene: Scene, values: tuple[float | None, ...] = FILLS) -> Scene:
    """The scene with a nodata value of its own for each band."""
    bands = tuple(replace(band, nodata=value) for band, value in zip(scene.imagery.bands, values, strict=True))
    return replace(scene, imagery=replace(scene.imagery, bands=bands))


def masked(path: Path, side: int, *, inside: bool) -> Path:
    mask = np.full((side, side), 255, np.uint8)
    mask[: side // 3] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    return path


def seen(scene: Scene, settings: Settings, factor: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    with SceneReader(scene, settings) as reader:
        window = reader.grid.window
        return reader.read(window, out_shape=(window[3] // factor, window[2] // factor))


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("mask", [None, "inside", "beside"])
def test_a_value_for_each_band_counts_as_one_for_all_does(
    tmp_path: Path, settings: Settings, mask: str | None, factor: int
) -> None:
    side = 256
    pixels, missing = scattered(side)
    differing = write_tiff(tmp_path / "differing.tif", filled(pixels, missing, FILLS))
    alike = write_tiff(tmp_path / "alike.tif", filled(pixels, missing, (0, 0, 0)), nodata=0)
    for path in (differing, alike) if mask else ():
        masked(path, side, inside=mask == "inside")
    picture, valid = seen(said(scene_of(differing)), settings, factor)
    expected, where = seen(scene_of(alike), settings, factor)
    assert np.array_equal(valid, where)
    assert 0.2 < valid.mean() < 0.55
    assert np.array_equal(picture, expected)


def vrt_of(tif: Path, fills: tuple[int, ...]) -> Path:
    """A virtual raster that declares a value for each band itself."""
    with rasterio.open(tif) as dataset:
        size, transform = (dataset.width, dataset.height), ",".join(map(str, dataset.transform.to_gdal()))
        wkt = dataset.crs.to_wkt().replace('"', "&quot;")
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{number}"><NoDataValue>{fill}</NoDataValue><SimpleSource>'
        f"<SourceFilename>{tif}</SourceFilename><SourceBand>{number}</SourceBand></SimpleSource></VRTRasterBand>"
        for number, fill in enumerate(fills, start=1)
    )
    path = tif.with_suffix(".vrt")
    path.write_text(
        f'<VRTDataset rasterXSize="{size[0]}" rasterYSize="{size[1]}"><SRS>{wkt}</SRS>'
        f"<GeoTransform>{transform}</GeoTransform>{bands}</VRTDataset>"
    )
    return path


@pytest.mark.parametrize("by", ["item", "file"])
def test_values_for_each_band_hold_on_another_grid(tmp_path: Path, settings: Settings, by: str) -> None:
    side = 200
    pixels, missing = scattered(side)
    base = write_tiff(tmp_path / "red.tif", pixels[:1])
    shifted = Affine(10, 0, 500_005, 0, -10, 4_999_995)
    options: dict[str, Any] = {"transform": shifted}
    pair = write_tiff(tmp_path / "pair.tif", filled(pixels[1:], missing, FILLS[1:]), **options)
    if by == "file":
        scene = scene_of([base, *[vrt_of(pair, FILLS[1:])] * 2], (1, 1, 2))
    else:
        scene = said(scene_of([base, pair, pair], (1, 1, 2)), (None, *FILLS[1:]))
    _, valid = seen(scene, settings, 1)
    assert not valid[:, : side // 2 - 2].any()
    assert valid[:, side // 2 + 2 :].mean() > 0.5


def test_one_value_is_that_of_bands_without_one(tmp_path: Path, settings: Settings) -> None:
    pixels, missing = scattered(64)
    path = write_tiff(tmp_path / "a.tif", filled(pixels, missing, (0, 0, 0)))
    for values in ((0, None, None), (None, None, 0)):
        _, valid = seen(said(scene_of(path), values), settings, 1)
        assert np.array_equal(valid, ~missing)
