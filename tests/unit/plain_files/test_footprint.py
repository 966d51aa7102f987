from __future__ import annotations

import pytest
from pyproj import Transformer
from rasterio.transform import Affine, from_origin
from shapely.geometry import shape

from imagerag_assets.plain_files.footprint import find_footprint


def test_a_grid_in_utm() -> None:
    found = find_footprint(1000, 500, from_origin(500_000, 5_300_000, 10, 10), "EPSG:32633")
    assert found is not None
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    west, north = to_degrees.transform(500_000, 5_300_000)
    assert found.bbox[0] == pytest.approx(west, abs=1e-5)
    assert found.bbox[3] == pytest.approx(north, abs=1e-4)
    outline = shape(found.geometry)
    assert outline.is_valid and outline.exterior.is_ccw
    assert outline.bounds == pytest.approx(found.bbox)


def test_a_rotated_grid_is_no_box() -> None:
    turned = Affine.translation(10, 50) * Affine.rotation(30) * Affine.scale(0.001, -0.001)
    found = find_footprint(100, 100, turned, "EPSG:4326")
    assert found is not None
    outline = shape(found.geometry)
    assert outline.area < 0.7 * outline.envelope.area


@pytest.mark.parametrize(
    ("west", "box", "kind"),
    [
        (179.5, (179.5, 9.5, -179.5, 10.0), "MultiPolygon"),
        (179.0, (179.0, 9.5, 180.0, 10.0), "Polygon"),
        (-180.0, (-180.0, 9.5, -179.0, 10.0), "Polygon"),
        (359.0, (-1.0, 9.5, 0.0, 10.0), "Polygon"),
    ],
)
def test_at_the_antimeridian(west: float, box: tuple[float, ...], kind: str) -> None:
    found = find_footprint(1000, 500, from_origin(west, 10, 0.001, 0.001), "EPSG:4326")
    assert found is not None
    assert found.bbox == pytest.approx(box)
    assert found.geometry["type"] == kind
    assert shape(found.geometry).is_valid


def test_the_whole_earth_and_a_pole() -> None:
    earth = find_footprint(360, 180, from_origin(0, 90, 1, 1), "EPSG:4326")
    pole = find_footprint(1000, 1000, from_origin(-1e6, 1e6, 2000, 2000), "EPSG:3413")
    assert earth is not None and earth.bbox == (-180, -90, 180, 90)
    assert pole is not None and pole.bbox[3] == 90 and pole.bbox[1] > 70


@pytest.mark.parametrize(
    ("crs", "left"),
    [
        ('LOCAL_CS["site",UNIT["metre",1]]', 0.0),
        ('ENGCRS["site",EDATUM["x"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]', 0.0),
        ("EPSG:32633", 1e9),
    ],
)
def test_without_a_place_on_earth(crs: str, left: float) -> None:
    assert find_footprint(10, 10, from_origin(left, 10, 1, 1), crs) is None
