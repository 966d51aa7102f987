"""Collars: frames that nothing declares are noticed, told, and left out where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.raster.collar import find_collars
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import RenderSpec
from imagerag_assets.settings import Settings
from tests.unit.raster.scenes import scene_of, write_tiff

SIDE = 1400


def turned_square() -> np.ndarray:
    """Bool (h, w): the pixels of a scene that is turned by 12 degrees."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    u, v = x * np.cos(0.2) + y * np.sin(0.2), y * np.cos(0.2) - x * np.sin(0.2)
    return np.asarray((abs(u) < 0.4 * SIDE) & (abs(v) < 0.4 * SIDE))


def textured(dtype: str = "uint8") -> np.ndarray:
    """(3, h, w) with a black hole in the middle, which is no collar."""
    pixels = np.random.default_rng(0).integers(20, 250, (3, SIDE, SIDE)).astype(dtype)
    pixels[:, 690:720, 690:720] = 0
    return pixels


@pytest.fixture
def excluding(settings: Settings) -> Settings:
    return settings.model_copy(update={"collars": "exclude"})


@pytest.mark.parametrize(
    ("dtype", "value"), [("uint8", 0), ("uint8", 255), ("uint16", 0), ("float32", -1e4), ("uint8", 127)]
)
def test_exactly_the_frame_is_left_out(
    tmp_path: Path, settings: Settings, excluding: Settings, dtype: str, value: float
) -> None:
    inside = turned_square()
    pixels = np.where(inside, textured(dtype), np.array(value, dtype))
    scene = scene_of(write_tiff(tmp_path / "a.tif", pixels, overviews=[2, 4]))
    with SceneReader(scene, settings) as reader:
        assert reader.read(reader.grid.window)[1].all()
        assert reader.render.left_out is None
        assert f"is the constant value {value:g}, which nothing declares as missing" in "".join(reader.notes)
    with SceneReader(scene, excluding) as reader:
        picture, valid = reader.read(reader.grid.window)
        assert np.array_equal(valid, inside)
        assert not picture[~inside].any()
        coarse = reader.read(reader.grid.window, 2)[1]
        assert coarse.mean() == pytest.approx(inside.mean(), abs=0.02)
        window = (300, 200, 812, 712)
        assert np.array_equal(reader.read(window)[1], inside[200:712, 300:812])
        if dtype != "uint8":  # the frame counts for no limit
            low, high = reader.render.limits[0]
            assert 15 < low < 80
            assert 190 < high < 255
        stored = json.loads(json.dumps(reader.render.to_dict()))
        assert RenderSpec.from_dict(stored) == reader.render
        assert len(json.dumps(stored)) < 2000
        render = reader.render
    with SceneReader(scene, excluding, render) as reader:
        assert np.array_equal(reader.read(window)[1], inside[200:712, 300:812])


def test_a_frame_of_one_band_is_told_and_left_out(tmp_path: Path, settings: Settings, excluding: Settings) -> None:
    inside, pixels = turned_square(), textured("uint16")
    pixels[1] = np.where(inside, pixels[1], 0)
    scene = scene_of(write_tiff(tmp_path / "a.tif", pixels))
    with SceneReader(scene, settings) as reader:
        assert reader.read(reader.grid.window)[1].all()
        assert "is the constant value 0 in one band only" in "".join(reader.notes)
    with SceneReader(scene, excluding) as reader:
        assert np.array_equal(reader.read(reader.grid.window)[1], inside)
        assert reader.render.limits[1][0] > 15
        assert RenderSpec.from_dict(json.loads(json.dumps(reader.render.to_dict()))) == reader.render
    sea = textured("uint16")
    sea[0, :500] = 0
    with SceneReader(scene_of(write_tiff(tmp_path / "sea.tif", sea)), excluding) as reader:
        assert reader.read(reader.grid.window)[1].all()


