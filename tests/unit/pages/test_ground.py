"""Places in metres, and what a page's script knows of a scene."""

from __future__ import annotations

import re

import pytest
from pyproj import CRS, Transformer

from imagerag_assets.pages.ground import metres_at, place_on_page
from imagerag_assets.raster.types import Grid

MARS = 'GEOGCRS["Mars",DATUM["Mars",ELLIPSOID["Mars",3396190,169.9]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],UNIT["degree",0.0174532925199433]]'  # fmt: skip  # noqa: E501


def grid(crs: str | None, transform: tuple[float, float, float, float, float, float]) -> Grid:
    return Grid(100, 50, CRS.from_user_input(crs).to_wkt() if crs else None, transform, True)


@pytest.mark.parametrize(
    ("crs", "transform", "code"),
    [
        ("EPSG:32633", (10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633"),
        ("EPSG:4326", (0.001, 0, 15.1, 0, -0.001, -33.2), "EPSG:32733"),
        ("EPSG:2263", (10, 0, 980_000, 0, -10, 200_000), "EPSG:32618"),  # feet
    ],
)
def test_metres_of_the_scenes_projection_or_of_utm(
    crs: str, transform: tuple[float, float, float, float, float, float], code: str
) -> None:
    said = metres_at(grid(crs, transform), (20, 10, 40, 30))
    found = re.fullmatch(r"(-?\d+) E, (-?\d+) N \((.+)\)", said)
    assert found and found[3] == code
    x, y = transform[2] + 30 * transform[0], transform[5] + 20 * transform[4]
    expected = Transformer.from_crs(crs, code, always_xy=True).transform(x, y)
    assert (float(found[1]), float(found[2])) == pytest.approx(expected, abs=1)


def test_no_metres_where_there_are_none() -> None:
    assert metres_at(grid(None, (1, 0, 0, 0, 1, 0)), (0, 0, 10, 10)) == ""
    assert metres_at(grid(MARS, (0.001, 0, 15.1, 0, -0.001, 3.2)), (0, 0, 10, 10)) == ""
    assert metres_at(grid("EPSG:4326", (0.01, 0, 15.1, 0, -0.01, 89.0)), (0, 0, 10, 10)) == ""
    place = place_on_page(grid(None, (1, 0, 0, 0, 1, 0)))
    assert place["size"] == [100, 50] and {place[name] for name in ("pixel_m", "lon", "crs", "transform")} == {None}


def test_longitudes_run_on_across_the_antimeridian() -> None:
    place = place_on_page(grid("EPSG:4326", (0.01, 0, 179.5, 0, -0.01, 10.0)))
    assert place["lon"][0][0] == pytest.approx(179.5) and place["lon"][-1][-1] == pytest.approx(180.5)
    assert place["lat"][-1][0] == pytest.approx(9.5) and place["transform"] is None
    assert place["pixel_m"][1] == pytest.approx(1113.2, rel=0.01)
