"""Grids fitted to control points: exact, bent, across the antimeridian, around a pole, wrong, and too few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from imagerag_assets.raster.control_points import UnfitError, fit
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.types import Grid

SIZE = (900, 900)
WGS84, UTM60 = CRS.from_epsg(4326).to_wkt(), CRS.from_epsg(32660).to_wkt()
Floats = NDArray[np.float64]


def points(place: Callable[[Floats, Floats], tuple[Floats, Floats]], side: int = 6) -> tuple[Floats, Floats]:
    cols, rows = (each.ravel() for each in np.meshgrid(np.linspace(0, 900, side), np.linspace(0, 900, side)))
    return np.stack([cols, rows], axis=1), np.stack(place(cols, rows), axis=1)


def over_180(cols: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """From 177.7 over 180 to -178.8, as files write it."""
    return (177.7 + 3.5 * cols / 900 + 180) % 360 - 180, 62.65 - 1.75 * rows / 900


def bbox_of(pixels: Floats, ground: Floats, crs: str = WGS84) -> tuple[float, ...]:
    found = fit(pixels, ground, crs, SIZE)
    box = pixel_window_to_lonlat_bbox(Grid(*SIZE, found.crs_wkt, found.transform, False), (0, 0, *SIZE))
    assert box is not None
    return box


def test_longitudes_are_unwrapped() -> None:
    assert bbox_of(*points(over_180)) == pytest.approx((177.7, 60.9, -178.8, 62.65))
    east_of_180 = points(lambda cols, rows: (177.7 + 3.5 * cols / 900, 62.65 - 1.75 * rows / 900))
    assert bbox_of(*east_of_180) == pytest.approx((177.7, 60.9, -178.8, 62.65))
    period = 40_075_016.68557849
    mercator = points(lambda cols, rows: ((19.9e6 + 400 * cols + period / 2) % period - period / 2, 7e6 - 400 * rows))
    west, _, east, _ = bbox_of(*mercator, CRS.from_epsg(3857).to_wkt())
    assert (west, east) == pytest.approx((178.764742, -178.001323), abs=1e-5)


def test_points_in_a_projected_crs_keep_it() -> None:
    found = fit(*points(lambda cols, rows: (570_585 + 100 * cols, 7e6 - 100 * rows)), UTM60, SIZE)
    assert found.crs_wkt == UTM60
    assert found.transform == pytest.approx((100, 0, 570_585, 0, -100, 7e6), abs=1e-6)
    assert found.worst_px < 1e-6


@pytest.mark.parametrize("crs", ["EPSG:32660", "EPSG:3413", "EPSG:3031"])
def test_a_picture_that_is_bent_in_degrees_is_straight_in_a_map_around_it(crs: str) -> None:
    """Points in degrees of a picture on a projected grid, far in the north and around the poles."""
    known = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    left, top = (570_585.0, 8e6) if crs == "EPSG:32660" else (-400_000.0, 500_000.0)
    pixels, ground = points(lambda cols, rows: known.transform(left + 1000 * cols, top - 1000 * rows))
    found = fit(pixels, ground, WGS84, SIZE)
    assert CRS.from_wkt(found.crs_wkt).is_projected
    assert found.worst_px < 5
    a, b, c, d, e, f = found.transform
    to_lonlat = Transformer.from_crs(found.crs_wkt, "EPSG:4326", always_xy=True)
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    lonlat = to_lonlat.transform(a * 450 + b * 450 + c, d * 450 + e * 450 + f)
    assert to_map.transform(*lonlat) == pytest.approx((left + 450_000, top - 450_000), abs=5000)  # 5 px


def test_one_gross_error_is_left_out_and_named() -> None:
    pixels, ground = points(over_180)
    ground[14] = (10, 20)
    found = fit(pixels, ground, WGS84, SIZE)
    assert [number for number, _ in found.left_out] == [15]
    assert found.left_out[0][1] > 10_000
    assert (found.points, found.worst_px) == (35, pytest.approx(0, abs=1e-6))
    assert bbox_of(pixels, ground) == pytest.approx((177.7, 60.9, -178.8, 62.65))


def test_an_error_at_a_corner_does_not_hide_itself() -> None:
    pixels, ground = points(over_180, side=3)
    ground[0, 1] += 0.3  # 150 px, and the fit is drawn to it
    assert [number for number, _ in fit(pixels, ground, WGS84, SIZE).left_out] == [1]


def test_small_errors_are_measured() -> None:
    pixels, ground = points(over_180)
    ground += np.random.default_rng(1).normal(0, 2, ground.shape) * np.array([3.5, 1.75]) / 900
    found = fit(pixels, ground, WGS84, SIZE)
    assert not found.left_out
    assert 2 < found.worst_px < 12


@pytest.mark.parametrize("left", [(0, 5, 30), (0, 35)])
def test_three_points_are_enough_and_two_if_north_is_up(left: tuple[int, ...]) -> None:
    pixels, ground = points(over_180)
    assert bbox_of(pixels[list(left)], ground[list(left)]) == pytest.approx((177.7, 60.9, -178.8, 62.65))


def test_points_that_give_no_place() -> None:
    pixels, ground = points(over_180)
    rng = np.random.default_rng(1)
    anywhere = np.stack([rng.uniform(-180, 180, 36), rng.uniform(-80, 80, 36)], axis=1)
    for bad, why in [
        ((pixels[:1], ground[:1]), "only 1 can be told apart"),
        ((pixels[[0] * 5], ground[[0] * 5]), "only 1 can be told apart"),
        ((pixels[:6], ground[:6]), "lie on a line"),
        ((pixels[[0, 5]], ground[[0, 5]]), "no area"),
        ((pixels, ground[[0] * 36]), "no area"),
        ((pixels, ground * np.nan), "only 0"),
        ((pixels, anywhere), r"contradict each other by up to [\d,]+ px"),
    ]:
        with pytest.raises(UnfitError, match=why):
            fit(*bad, WGS84, SIZE)