def test_a_lossy_frame_is_left_out_with_its_edge(tmp_path: Path, excluding: Settings) -> None:
    inside = turned_square()
    pixels = np.where(inside, textured() // 8 + 100, 0).astype(np.uint8)
    path = write_tiff(tmp_path / "a.tif", pixels, compress="jpeg", photometric="ycbcr")
    with SceneReader(scene_of(path), excluding) as reader:
        _, valid = reader.read(reader.grid.window)
    assert not (valid & ~inside).any()
    assert (inside & ~valid).mean() < 0.005


def test_no_collar_is_seen_where_there_is_none() -> None:
    random = np.random.default_rng(1)
    noisy = random.integers(0, 256, (3, 300, 300)).astype(np.uint8)
    everywhere = np.ones((300, 300), bool)
    shadow = noisy.copy()
    shadow[:, :4, :100] = 0  # at the border, and small
    inner = noisy.copy()
    inner[:, 100:200, 100:200] = 0
    classes = np.kron(np.array([[1, 2], [3, 4]], np.uint8), np.ones((150, 150), np.uint8))[None]
    constant = np.zeros((3, 300, 300), np.uint8)
    for values in (noisy, shadow, inner, classes, constant):
        assert find_collars(values, everywhere, lossy=False) == ()


def smooth(seed: int, kinds: int, first: int = 0) -> np.ndarray:
    """(300, 300) uint8 of parts of constant values, as many values as asked for."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(300, 300)), 20)
    return (np.digitize(field, np.quantile(field, np.linspace(0, 1, kinds + 1)[1:-1])) + first).astype(np.uint8)


def middle() -> np.ndarray:
    y, x = np.mgrid[:300, :300] - 150
    return np.asarray(abs(x) + abs(y) < 140)


@pytest.mark.parametrize("kinds", [2, 3, 4, 16, 40])
def test_values_of_a_scene_of_few_values_are_no_frame(
    tmp_path: Path, settings: Settings, excluding: Settings, kinds: int
) -> None:
    bits = next((bits for bits in (1, 2, 4) if kinds <= 2**bits), 8)
    noise = np.random.default_rng(2).integers(0, kinds, (300, 300)).astype(np.uint8)
    page = np.where(middle() & (noise == 0), 0, kinds - 1).astype(np.uint8)  # speckles on a ground
    lake = smooth(3, kinds - 1, first=1)
    lake[~middle()] = 0  # a class around and inside
    lake[120:160, 120:160] = 0
    for name, values in {"noise": noise, "parts": smooth(1, kinds), "page": page, "lake": lake}.items():
        if kinds == 40 and name in ("noise", "page"):
            continue  # a picture
        path = tmp_path / f"{name}.tif"
        profile = {"driver": "GTiff", "width": 300, "height": 300, "count": 1, "dtype": "uint8"}
        with rasterio.open(path, "w", **profile, **({"nbits": bits} if bits < 8 else {})) as dataset:
            dataset.write(values, 1)
        with SceneReader(scene_of(path), excluding) as reader:
            assert reader.read(reader.grid.window)[1].all(), name
            assert not any("at its border" in note for note in reader.notes), name


@pytest.mark.parametrize("kinds", [3, 15, 40])
def test_a_frame_around_classes_of_which_it_is_none_is_told(kinds: int) -> None:
    values = np.where(middle(), smooth(1, kinds, first=1), 0)[None].astype(np.uint8)
    (collar,) = find_collars(values, np.ones((300, 300), bool), lossy=False)
    assert collar.value == (0.0,)
    assert collar.share == pytest.approx((~middle()).mean(), abs=1e-4)


def test_a_frame_on_one_side_of_a_picture_is_told() -> None:
    values = np.random.default_rng(1).integers(1, 255, (3, 300, 300)).astype(np.uint8)
    values[:, :, :20] = 0
    (collar,) = find_collars(values, np.ones((300, 300), bool), lossy=False)
    assert collar.value == (0.0,) * 3


def test_a_frame_inside_what_is_declared_as_missing_is_seen() -> None:
    values = np.random.default_rng(1).integers(1, 255, (1, 300, 300)).astype(np.uint8)
    valid = np.zeros((300, 300), bool)
    valid[40:260, 40:260] = True
    values[0, :80] = 0
    (collar,) = find_collars(values, valid, lossy=False)
    assert collar.value == (0.0,)
    assert collar.share == pytest.approx(40 * 220 / 300**2, abs=0.001)


def test_vectors_made_without_collars_are_others(settings: Settings, excluding: Settings) -> None:
    kept, left = Recipe.of(settings), Recipe.of(excluding)
    assert (kept.key, left.key) == ("pyramid", "pyramid-k")
    assert "collars" not in kept.to_dict()
    assert Recipe.from_dict(left.to_dict()) == left
    assert Recipe.from_dict(kept.to_dict()) == kept
    assert settings.model_copy(update=left.settings).collars == "exclude"
