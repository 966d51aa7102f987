"""Maps with an edge and grids with a pole: the part that is on the globe has a place, and what is beside has none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry import Point, box, shape

from imagerag_assets.raster.geo import (
    geometry_window,
    lonlat_boxes,
    pixel_window_to_lonlat_bbox,
    window_geometry,
)
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.ground import pixel_size_m
from tests.unit.raster.test_geo import grid_of

SINUSOIDAL = "+proj=sinu +R=6371007.181 +units=m"
HIMAWARI = "+proj=geos +h=35785831 +lon_0=140.7 +sweep=y"
GOES = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x"


def disk(crs: str, px: float = 10_000.0) -> Grid:
    side = round(11_000_000 / px)
    return grid_of(crs, (px, 0, -5_500_000, 0, -px, 5_500_000), side, side)


def windows_of(grid: Grid, side: int = 130, step: int = 117) -> list[tuple[int, int, int, int]]:
    return [(x, y, x + side, y + side) for x in range(0, grid.width, step) for y in range(0, grid.height, step)]


def places_in(grid: Grid, window: tuple[int, int, int, int], side: int = 31) -> tuple[NDArray[np.float64], ...]:
    """Longitudes and latitudes of points in the part of a window inside the scene; nothing but pyproj."""
    x0, y0, x1, y1 = window
    cols, rows = np.meshgrid(np.linspace(x0, min(x1, grid.width), side), np.linspace(y0, min(y1, grid.height), side))
    a, b, c, d, e, f = grid.transform
    x, y = (a * cols + b * rows + c).ravel(), (d * cols + e * rows + f).ravel()
    known = Transformer.from_crs(grid.crs_wkt, "EPSG:4326", always_xy=True)
    lon, lat = known.transform(x, y)
    back = known.transform(lon, lat, direction="INVERSE")
    there = np.isfinite(lon) & (np.abs(back[0] - x) < 1000) & (np.abs(back[1] - y) < 1000)
    return lon[there], lat[there]


GRIDS = {
    "disk": disk(HIMAWARI),
    "disk in the west": disk(GOES),
    "sinusoidal": grid_of(SINUSOIDAL, (20_000, 0, -20_015_109, 0, -20_000, 10_007_554), 2002, 1001),
    "oval": grid_of("+proj=moll", (20_000, 0, -18_100_000, 0, -20_000, 9_100_000), 1810, 910),
    "half an oval": grid_of("+proj=moll", (20_000, 0, -18_100_000, 0, -20_000, 9_100_000), 905, 910),
    "arctic": grid_of("EPSG:3413", (12_500, 0, -3_850_000, 0, -12_500, 5_850_000), 608, 896),
    "antarctic": grid_of("EPSG:3031", (5000, 0, -3_333_500, 0, -5000, 3_333_500), 1334, 1334),
    "pole on edges": grid_of("EPSG:3413", (1000, 0, -450_000, 0, -1000, 450_000), 900, 900),
    "far east": grid_of("EPSG:32601", (1000, 0, 166_000, 0, -1000, 5_000_000), 600, 300),
    "fiji": grid_of("EPSG:3460", (2000, 0, 1_000_000, 0, -2000, 4_600_000), 900, 700),
}


@pytest.mark.parametrize("name", GRIDS)
def test_boxes_hold_what_windows_show_and_stay_on_the_globe(name: str) -> None:
    grid = GRIDS[name]
    windows = windows_of(grid)
    boxes = lonlat_boxes(grid, windows)
    for window, (west, south, east, north) in zip(windows, boxes, strict=True):
        lon, lat = places_in(grid, window)
        if not len(lon):
            assert np.isnan(west)
            continue
        assert -180 <= west <= 180
        assert -180 <= east <= 180
        assert -90 <= south < north <= 90
        assert west != east
        width = (east - west) % 360 or 360.0
        off = np.abs(lat) < 89.999
        slack = 0.05 * width
        assert (((lon[off] - west + slack) % 360) <= width + 2 * slack).all(), window
        assert (lat >= south - 0.05 * (north - south)).all()
        assert (lat <= north + 0.05 * (north - south)).all()


def test_a_disk_has_the_box_and_outline_of_its_part_on_the_earth() -> None:
    grid = disk(GOES)
    bbox = pixel_window_to_lonlat_bbox(grid, grid.window)
    assert bbox == pytest.approx((-156.3, -81.33, 6.3, 81.33), abs=0.05)
    outline = shape(window_geometry(grid, grid.window))
    assert outline.is_valid
    assert outline.covers(Point(-75, 0))
    assert outline.covers(Point(-75, 80))
    assert not outline.covers(Point(0, 75))  # in the box, and behind the limb
    assert outline.area < 0.95 * box(*bbox or ()).area
    over_180 = disk(HIMAWARI)
    assert pixel_window_to_lonlat_bbox(over_180, over_180.window) == pytest.approx(
        (59.4, -81.33, -138, 81.33), abs=0.05
    )
    halves = shape(window_geometry(over_180, over_180.window))
    assert halves.is_valid
    assert halves.geom_type == "MultiPolygon"
    assert halves.covers(Point(179.9, 0))
    assert halves.covers(Point(-179.9, 0))
    assert not halves.intersects(Point(0, 0))


def test_the_limb_is_found_to_a_pixel() -> None:
    """The horizon of a satellite 35,785,831 m above the equator lies where its line of sight touches the ellipsoid."""
    grid = disk(HIMAWARI, 5000.0)
    a, distance = 6_378_137.0, 6_378_137.0 + 35_785_831
    west, _, _, _ = pixel_window_to_lonlat_bbox(grid, grid.window) or (0.0,) * 4
    assert 140.7 - west == pytest.approx(np.degrees(np.arccos(a / distance)), abs=0.01)


def test_patches_in_space_have_no_place() -> None:
    grid = disk(HIMAWARI)
    corner = (0, 0, 100, 100)
    assert pixel_window_to_lonlat_bbox(grid, corner) is None
    assert window_geometry(grid, corner) is None
    space = grid_of(HIMAWARI, (1000, 0, -5_500_000, 0, -1000, 5_500_000), 100, 100)
    assert np.isnan(lonlat_boxes(space, [space.window])).all()


def test_a_tile_beside_the_map_is_not_taken_for_the_other_side_of_the_earth() -> None:
    beside = grid_of(SINUSOIDAL, (926.625, 0, -20_015_109.354, 0, -926.625, 6_671_703.118), 1200, 1200)
    assert pixel_window_to_lonlat_bbox(beside, beside.window) is None
    inside = grid_of(SINUSOIDAL, (926.625, 0, -11_119_505.197, 0, -926.625, 4_447_802.079), 1200, 1200)
    assert pixel_window_to_lonlat_bbox(inside, inside.window) == pytest.approx((-130.5407, 30, -103.9231, 40), abs=1e-3)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((400, 400, 500, 500), (-180, 180, 90)),  # around it
        ((450, 450, 550, 550), (-45, 45, 90)),  # at a corner: a quarter
        ((350, 350, 450, 450), (135, -135, 90)),
        ((400, 450, 500, 550), (-135, 45, 90)),  # on an edge: a half
    ],
)
def test_a_pole_inside_at_a_corner_and_on_an_edge(
    window: tuple[int, int, int, int], expected: tuple[float, float, float]
) -> None:
    west, _, east, north = pixel_window_to_lonlat_bbox(GRIDS["pole on edges"], window) or (0.0,) * 4
    assert (west, east, north) == pytest.approx(expected, abs=1e-5)


def test_a_box_beside_a_pole_reaches_as_near_as_its_window() -> None:
    window = (427, 453, 527, 553)  # 3 km from the pole, between the points of its outline
    _, _, _, north = pixel_window_to_lonlat_bbox(GRIDS["pole on edges"], window) or (0.0,) * 4
    metres = Geod(ellps="WGS84").inv(0, north, 0, 90)[2]
    assert metres == pytest.approx(3000 / 0.97, rel=0.02)


@pytest.mark.parametrize("name", ["arctic", "antarctic", "pole on edges"])
def test_pixels_at_a_pole_have_their_size_on_the_ground(name: str) -> None:
    grid = GRIDS[name]
    assert pixel_size_m(grid) == pytest.approx((grid.transform[0],) * 2, rel=0.05)


def test_geometries_are_found_on_grids_beyond_180() -> None:
    grid = grid_of("EPSG:4326", (0.1, 0, 0, 0, -0.1, 60), 3600, 600)
    assert geometry_window(grid, box(-10, 10, -9, 11)) == (3500, 490, 3510, 500)
    assert geometry_window(grid, box(10, 10, 11, 11)) == (100, 490, 110, 500)
    across = grid_of("EPSG:4326", (0.01, 0, 177, 0, -0.01, 60), 500, 500)
    assert geometry_window(across, box(-179, 57, -178.5, 58)) == (400, 200, 450, 300)
