"""Kinds of imagery: radar, spectra, and the one that the documents add."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from imagerag_assets.errors import EmptyRasterError, RasterError
from imagerag_assets.raster.modalities import modalities, modality_of
from imagerag_assets.raster.modality import Facts
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import RenderSpec
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.unit.raster.scenes import scene_of, write_tiff

RANDOM = np.random.default_rng(16)


def reader_of(path: Path, settings: Settings, modality: str = "sar", **options: Any) -> SceneReader:
    return SceneReader(scene_of(path, options.pop("indexes", (1, 1, 1)), modality), settings, **options)


def one_look(power: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Return complex values (h, w) with fully developed speckle."""
    parts = RANDOM.standard_normal((2, *power.shape)) * np.sqrt(power / 2)
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@pytest.mark.parametrize("form", ["amplitude", "power", "decibels", "complex"])
def test_radar_is_shown_in_decibels_with_less_speckle(form: str, tmp_path: Path, settings: Settings) -> None:
    power = np.where(np.arange(300) < 150, 1.0, 100.0) * np.ones((300, 1))
    values = one_look(power)
    shown: NDArray[Any] = {
        "amplitude": np.abs(values),
        "power": np.abs(values) ** 2,
        "decibels": 20 * np.log10(np.abs(values)),
        "complex": values,
    }[form]
    with reader_of(write_tiff(tmp_path / "a.tif", shown[None]), settings, scratch=tmp_path) as reader:
        render = reader.render
        picture, valid = reader.read((0, 0, 300, 300))
        part, _ = reader.read((100, 64, 228, 192))
        larger, _ = reader.read((-10, -10, 310, 310))
    assert valid.all()
    assert render.by == "sar" and "filtered" in render.note
    # One look of amplitude deviates by .52 of its mean, of power by 1.
    assert render.parameters["noise"] == pytest.approx(1.0 if form == "power" else 0.52, rel=0.25)
    raw = np.full((300, 300), np.abs(values).clip(1e-3))
    of_raw = (20 * np.log10(raw))[:, :140].std() * 255 / (render.limits[0][1] - render.limits[0][0])
    left, right = picture[:, 10:140, 0].astype(float), picture[:, 160:290, 0].astype(float)
    assert left.std() < 0.6 * of_raw
    assert right.mean() - left.mean() > 60
    # A window's picture does not depend on where the window ends.
    np.testing.assert_array_equal(part, picture[64:192, 100:228])
    np.testing.assert_array_equal(larger[10:-10, 10:-10], picture)
    assert RenderSpec.from_dict(render.to_dict()) == render


def test_two_polarisations_and_their_ratio(tmp_path: Path, settings: Settings) -> None:
    left = np.arange(64) < 32
    co, cross = np.where(left, 1.0, 0.5) * np.ones((64, 1)), np.where(left, 0.01, 0.4) * np.ones((64, 1))
    path = write_tiff(tmp_path / "a.tif", np.stack([co, cross]).astype(np.float32))
    with reader_of(path, settings, indexes=(1, 2, 1)) as reader:
        picture, _ = reader.read((0, 0, 64, 64))
        assert "two polarisations" in reader.render.note
    assert picture[0, 0].tolist() == [255, 0, 255]
    assert picture[0, -1].tolist() == [0, 255, 0]


@pytest.mark.parametrize("kind", ["constant", "zeros", "negative", "complex zeros", "two pixels"])
def test_odd_radar_has_a_safe_picture(kind: str, tmp_path: Path, settings: Settings) -> None:
    values: NDArray[Any] = RANDOM.uniform(1, 2, (1, 64, 64)).astype(np.float32)
    if kind == "constant":
        values[:] = 3
    elif kind == "zeros":
        values[:] = 0
    elif kind == "negative":  # what the removal of noise leaves
        values[0, :1, :20] = -0.01
    elif kind == "complex zeros":
        values = values.astype(np.complex64)
        values[0, :32] = 0
    else:
        values = values[:, :2, :2]
    path = write_tiff(tmp_path / "a.tif", values)
    with reader_of(path, settings, scratch=tmp_path) as reader:
        side = reader.grid.width
        picture, valid = reader.read((0, 0, side, side))
    assert valid.all() == (kind != "complex zeros")
    if kind in ("constant", "zeros"):
        assert set(picture.ravel().tolist()) <= {127, 128}
    if kind == "negative":
        assert picture[0, 0, 0] == 0
    empty = write_tiff(tmp_path / "nan.tif", np.full((1, 64, 64), np.nan, np.float32))
    with reader_of(empty, settings) as reader, pytest.raises(EmptyRasterError, match="no valid pixels"):
        reader.read((0, 0, 64, 64))


