"""Whether a raster lies where its item says: what is rounded, coarser or a part is fine, and elsewhere is an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.scenes.place import require_place
from tests.unit.raster.scenes import scene_of
from tests.unit.raster.test_geo import grid_of

GRID = grid_of("EPSG:4326", (0.001, 0, 14.0, 0, -0.001, 48.0), 1000, 500)  # [14, 47.5, 15, 48]
OVER_180 = grid_of("EPSG:4326", (0.004, 0, 177.7, 0, -0.002, 62.65), 900, 900)


@pytest.mark.parametrize(
    "bbox",
    [
        None,
        (14.0, 47.5, 15.0, 48.0),
        (13.9, 47.4, 15.1, 48.1),  # rounded
        (10.0, 40.0, 20.0, 50.0),  # of all that was flown
        (14.98, 47.6, 14.99, 47.7),  # of the part that holds data
        (15.0, 48.0, 16.0, 49.0),  # touches a corner
        (-180.0, -90.0, 180.0, 90.0),
    ],
)
def test_a_bbox_that_is_no_contradiction(bbox: tuple[float, float, float, float] | None) -> None:
    require_place(replace(scene_of("a.tif"), bbox=bbox), GRID)


@pytest.mark.parametrize(
    ("bbox", "said"),
    [
        ((16.0, 47.5, 17.0, 48.0), "beside the item's bbox [16.0000, 47.5000, 17.0000, 48.0000]"),
        ((14.0, -48.0, 15.0, -47.5), "beside"),
        ((-15.0, 47.5, -14.0, 48.0), "beside"),
        ((47.5, 14.0, 48.0, 15.0), "one of them gives latitude before longitude"),
        ((15.5, 47.5, 13.5, 48.0), "beside"),  # east before west: all but the scene
        ((0.0, 0.0, 0.0, 0.0), "beside"),
    ],
)
def test_a_bbox_elsewhere_names_both_boxes(bbox: tuple[float, float, float, float], said: str) -> None:
    with pytest.raises(RasterError) as error:
        require_place(replace(scene_of("a.tif"), bbox=bbox), GRID)
    assert "The raster lies at [14.0000, 47.5000, 15.0000, 48.0000], beside" in str(error.value)
    assert said in str(error.value)


def test_across_the_antimeridian() -> None:
    for bbox in ((177.6, 60.9, -178.8, 62.65), (178.0, 61.0, 179.0, 62.0), (-179.5, 61.0, -179.0, 62.0)):
        require_place(replace(scene_of("a.tif"), bbox=bbox), OVER_180)
    with pytest.raises(RasterError, match="beside"):
        require_place(replace(scene_of("a.tif"), bbox=(-175.0, 61.0, -174.0, 62.0)), OVER_180)


def test_a_raster_far_larger_than_its_item() -> None:
    wide = grid_of("EPSG:4326", (0.116, 0, -58.0, 0, -0.002, 62.65), 1000, 900)  # 116 degrees, as of 3.6
    with pytest.raises(RasterError, match="far larger than the item's bbox"):
        require_place(replace(scene_of("a.tif"), bbox=(0.0, 60.9, 1.0, 62.65)), wide)
    require_place(replace(scene_of("a.tif"), bbox=(-50.0, 60.9, 50.0, 62.65)), wide)


def test_places_that_cannot_be_compared() -> None:
    elsewhere = replace(scene_of("a.tif"), bbox=(100.0, 0.0, 101.0, 1.0))
    require_place(elsewhere, grid_of(None, (1, 0, 0, 0, 1, 0)))
    require_place(elsewhere, grid_of("+proj=eqc +a=3396190 +b=3396190 +units=m", (5, 0, 0, 0, -5, 0)))
