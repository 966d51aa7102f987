"""Where a scene's pyramid starts: nested levels, the same ground on any imagery, and a safe start where unknown."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS
from rasterio.transform import Affine, from_origin

from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.names import in_pixels
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.patches.supertiles import supertile_count, supertiles
from imagerag_assets.raster.ground_distance import mean_pixel_m
from imagerag_assets.raster.types import Grid
from imagerag_assets.settings import Settings, load_settings

METRES = Recipe(patch_m=76.8)
UTM, DEGREES = CRS.from_epsg(32632).to_wkt(), CRS.from_epsg(4326).to_wkt()


def grid_of(transform: Affine, side: int = 3000, crs: str | None = UTM) -> Grid:
    return Grid(side, side, crs, tuple(transform)[:6], has_overviews=True)  # type: ignore[arg-type]


def utm(metres: float, side: int = 3000) -> Grid:
    return grid_of(from_origin(500_000, 5_300_000, metres, metres), side)


@pytest.mark.parametrize(
    ("metres", "side", "level", "said"),
    [
        (0.3, 3000, 0, "256 px = 76.8 m"),
        (0.4, 3000, 0, "256 px = 102."),  # nearer than 51.2 m
        (0.6, 3000, -1, "128 px = 76.8 m"),
        (1.2, 3000, -2, "64 px = 76.8 m"),
        (2.4, 3000, -3, "32 px = 76.8 m"),
        (10, 3000, -2, "a patch keeps 64 px a side"),
        (10, 20_000, -1, "at most 200,000 patches"),
        (10, 60_000, 0, "at most 200,000 patches"),
        (0.03, 9000, 3, "2048 px = 61."),
        (0.01, 700, 1, "the scene is no larger"),
    ],
)
def test_the_smallest_patch_covers_the_same_ground_within_bounds(
    metres: float, side: int, level: int, said: str
) -> None:
    grid = utm(metres, side)
    start = METRES.start_for(grid)
    assert start is not None and start.known
    assert (start.level, said in start.why) == (level, True), start.why
    cut = METRES.division_for(grid)
    assert cut.levels(side, side)[0] == level
    assert level >= 0 or cut.count(side, side) <= METRES.finer_patches
    assert cut.key == METRES.division_key == "pyramid-m76.8"


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (grid_of(Affine.identity(), crs=None), "no place on the ground"),
        (utm(10_000, 30), "m a pixel is not plausible"),
        (utm(0.0), "0 m a pixel is not plausible"),
        (utm(1e-5), "e-05 m a pixel is not plausible"),
        (grid_of(from_origin(np.nan, np.nan, 1, 1)), "no place on the ground"),
    ],
)
def test_an_unknown_or_absurd_ground_distance_falls_back_to_pixels(grid: Grid, said: str) -> None:
    start = METRES.start_for(grid)
    assert start is not None and not start.known
    assert start.level == 0 and start.why.startswith("in pixels (256 px): ") and said in start.why
    same = division("pyramid").patches(grid.width, grid.height)
    assert list(METRES.division_for(grid).patches(grid.width, grid.height)) == list(same)


def test_ground_distance_does_not_depend_on_turn_shape_or_units() -> None:
    place = Affine.translation(500_000, 5_300_000)
    for transform in (Affine.scale(0.6, 0.6), Affine.rotation(45) * Affine.scale(0.6), Affine.scale(1.2, -0.3)):
        assert mean_pixel_m(grid_of(place * transform)) == pytest.approx(0.6, rel=0.01)
    degrees = grid_of(from_origin(11, 60, 1e-5, 1e-5), crs=DEGREES)
    assert mean_pixel_m(degrees) == pytest.approx(1.114 * 0.5**0.5, rel=0.01)  # a degree east is half a degree north
    centimetre = mean_pixel_m(utm(0.01))
    assert centimetre == pytest.approx(0.01, rel=0.01)


def test_finer_and_left_out_levels_are_those_of_one_pyramid() -> None:
    cut, usual = METRES.division_for(utm(1.2)), division("pyramid")
    windows = {
        each.level: {p.window for p in cut.patches(3000, 3000) if p.level == each.level}
        for each in cut.grids(3000, 3000)
    }
    assert sorted(windows) == [-2, -1, 0, 1, 2, 3]
    for level in range(4):
        assert windows[level] == {p.window for p in usual.patches(3000, 3000) if p.level == level}
    inside = {(x0, y0) for x0, y0, _, _ in windows[-1]}
    assert sum(start in {(x, y) for x, y, _, _ in windows[-2]} for start in inside) >= 0.9 * len(inside)  # but borders
    tiles = list(supertiles(cut, 3000, 3000))
    assert len(tiles) == supertile_count(cut, 3000, 3000)
    assert min(tile.level for tile in tiles) == 0
    assert sum(len(tile.patches) for tile in tiles) == cut.count(3000, 3000)
    smallest = next(patch for tile in tiles for patch in tile.patches if patch.level == -2)
    rows, cols = next(tile for tile in tiles if smallest in tile.patches).cut(smallest)
    assert (rows.stop - rows.start, cols.stop - cols.start) == (64, 64)
    left_out = METRES.division_for(utm(0.03, 9000))
    assert [grid.read_level for grid in left_out.grids(9000, 9000)] == list(left_out.levels(9000, 9000)) == [3, 4, 5]


def test_a_layout_tags_the_key_and_comes_back_from_what_is_stored(settings: Settings) -> None:
    assert (Recipe().division_key, Recipe().suffix) == ("pyramid", "")
    assert METRES.suffix == "_pyramid_m76p8"
    other = Recipe(patch_px=192, patch_m=40, finer_patches=500, min_valid_fraction=0.2)
    assert other.key == "pyramid-p192-o0.5-m40-n500-v0.2"
    assert in_pixels(other.division_key) == "pyramid-p192-o0.5" and in_pixels("cc") == "cc"
    for recipe in (METRES, other, Recipe()):
        assert Recipe.from_dict(recipe.to_dict()) == recipe
        assert Recipe.of(load_settings(home=settings.home, _env_file=None, **recipe.settings)) == recipe
    assert "patch_m" not in Recipe().to_dict()  # as it was before there was a choice
    by_encoder = load_settings(home=settings.home, patch_m="encoder", _env_file=None)
    assert Recipe.of(by_encoder, taught_m=50).division_key == "pyramid-m50"
    assert Recipe.of(by_encoder).division_key == "pyramid"
    assert Recipe.of(by_encoder, "cc", taught_m=50) == Recipe("cc")