def test_bytes_of_radar_and_other_imagery_stay_as_they_are(tmp_path: Path, settings: Settings) -> None:
    pixels = RANDOM.integers(0, 256, (1, 64, 64), np.uint8)
    plain = write_tiff(tmp_path / "plain.tif", pixels.astype(np.float32) + 1)
    with reader_of(plain, settings, "other") as reader:
        assert reader.render.by == ""
    with rasterio.open(plain, "r+") as dataset:
        dataset.set_band_description(1, "Gamma0_VV")
    with reader_of(plain, settings, "other") as reader:
        assert (reader.render.by, reader.render.modality) == ("sar", "sar")
    with reader_of(write_tiff(tmp_path / "a.tif", pixels), settings) as reader:
        np.testing.assert_array_equal(reader.read((0, 0, 64, 64))[0][..., 0], pixels[0])
        assert "by" not in reader.render.to_dict()


def test_a_spectrum_without_names_is_shown_by_its_main_components(tmp_path: Path, settings: Settings) -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    spectra = np.sin(np.linspace(0, 3, 40))[:, None, None], np.linspace(0, 1, 40)[:, None, None]
    values = 3000 + 2000 * spectra[0] * (columns > 31) + 500 * spectra[1] * (rows > 31)
    values = (values + RANDOM.normal(0, 5, values.shape)).astype(np.int16)
    path = write_tiff(tmp_path / "a.tif", values)
    with reader_of(path, settings, "other", indexes=(1, 2, 3)) as reader:
        picture, valid = reader.read((0, 0, 64, 64))
        part, _ = reader.read((10, 20, 50, 60))
        assert "which of its 40 bands" in " ".join(reader.notes)
        assert RenderSpec.from_dict(reader.render.to_dict()) == reader.render
    assert valid.all()
    np.testing.assert_array_equal(part, picture[20:60, 10:50])
    first = picture[..., 0].astype(int)
    assert first[:, 32:].min() > first[:, :32].max()
    constant = write_tiff(tmp_path / "constant.tif", np.full((20, 8, 8), 7, np.uint16))
    with reader_of(constant, settings, "other", indexes=(1, 2, 3)) as reader:
        assert set(reader.read((0, 0, 8, 8))[0].ravel().tolist()) <= {127, 128}


def test_the_kind_that_the_documents_add(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "modalities.md").read_text(), re.DOTALL)
    added: dict[str, Any] = {}
    exec(compile(code, "elevation.py", "exec"), added)
    monkeypatch.setitem(modalities(), "elevation", added["MODALITY"])
    heights = (np.abs(np.arange(64) - 32.0) * np.ones((64, 1)))[None].astype(np.float32)
    path = write_tiff(tmp_path / "a.tif", heights)
    with reader_of(path, settings, "elevation") as reader:
        picture, _ = reader.read((0, 0, 64, 64))
        render = reader.render
        assert (render.by, render.modality) == ("elevation", "elevation")
    assert picture[:, :30].max() < picture[:, 34:].min()
    monkeypatch.delitem(modalities(), "elevation")
    unknown = pytest.raises(RasterError, match="rendered as 'elevation', which this version does not have")
    with reader_of(path, settings, "elevation", render=render) as reader, unknown:
        reader.read((0, 0, 64, 64))
    assert modality_of(Facts("optical", "uint16", False, 3, (0, 1, 2), False)) is None
