"""Places of windows: projected, rotated, across the antimeridian, around a pole, on Mars, and nowhere."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.warp import transform_bounds
from shapely.geometry import shape

from imagerag_assets.raster.geo import (
    box_geometry,
    joint_box,
    lonlat_boxes,
    pixel_window_to_lonlat_bbox,
    same_place,
    window_feature,
    window_geometry,
)
from imagerag_assets.raster.projection import is_earth
from imagerag_assets.raster.types import Grid


def grid_of(crs: str | None, transform: tuple[float, ...], width: int = 1000, height: int = 1000) -> Grid:
    a, b, c, d, e, f = transform
    wkt = None if crs is None else rasterio.CRS.from_user_input(crs).to_wkt()
    return Grid(width, height, wkt, (a, b, c, d, e, f), has_overviews=False)


def test_degrees_are_exact() -> None:
    grid = grid_of("EPSG:4326", (0.01, 0, 10, 0, -0.01, 50))
    assert pixel_window_to_lonlat_bbox(grid, (100, 200, 300, 500)) == pytest.approx((11, 45, 13, 48))


@given(x=st.integers(0, 900), y=st.integers(0, 900), size=st.integers(1, 100))
@hypothesis_settings(max_examples=30, deadline=None)
def test_utm_agrees_with_rasterio(x: int, y: int, size: int) -> None:
    grid = grid_of("EPSG:32607", (30, 0, 400_000, 0, -30, 6_600_000))
    left, top = 400_000 + 30 * x, 6_600_000 - 30 * y
    expected = transform_bounds("EPSG:32607", "EPSG:4326", left, top - 30 * size, left + 30 * size, top)
    assert pixel_window_to_lonlat_bbox(grid, (x, y, x + size, y + size)) == pytest.approx(expected, abs=1e-6)


def test_rotated_grids_enclose_all_corners() -> None:
    grid = grid_of("EPSG:32759", (-0.143, -0.577, 337_934.0, -0.577, 0.143, 7_840_518.0))
    west, south, east, north = pixel_window_to_lonlat_bbox(grid, (0, 0, 1000, 1000)) or (0, 0, 0, 0)
    to_lonlat = Transformer.from_crs("EPSG:32759", "EPSG:4326", always_xy=True)
    a, b, c, d, e, f = grid.transform
    for col, row in ((0, 0), (1000, 0), (0, 1000), (1000, 1000)):
        lon, lat = to_lonlat.transform(a * col + b * row + c, d * col + e * row + f)
        assert west - 1e-9 <= lon <= east + 1e-9
        assert south - 1e-9 <= lat <= north + 1e-9


def test_across_the_antimeridian_west_exceeds_east() -> None:
    grid = grid_of("EPSG:32660", (100, 0, 570_585, 0, -100, 5_847_615), 2325, 2355)
    west, south, east, north = pixel_window_to_lonlat_bbox(grid, grid.window) or (0, 0, 0, 0)
    assert 177 < west < 180
    assert -180 < east < -178
    assert south < north
    geometry = shape(window_geometry(grid, grid.window))
    assert geometry.geom_type == "MultiPolygon"
    assert geometry.bounds[0] == pytest.approx(-180)
    assert geometry.bounds[2] == pytest.approx(180)
    assert geometry.area < 15
    boxes = lonlat_boxes(grid, [(0, 0, 100, 100), (2200, 100, 2300, 200)])
    assert (boxes[:, 0] < boxes[:, 2]).all()
    assert boxes[0, 0] > 0 > boxes[1, 0]


@given(west=st.floats(-180, 180), width=st.floats(0.01, 359.9), south=st.floats(-89, 80), height=st.floats(0.01, 9))
@example(west=179.99999999999997, width=1.0, south=0.0, height=1.0)
@example(west=179.0, width=1.00000000000003, south=0.0, height=1.0)
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_box_across_the_antimeridian_is_two_halves(west: float, width: float, south: float, height: float) -> None:
    east = west + width if west + width <= 180 else west + width - 360
    geometry = box_geometry(west, south, east, south + height)
    assert geometry.is_valid
    assert geometry.area == pytest.approx(width * height, rel=1e-3)
    # A half may be thinner than a coordinate's last digit.
    assert geometry.geom_type == "Polygon" or west > east
    assert -180 <= geometry.bounds[0] <= geometry.bounds[2] <= 180


def test_boxes_have_a_joint_box() -> None:
    nowhere = [(np.nan,) * 4]
    assert joint_box(nowhere) is None
    assert joint_box([(9, 48, 10, 49), (11, 40, 12, 41), *nowhere]) == (9, 40, 12, 49)
    assert joint_box([(-170, 0, -160, 1), (160, 0, 170, 1)]) == (-170, 0, 170, 1)  # no box crosses
    assert joint_box([(179, -17, -179, -16), (170, -10, 171, -9)]) == (170, -17, -179, -9)
    assert joint_box([(179, -17, -179, -16), (-178, -10, -177, -9), (100, 0, 101, 1)]) == (100, -17, -177, 1)
    assert joint_box([(179, 0, -179, 1), (-180, 0, 180, 1)]) == (-180, 0, 180, 1)


def test_a_grid_around_the_earth_spans_all_longitudes() -> None:
    grid = grid_of("EPSG:4326", (0.1, 0, 0, 0, -0.1, 60), 3600, 600)  # from 0 to 360 degrees
    assert pixel_window_to_lonlat_bbox(grid, grid.window) == pytest.approx((-180, 0, 180, 60))
    assert shape(window_geometry(grid, grid.window)).area == pytest.approx(360 * 60)
    assert pixel_window_to_lonlat_bbox(grid, (1700, 0, 1900, 600)) == pytest.approx((170, 0, -170, 60))


@pytest.mark.parametrize(
    ("transform", "size", "expected"),
    [
        ((0.25, 0, -0.125, 0, -0.25, 90.125), (1440, 721), (-180, -90, 180, 90)),
        ((0.25, 0, -180.125, 0, -0.25, 90.125), (1440, 721), (-180, -90, 180, 90)),
        ((2.5, 0, -180, 0, -2.5, 90), (144, 72), (-180, -90, 180, 90)),
        ((0.25, 0, 0, 0, -0.25, 90), (1440, 360), (-180, 0, 180, 90)),
    ],
)
def test_windows_of_global_grids_stay_on_the_globe(
    transform: tuple[float, ...], size: tuple[int, int], expected: tuple[float, ...]
) -> None:
    grid = grid_of("EPSG:4326", transform, *size)
    assert pixel_window_to_lonlat_bbox(grid, grid.window) == pytest.approx(expected)
    windows = [(x, y, x + 224, y + 224) for x in range(0, size[0], 200) for y in range(0, size[1], 200)]
    boxes = lonlat_boxes(grid, windows)
    assert (np.abs(boxes[:, [0, 2]]) <= 180).all()
    assert (np.abs(boxes[:, [1, 3]]) <= 90).all()
    widths = (boxes[:, 2] - boxes[:, 0]) % 360
    inside = [(min(x1, size[0]) - x0) * transform[0] for x0, _, x1, _ in windows]
    assert widths[np.array(inside) < 359] == pytest.approx(np.array(inside)[np.array(inside) < 359])
    assert (boxes[:, 3] > boxes[:, 1]).all()


@given(x=st.integers(-300, 900), y=st.integers(-300, 900), size=st.integers(1, 400))
@hypothesis_settings(max_examples=30, deadline=None)
def test_a_window_has_the_place_of_its_part_inside_the_scene(x: int, y: int, size: int) -> None:
    grid = grid_of("EPSG:32607", (30, 0, 400_000, 0, -30, 6_600_000))
    inside = (max(0, x), max(0, y), min(1000, x + size), min(1000, y + size))
    box = pixel_window_to_lonlat_bbox(grid, (x, y, x + size, y + size))
    if inside[0] < inside[2] and inside[1] < inside[3]:
        assert box == pixel_window_to_lonlat_bbox(grid, inside)


def test_around_a_pole_all_longitudes_are_spanned() -> None:
    for crs, pole in (("EPSG:3413", 90), ("EPSG:3031", -90)):
        grid = grid_of(crs, (1000, 0, -500_000, 0, -1000, 500_000))
        west, south, east, north = pixel_window_to_lonlat_bbox(grid, grid.window) or (0, 0, 0, 0)
        assert (west, east) == (-180, 180)
        assert pole in (south, north)
        assert 80 < abs(south + north - pole) < 90
        assert shape(window_geometry(grid, grid.window)).bounds[0] == -180


def test_mars_has_longitudes_of_its_own() -> None:
    mars = "+proj=eqc +lat_ts=0 +lon_0=0 +a=3396190 +b=3396190 +units=m"
    grid = grid_of(mars, (5, 0, 0, 0, -5, 0))
    assert not is_earth(grid.crs_wkt or "")
    degree = 3_396_190 * np.pi / 180
    expected = (0, -5000 / degree, 5000 / degree, 0)
    assert pixel_window_to_lonlat_bbox(grid, grid.window) == pytest.approx(expected, abs=1e-6)


def test_without_crs_there_is_no_place() -> None:
    grid = grid_of(None, (1, 0, 0, 0, 1, 0))
    assert pixel_window_to_lonlat_bbox(grid, grid.window) is None
    assert np.isnan(lonlat_boxes(grid, [grid.window, (0, 0, 1, 1)])).all()
    assert window_feature(grid, grid.window, {"rank": 1}) == {
        "type": "Feature", "properties": {"rank": 1}, "geometry": None,
    }  # fmt: skip


def test_features_are_valid_geojson() -> None:
    grid = grid_of("EPSG:32631", (10, 0, 500_000, 0, -10, 5_000_000))
    feature = window_feature(grid, (0, 0, 100, 100), {})
    assert shape(feature["geometry"]).is_valid
    assert shape(feature["geometry"]).bounds == pytest.approx(feature["bbox"])


def test_the_same_place_in_another_grid() -> None:
    coarse = grid_of("EPSG:32633", (10, 0, 500_000, 0, -10, 5_300_000), 100, 100)
    fine = grid_of("EPSG:32633", (5, 0, 500_200, 0, -5, 5_299_900), 100, 100)
    assert same_place(coarse, (30, 20, 40, 40), fine) == (20, 20, 40, 60)
    assert same_place(fine, (20, 20, 40, 60), coarse) == (30, 20, 40, 40)
    assert same_place(coarse, (-5, 90, 300, 120), coarse) == (-5, 90, 300, 120)
    turned = grid_of("EPSG:32633", (-10, 0, 501_000, 0, 10, 5_299_000), 100, 100)
    assert same_place(coarse, (0, 0, 10, 20), turned) == (90, 80, 100, 100)
    degrees = grid_of("EPSG:4326", (0.0001, 0, 14.99, 0, -0.0001, 47.86), 1000, 1000)
    there = same_place(coarse, (30, 20, 40, 40), degrees)
    assert there is not None
    assert pixel_window_to_lonlat_bbox(degrees, there) == pytest.approx(
        pixel_window_to_lonlat_bbox(coarse, (30, 20, 40, 40)), abs=0.0002
    )
    assert same_place(coarse, (0, 0, 9, 9), grid_of(None, (1, 0, 0, 0, 1, 0))) is None
    assert same_place(grid_of(None, (1, 0, 0, 0, 1, 0)), (0, 0, 9, 9), coarse) is None
