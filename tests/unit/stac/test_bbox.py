"""Boxes of items as catalogs write them: with heights, beyond 180, in two halves, off by half a pixel, and unusable."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.stac.bbox import item_bbox


def polygon(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([10, 50, 11, 51], (10, 50, 11, 51)),
        ([10, 50, -5, 11, 51, 300], (10, 50, 11, 51)),
        ([177.6, 60.9, -178.8, 62.65], (177.6, 60.9, -178.8, 62.65)),
        ([177.6, 60.9, 181.2, 62.65], (177.6, 60.9, -178.8, 62.65)),
        ([-181.2, 10, -179, 11], (178.8, 10, -179, 11)),
        ([190, -10, 200, 10], (-170, -10, -160, 10)),
        ([170, 10, 180, 11], (170, 10, 180, 11)),
        ([180, 10, 190, 11], (-180, 10, -170, 11)),
        ([0, -90, 360, 90], (-180, -90, 180, 90)),
        ([-180.125, -90.125, 179.875, 90.125], (-180, -90, 180, 90)),
        ([14, 47, 14, 47], (14, 47, 14, 47)),
    ],
)
def test_boxes_are_put_on_the_globe(bbox: list[float], expected: tuple[float, ...]) -> None:
    notes: list[str] = []
    assert item_bbox({"bbox": bbox}, notes) == pytest.approx(expected)
    assert notes == []


@pytest.mark.parametrize(
    "bbox",
    [[500_000, 5_600_000, 500_100, 5_600_100], [10, 51, 11, 50], [10, 95, 11, 96], [50, 170, 51, 171],
     [200, 10, 190, 11], [-900, 0, -899, 1]],
)  # fmt: skip
def test_a_bbox_that_is_none_is_said(bbox: list[float]) -> None:
    notes: list[str] = []
    assert item_bbox({"bbox": bbox}, notes) is None
    assert notes == ["The item's bbox is not in degrees of longitude and latitude"]


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        ({"type": "Polygon", "coordinates": polygon(10, 50, 11, 51)}, (10, 50, 11, 51)),
        ({"type": "Polygon", "coordinates": polygon(177, 60, 182, 61)}, (177, 60, -178, 61)),
        ({"type": "MultiPolygon", "coordinates": [polygon(177, 60, 180, 61), polygon(-180, 60, -178, 61)]},
         (177, 60, -178, 61)),
        ({"type": "MultiPolygon", "coordinates": [polygon(-180, 60, -178, 61), polygon(177, 60, 180, 61)]},
         (177, 60, -178, 61)),
        ({"type": "MultiPolygon", "coordinates": [polygon(1, 60, 2, 61), polygon(5, 62, 6, 63)]}, (1, 60, 6, 63)),
        ({"type": "Polygon", "coordinates": polygon(-180, -90, 180, 90)}, (-180, -90, 180, 90)),
        ({"type": "Point", "coordinates": [5, 6, 700]}, (5, 6, 5, 6)),
        ({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [5, 6]},
                                                       {"type": "Point", "coordinates": [7, 8]}]}, (5, 6, 7, 8)),
    ],
)  # fmt: skip
def test_without_a_bbox_the_geometry_gives_it(geometry: dict[str, Any], expected: tuple[float, ...]) -> None:
    for bbox in (None, [], ["west", 1, 2, 3], [1, 2, 3], [float("nan"), 0, 1, 1]):
        notes: list[str] = []
        assert item_bbox({"bbox": bbox, "geometry": geometry}, notes) == expected
        assert notes == []


@pytest.mark.parametrize(
    "geometry", [None, "here", {"type": "Polygon"}, {"type": "Polygon", "coordinates": []},
                 {"type": "MultiPolygon", "coordinates": [[], "x", None]}, {"type": "Point", "coordinates": [True, 1]}],
)  # fmt: skip
def test_neither(geometry: object) -> None:
    notes: list[str] = []
    assert item_bbox({"geometry": geometry}, notes) is None
    assert notes == ["The item has no usable bbox or geometry"]
