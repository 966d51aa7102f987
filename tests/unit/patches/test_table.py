"""The patch table: columns, types, places, and what a scene without a place gives."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.table import COLUMNS, patch_table
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.types import Grid

UTM60 = rasterio.CRS.from_epsg(32660).to_wkt()


def test_a_row_per_patch_with_window_and_place(tmp_path: Path) -> None:
    grid = Grid(1000, 800, UTM60, (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0), has_overviews=True)
    patches = list(division("pyramid").patches(grid.width, grid.height))
    table = patch_table("a", "pyramid", patches, grid, np.linspace(0, 1, len(patches)))
    assert tuple(table.columns) == COLUMNS
    assert table.patch_id.is_unique
    assert table.patch_id[0] == "a:pyramid:0:0:0"
    assert [str(table[name].dtype) for name in ("level", "x0", "west", "valid_fraction")] == [
        "int8", "int32", "float64", "float32",
    ]  # fmt: skip
    last = table.iloc[-1]
    window = (int(last.x0), int(last.y0), int(last.x1), int(last.y1))
    assert tuple(last[["west", "south", "east", "north"]]) == pytest.approx(pixel_window_to_lonlat_bbox(grid, window))
    table.to_parquet(tmp_path / "table.parquet")
    assert gpd.read_parquet(tmp_path / "table.parquet").equals(table)


def test_without_crs_places_are_nan_and_geometry_none(tmp_path: Path) -> None:
    grid = Grid(300, 300, None, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), has_overviews=False)
    patches = list(division("vit").patches(300, 300))
    table = patch_table("a", "vit", patches, grid, [1.0])
    assert table[["west", "south", "east", "north"]].isna().all(axis=None)
    assert table.geometry.isna().all()
    table.to_parquet(tmp_path / "table.parquet")


def test_across_the_antimeridian_a_patch_has_two_boxes() -> None:
    grid = Grid(2325, 2355, UTM60, (100.0, 0.0, 570_585.0, 0.0, -100.0, 5_847_615.0), has_overviews=True)
    patches = list(division("grid").patches(grid.width, grid.height))
    table = patch_table("a", "grid", patches, grid, np.ones(len(patches)))
    across = table.west > table.east
    assert 0 < across.sum() < len(table)
    assert set(table[across].geom_type) == {"MultiPolygon"}
    assert set(table[~across].geom_type) == {"Polygon"}
    assert table.geometry.is_valid.all()


def test_an_empty_table_has_the_same_columns() -> None:
    grid = Grid(300, 300, UTM60, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), has_overviews=False)
    table = patch_table("a", "vit", [], grid, [])
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 0
