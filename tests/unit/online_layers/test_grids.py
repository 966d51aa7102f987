from __future__ import annotations

import pytest
from pyproj import Transformer

from imagerag_assets.errors import SourceError
from imagerag_assets.online_layers.grids import TileGrid, cover, web_grid

MOST = 10**8


def test_the_tile_of_a_place() -> None:
    found = cover(web_grid(12), (9.1, 48.7, 9.2, 48.8), MOST, "layer")
    assert found.tiles[0] == (2151, 1410)  # by the formula of the web map
    assert found.tiles[-1] == (2152, 1411)
    west, north = found.transform * (0, 0)
    left, top = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(9.1, 48.8)
    assert 0 <= left - west < 38.3 and 0 <= north - top < 38.3  # a pixel is 38.2 m


def test_a_box_of_one_tile_takes_no_neighbour() -> None:
    grid = web_grid(1)
    found = cover(grid, (-180, 0, 0, 85.0511287798066), MOST, "layer")
    assert found.tiles == [(0, 0)]
    assert (found.width, found.height) == (256, 256)
    whole = cover(grid, (-180, -90, 180, 90), MOST, "layer")
    assert (whole.width, whole.height, len(whole.tiles)) == (512, 512, 4)


def test_larger_tiles_are_the_same_pixels() -> None:
    box = (9.1, 48.7, 9.2, 48.8)
    small, large = cover(web_grid(12), box, MOST, "x"), cover(web_grid(12, 1024), box, MOST, "x")
    assert (small.x0, small.y0, small.x1, small.y1) == (large.x0, large.y0, large.x1, large.y1)
    assert len(large.tiles) < len(small.tiles)
    assert web_grid(0, 1024).tile_px == 256


@pytest.mark.parametrize(
    ("box", "zoom", "said"),
    [
        ((9.1, 48.7, 9.1001, 48.7001), 3, "only"),
        ((9.1, 48.7, 19.2, 58.8), 20, "IMAGERAG_LAYER_PIXELS"),
        ((9.1, 86, 9.2, 87), 12, "outside"),
    ],
)
def test_boxes_that_cannot_be_fetched(box: tuple[float, float, float, float], zoom: int, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        cover(web_grid(zoom), box, MOST, "layer")


def test_a_box_outside_of_a_national_grid() -> None:
    grid = TileGrid("EPSG:25832", 280_000, 6_100_000, 10, 256, 100, 100, "5")
    assert cover(grid, (9.1, 54.0, 9.2, 54.1), MOST, "layer").tiles
    for box in ((-60.0, 0.0, -59.0, 1.0), (9.1, 48.0, 9.2, 48.1)):
        with pytest.raises(SourceError, match="outside"):
            cover(grid, box, MOST, "layer")
