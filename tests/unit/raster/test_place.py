"""The place of a file: its own, of control points or polynomials, as the item says, by its footprint, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import Affine, RPCTransformer, from_gcps, from_origin

from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.place import Place, place_of
from imagerag_assets.raster.types import Grid
from imagerag_assets.stac.types import ItemPlace
from tests.unit.raster.scenes import identity_grid, write_tiff

WIDTH, HEIGHT = 120, 80
UTM33 = CRS.from_epsg(32633).to_wkt()
AT_UTM33 = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)


def write(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), **profile: Any) -> Path:
    return write_tiff(path, np.full((1, size[1], size[0]), 7, np.uint8), **identity_grid() | profile)


def place(
    path: Path, said: ItemPlace | None = None, geometry: dict[str, Any] | None = None
) -> tuple[Place, tuple[float, ...] | None]:
    with rasterio.open(path) as dataset:
        found = place_of(dataset, said, geometry)
        grid = Grid(dataset.width, dataset.height, found.crs_wkt, found.transform, False)
    return found, pixel_window_to_lonlat_bbox(grid, grid.window)


def polynomials(lon: float, lat: float, **changed: Any) -> RPC:
    """A nearly straight camera 0.1 by 0.12 degrees wide; every metre of height moves the picture a little."""

    def terms(**values: float) -> list[float]:
        return [values.get(f"c{index}", 0.0) for index in range(20)]

    given: dict[str, Any] = {
        "height_off": 120.0, "height_scale": 500.0, "lat_off": lat, "lat_scale": 0.05, "long_off": lon,
        "long_scale": 0.06, "line_off": HEIGHT / 2, "line_scale": HEIGHT / 2, "samp_off": WIDTH / 2,
        "samp_scale": WIDTH / 2, "line_num_coeff": terms(c2=-1, c3=0.1), "line_den_coeff": terms(c0=1),
        "samp_num_coeff": terms(c1=1, c2=0.05, c3=0.2), "samp_den_coeff": terms(c0=1),
    }  # fmt: skip
    return RPC(**given | changed)


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


# -- The file's own ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [from_origin(500_000, 5_300_000, 10, 10), Affine(10, 0, 500_000, 0, 10, 5_299_200),
     from_origin(500_000, 5_300_000, 10, 10) * Affine.rotation(30)],
)  # fmt: skip
def test_north_up_south_up_and_turned_files_keep_their_transform(tmp_path: Path, transform: Affine) -> None:
    path = write(tmp_path / "a.tif", crs="EPSG:32633", transform=transform)
    found, _ = place(path, ItemPlace("EPSG:32631", AT_UTM33), rectangle(0, 0, 1, 1))
    assert (found.own, found.approximate, found.notes) == (True, False, ())
    assert found.transform == pytest.approx(tuple(transform)[:6])


def test_pixel_is_point_moves_by_half_a_pixel(tmp_path: Path) -> None:
    at = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 10, 10)}
    path = write(tmp_path / "a.tif", **at)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT="Point")
    tie_point = write(tmp_path / "b.tif", **at)
    with rasterio.Env(GTIFF_POINT_GEO_IGNORE=True), rasterio.open(tie_point, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT="Point")
        dataset.transform = at["transform"]
    assert place(path)[0].transform == AT_UTM33
    assert place(tie_point)[0].transform == pytest.approx((10, 0, 499_995, 0, -10, 5_300_005))


@pytest.mark.parametrize(
    ("profile", "note"),
    [
        ({"crs": 'LOCAL_CS["Site grid",UNIT["metre",1]]', "transform": from_origin(0, 9, 1, 1)}, "local coordinate"),
        ({}, "no CRS: windows are in pixels only"),
        ({"crs": "EPSG:32633"}, "no transform: windows are in pixels only"),
        ({"crs": "EPSG:32633", "transform": Affine(0, 0, 5, 0, 0, 5)}, "no transform"),
        ({"transform": from_origin(0, 9, 1, 1)}, "no CRS"),
        ({"crs": "EPSG:4978", "transform": from_origin(0, 9, 1, 1)}, "has no x and y on the ground"),
    ],
)
def test_no_place_is_said(tmp_path: Path, profile: dict[str, Any], note: str) -> None:
    found, bbox = place(write(tmp_path / "a.tif", **profile))
    assert (found.crs_wkt, bbox) == (None, None)
    assert note in " ".join(found.notes)


# -- Control points and polynomials ------------------------------------------------------------------------------------


def over_180(side: int = 6) -> list[GroundControlPoint]:
    return [
        GroundControlPoint(row, col, (177.7 + 3.5 * col / 900 + 180) % 360 - 180, 62.65 - 1.75 * row / 900)
        for row in np.linspace(0, 900, side)
        for col in np.linspace(0, 900, side)
    ]


def test_control_points_across_the_antimeridian(tmp_path: Path) -> None:
    found, bbox = place(write(tmp_path / "a.tif", (900, 900), gcps=over_180(), crs="EPSG:4326"))
    assert bbox == pytest.approx((177.7, 60.9, -178.8, 62.65))
    assert found.approximate
    assert found.notes == ("ground control points only: approximate footprint (up to 0.0 px off at 36 points)",)


def test_control_points_agree_with_gdal(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    points = [
        GroundControlPoint(row, col, 500_000 + 10 * col + rng.normal(), 5_300_000 - 10 * row + rng.normal())
        for row in (0, 40, 80)
        for col in (0, 60, 120)
    ]
    found, _ = place(write(tmp_path / "a.tif", gcps=points, crs="EPSG:32633"))
    assert found.transform == pytest.approx(tuple(from_gcps(points))[:6], rel=1e-9, abs=1e-6)


def test_a_wrong_control_point_is_named_and_bad_ones_give_way(tmp_path: Path) -> None:
    points = over_180()
    points[14] = GroundControlPoint(points[14].row, points[14].col, 10.0, 20.0)
    found, bbox = place(write(tmp_path / "a.tif", (900, 900), gcps=points, crs="EPSG:4326"))
    assert bbox == pytest.approx((177.7, 60.9, -178.8, 62.65))
    assert "at 35 points without point 15 (48,541 px off)" in found.notes[0]
    one_line = write(tmp_path / "b.tif", gcps=over_180()[:6], crs="EPSG:4326")
    found, bbox = place(one_line)
    assert bbox is None
    assert found.notes == (
        "ground control points are not used: all 6 lie on a line of the picture",
        "no CRS: windows are in pixels only",
    )
    found, _ = place(one_line, ItemPlace("EPSG:32633", AT_UTM33))
    assert found.transform == AT_UTM33


@pytest.mark.parametrize("lon", [11.0, 179.99])
def test_polynomials_give_an_approximate_place(tmp_path: Path, lon: float) -> None:
    rpcs = polynomials(lon, 48.0)
    found, bbox = place(write(tmp_path / "a.tif", rpcs=rpcs))
    assert found.approximate
    assert "RPCs) only: approximate place, for ground at 120 m (fitted to 0.0 px)" in found.notes[0]
    with RPCTransformer(rpcs, rpc_height=120.0) as known:
        lons, lats = known.xy([0, 0, HEIGHT, HEIGHT], [0, WIDTH, WIDTH, 0], offset="ul")
    west, east = ((edge + 180) % 360 - 180 for edge in (min(lons), max(lons)))
    assert bbox == pytest.approx((west, min(lats), east, max(lats)), abs=1e-6)


@pytest.mark.parametrize(
    "changed",
    [{"samp_num_coeff": [0.0] * 20}, {"line_den_coeff": [0.0] * 20}, {"lat_scale": 0.0}, {"lat_off": 5e7},
     {"line_off": 1e7}],
)  # fmt: skip
def test_polynomials_that_lead_nowhere_give_way(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", rpcs=polynomials(11.0, 48.0, **changed))
    found, bbox = place(path)
    assert bbox is None
    assert found.notes[0].startswith("rational polynomials (RPCs) are not used: they ")
    assert place(path, ItemPlace("EPSG:32633", AT_UTM33))[0].transform == AT_UTM33


# -- As the item says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        ItemPlace("EPSG:32633", AT_UTM33),
        ItemPlace("EPSG:32633", AT_UTM33, shape=(HEIGHT, WIDTH)),
        ItemPlace(UTM33, AT_UTM33, bbox=(500_000, 5_299_200, 501_200, 5_300_000)),
        ItemPlace(CRS.from_epsg(32633).to_json(), bbox=(500_000, 5_299_200, 501_200, 5_300_000)),
        ItemPlace("EPSG:32633", bbox=(500_000, 5_299_200, 501_200, 5_300_000), shape=(HEIGHT, WIDTH)),
        # A picture of half the size, and a transform that is of the original.
        ItemPlace("EPSG:32633", (5.0, 0.0, 500_000.0, 0.0, -5.0, 5_300_000.0), shape=(2 * HEIGHT, 2 * WIDTH)),
        ItemPlace("EPSG:32633", (1.0, 0.0, 5e5, 0.0, -1.0, 5.3e6), bbox=(500_000, 5_299_200, 501_200, 5_300_000)),
        # In the order of GDAL.
        ItemPlace("EPSG:32633", (500_000.0, 10.0, 0.0, 5_300_000.0, 0.0, -10.0)),
    ],
)
def test_the_items_fields_place_a_file_without_georeferencing(tmp_path: Path, said: ItemPlace) -> None:
    found, _ = place(write(tmp_path / "a.tif"), said)
    assert (found.own, found.approximate) == (False, False)
    assert CRS.from_wkt(found.crs_wkt or "").to_epsg() == 32633
    assert found.transform == pytest.approx(AT_UTM33)
    assert "place from the item's proj fields" in found.notes[-1]


def test_a_box_in_degrees_has_the_shape_of_the_picture_in_degrees_or_on_the_ground(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    for degrees in (WIDTH / HEIGHT, WIDTH / HEIGHT / np.cos(np.radians(60.05))):
        box = (15.0, 60.0, 15.0 + 0.1 * degrees, 60.1)
        found, bbox = place(path, ItemPlace("EPSG:4326", bbox=box))
        assert bbox == pytest.approx(box)
        assert not found.approximate


def test_a_file_and_its_item_may_each_know_a_half(tmp_path: Path) -> None:
    world_file = write(tmp_path / "a.tif", transform=from_origin(600_000, 5_300_000, 10, 10))
    found, _ = place(world_file, ItemPlace("EPSG:32633", AT_UTM33))
    assert found.transform[2] == 600_000
    only_crs = write(tmp_path / "b.tif", crs="EPSG:32632")
    found, _ = place(only_crs, ItemPlace("EPSG:32633", AT_UTM33))
    assert CRS.from_wkt(found.crs_wkt or "").to_epsg() == 32632
    assert found.transform == AT_UTM33


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (ItemPlace("EPSG:99999", AT_UTM33), "the item's CRS is not known (EPSG:99999)"),
        (ItemPlace("EPSG:4978", AT_UTM33), "the item's CRS is not used"),
        (ItemPlace("no CRS at all", AT_UTM33), "is not known"),
        (ItemPlace(None, AT_UTM33), "no CRS"),
        (ItemPlace("EPSG:32633"), "no CRS"),
        (ItemPlace("EPSG:32633", AT_UTM33, shape=(HEIGHT, HEIGHT)), "80 x 80 px is of another picture"),
        (ItemPlace("EPSG:32633", (0.0, 0.0, 5.0, 0.0, 0.0, 5.0)), "no CRS"),
        (ItemPlace("EPSG:32633", bbox=(500_000, 5_299_200, 500_800, 5_300_000)), "does not have the shape"),
        (ItemPlace("EPSG:32633", bbox=(500_000, 5_300_000, 500_000, 5_300_000)), "no CRS"),
    ],
)
def test_fields_that_give_no_place(tmp_path: Path, said: ItemPlace, note: str) -> None:
    found, bbox = place(write(tmp_path / "a.tif"), said)
    assert bbox is None
    assert any(note in each for each in found.notes), found.notes
    assert found.notes[-1] == "no CRS: windows are in pixels only"


# -- By the footprint --------------------------------------------------------------------------------------------------


def test_four_corners_in_the_pictures_shape_place_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    # 120 x 80 px as 0.03 degrees of longitude at 60 north, half as wide on the ground, and 0.01 of latitude.
    found, bbox = place(path, geometry=rectangle(10.0, 60.0, 10.03, 60.01))
    assert bbox == pytest.approx((10.0, 60.0, 10.03, 60.01), abs=1e-6)
    assert (found.own, found.approximate) == (False, True)
    assert found.notes == ("no CRS: approximate place, the corners of the item's geometry, north taken as up",)
    halves = {
        "type": "MultiPolygon",
        "coordinates": [rectangle(179.99, 60.0, 180.0, 60.01)["coordinates"],
                        rectangle(-180.0, 60.0, -179.98, 60.01)["coordinates"]],
    }  # fmt: skip
    assert place(path, geometry=halves)[1] == pytest.approx((179.99, 60.0, -179.98, 60.01), abs=1e-6)
    turned = {"type": "Polygon", "coordinates": [[[0.1, 0.0], [1.6, 0.1], [1.534, 1.094], [0.034, 0.994], [0.1, 0.0]]]}
    found, _ = place(path, geometry=turned)
    a, b, c, d, e, f = found.transform
    assert CRS.from_wkt(found.crs_wkt or "").is_geographic
    assert (c, f) == pytest.approx((0.034, 0.994), abs=1e-6)
    assert (a * WIDTH + c, d * WIDTH + f) == pytest.approx((1.534, 1.094), abs=1e-6)
    assert (b * HEIGHT + c, e * HEIGHT + f) == pytest.approx((0.1, 0.0), abs=1e-6)


@pytest.mark.parametrize(
    "geometry",
    [
        rectangle(14.0, 47.0, 15.0, 48.0),  # the box around something
        {"type": "Polygon", "coordinates": [[[0, -1], [1.5, 0], [0.5, 1], [-1, 0], [0, -1]]]},  # turned: which is up?
        {"type": "Polygon", "coordinates": [[[0, 0], [1.5, 0], [1.0, 1], [0.5, 1], [0, 0]]]},  # not a picture's outline
        {"type": "Polygon", "coordinates": [[[0, 0], [1.5, 0], [0, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1.5, 1], [1.5, 0], [0, 1], [0, 0]]]},
        rectangle(0.0, 0.0, 0.0, 0.0),
        rectangle(0.0, 95.0, 1.5, 96.0),
        rectangle(-180, -90, 180, 90),
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": "here"},
        {"type": "Nonsense"},
        {},
    ],
)  # fmt: skip
def test_other_footprints_give_no_place(tmp_path: Path, geometry: dict[str, Any]) -> None:
    found, bbox = place(write(tmp_path / "a.tif"), geometry=geometry)
    assert bbox is None
    assert found.notes[-1] == "no CRS: windows are in pixels only"
