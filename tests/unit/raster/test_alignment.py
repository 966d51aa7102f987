"""Files of one scene on different grids: those around the Earth and those with fitted places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin
from rasterio.warp import transform

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.unit.raster.scenes import scene_of, write_tiff

SIDE = 64


def band(number: int, side: int = SIDE) -> np.ndarray:
    """(1, side, side) of uint16 that differ everywhere."""
    return np.random.default_rng(number).integers(1000, 4000, (1, side, side)).astype(np.uint16)


def in_degrees(west: float) -> dict[str, Any]:
    return {"crs": "EPSG:4326", "transform": from_origin(west, 40, 0.01, 0.01)}


def by_points(off: float, side: int = SIDE) -> dict[str, Any]:
    metres = 640 / side
    points = [
        GroundControlPoint(row, col, 500_000 + off + metres * col, 5_300_000 - metres * row)
        for row in (0, side / 2, side)
        for col in (0, side / 2, side)
    ]
    return {"crs": "EPSG:32633", "transform": None, "gcps": points}


@pytest.mark.parametrize(("red", "blue"), [(200.0, -160.0), (-160.0, 200.0), (179.7, -180.3), (-180.3, 179.7)])
def test_longitudes_of_bands_may_differ_by_a_turn(tmp_path: Path, settings: Settings, red: float, blue: float) -> None:
    paths = [
        write_tiff(tmp_path / f"{name}.tif", band(number), **in_degrees(west))
        for number, (name, west) in enumerate([("red", red), ("green", red), ("blue", blue)])
    ]
    with SceneReader(scene_of(paths, (1, 1, 1)), settings) as reader:
        picture, valid = reader.read(reader.grid.window)
        low, high = reader.render.limits[2]
    assert valid.all()
    shown = np.clip((band(2)[0] - low) * 255 / (high - low), 0, 255)
    assert np.abs(picture[..., 2] - shown).max() <= 1


def test_a_shifted_band_a_turn_away_is_warped_into_place(tmp_path: Path, settings: Settings) -> None:
    paths = [
        write_tiff(tmp_path / f"{name}.tif", band(number), **in_degrees(west))
        for number, (name, west) in enumerate([("red", 200.0), ("green", 200.0), ("blue", -159.84)])
    ]
    with SceneReader(scene_of(paths, (1, 1, 1)), settings) as reader:
        _, valid = reader.read(reader.grid.window)
    assert not valid[:, :15].any()
    assert valid[:, 17:].all()


@pytest.mark.parametrize(("off", "missing"), [(0, 0), (10, 0), (160, 16)])
def test_bands_with_points_of_their_own_are_put_where_these_say(
    tmp_path: Path, settings: Settings, off: float, missing: int
) -> None:
    red = write_tiff(tmp_path / "red.tif", band(0), **by_points(0))
    green = write_tiff(tmp_path / "green.tif", band(1, SIDE // 2), **by_points(0, SIDE // 2))
    blue = write_tiff(tmp_path / "blue.tif", band(2), **by_points(off))
    with SceneReader(scene_of([red, green, blue], (1, 1, 1)), settings) as reader:
        _, valid = reader.read(reader.grid.window)
    assert not valid[:, : max(0, missing - 1)].any()
    assert valid[:, missing + 1 :].all()
    if not missing:
        assert valid.all()


def around_the_seam(kind: str) -> dict[str, Any]:
    """A grid of 120 x 120 px over the antimeridian at 10 degrees north."""
    if kind == "mercator":
        return {"crs": "EPSG:3857", "transform": from_origin(20_037_508 - 12_000, 1_130_000, 200, 200)}
    west = {"east": 179.88, "west": -180.12}[kind]
    return {"crs": "EPSG:4326", "transform": from_origin(west, 10.12, 0.002, 0.002)}


@pytest.mark.parametrize("kind", ["mercator", "east", "west"])
def test_a_band_over_the_antimeridian_is_whole_on_a_grid_of_another_crs(
    tmp_path: Path, settings: Settings, kind: str
) -> None:
    red, _ = transform("EPSG:4326", "EPSG:32601", [-180.0], [10.0])
    zone = {"crs": "EPSG:32601", "transform": from_origin(red[0] - 5000, 1_110_000, 50, 50)}
    base = write_tiff(tmp_path / "red.tif", band(0, 160), **zone)
    blue = write_tiff(tmp_path / "blue.tif", band(2, 120), **around_the_seam(kind))
    with SceneReader(scene_of([base, base, blue], (1, 1, 1)), settings) as reader:
        assert (reader.grid.width, reader.grid.height) == (160, 160)
        _, valid = reader.read(reader.grid.window)
    middle = valid[50:110]
    assert middle[:, :80].mean() == pytest.approx(middle[:, 80:].mean(), abs=0.02)
    assert middle.mean() > 0.95
