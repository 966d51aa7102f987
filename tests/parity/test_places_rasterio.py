"""Boxes of windows against rasterio's, on grids without a pole or an edge."""

from __future__ import annotations

import pytest
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from tests.unit.raster.test_geo import grid_of

GRIDS = {
    "utm": ("EPSG:32633", Affine(10, 0, 500_000, 0, -10, 5_300_000)),
    "utm in the south": ("EPSG:32719", Affine(10, 0, 300_000, 0, -10, 6_300_000)),
    "south up": ("EPSG:32633", Affine(10, 0, 500_000, 0, 10, 5_300_000)),
    "mercator": ("EPSG:3857", Affine(100, 0, 1_500_000, 0, -100, 6_000_000)),
    "lambert": ("EPSG:2154", Affine(25, 0, 600_000, 0, -25, 6_800_000)),
    "swiss": ("EPSG:2056", Affine(2, 0, 2_600_000, 0, -2, 1_200_000)),
    "feet": ("EPSG:2263", Affine(3, 0, 980_000, 0, -3, 200_000)),
    "equal area": ("EPSG:6933", Affine(1000, 0, 2_000_000, 0, -1000, 3_000_000)),
    "polar, beside the pole": ("EPSG:3413", Affine(100, 0, 500_000, 0, -100, -500_000)),
    "another datum": ("EPSG:4267", Affine(0.001, 0, -100, 0, -0.001, 40)),
    "sinusoidal": ("+proj=sinu +R=6371007.181 +units=m", Affine(463, 0, 1_111_950, 0, -463, 5_559_752)),
    "seen from orbit": ("+proj=geos +h=35785831 +lon_0=0", Affine(1000, 0, -500_000, 0, -1000, 4_500_000)),
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("window", [(0, 0, 1000, 1000), (100, 200, 324, 424), (996, 3, 997, 4)])
def test_boxes_agree_with_rasterio(name: str, window: tuple[int, int, int, int]) -> None:
    crs, transform = GRIDS[name]
    grid = grid_of(crs, tuple(transform)[:6])
    x0, y0, x1, y1 = window
    (left, top), (right, bottom) = transform @ (x0, y0), transform @ (x1, y1)
    expected = transform_bounds(
        grid.crs_wkt, "EPSG:4326", left, min(top, bottom), right, max(top, bottom), densify_pts=21
    )
    found = pixel_window_to_lonlat_bbox(grid, window)
    size = max(expected[2] - expected[0], expected[3] - expected[1])
    assert found == pytest.approx(expected, abs=1e-7 + 0.005 * size)


@pytest.mark.parametrize(("lon", "zone"), [(177.5, 60), (-177.5, 1)])
def test_boxes_across_the_antimeridian_agree_with_rasterio(lon: float, zone: int) -> None:
    left = 650_000 if lon > 0 else 250_000
    grid = grid_of(f"EPSG:326{zone:02d}", (100, 0, left, 0, -100, 6_500_000))
    expected = transform_bounds(grid.crs_wkt, "EPSG:4326", left, 6_400_000, left + 100_000, 6_500_000)
    found = pixel_window_to_lonlat_bbox(grid, grid.window)
    assert found is not None
    assert found[0] > found[2]
    assert found == pytest.approx(expected, abs=1e-3)
