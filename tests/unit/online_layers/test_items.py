"""Layers from a real server: their items, their pixels, and what is told of tiles that do not come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from pyproj import Transformer

from imagerag_assets.errors import ImageRAGError, RasterError, SourceError
from imagerag_assets.objects.store import open_store
from imagerag_assets.online_layers.address import layer_source, parse_layer
from imagerag_assets.online_layers.items import fetch, item_of_layer, layer_key
from imagerag_assets.settings import Settings, load_settings
from tests.tile_server import TileServer, capabilities, picture

BOX = (9.1, 48.7, 9.3, 48.8)
ZOOM = 12


def make(server: TileServer, settings: Settings, path: str = "/xyz/{z}/{x}/{y}.png", **options: Any) -> dict[str, Any]:
    source = layer_source(server.url + path, **{"bbox": BOX, "zoom": ZOOM} | options)
    return item_of_layer(parse_layer(source), settings)


def raster(item: dict[str, Any], settings: Settings) -> tuple[Path, list[str]]:
    store = open_store(settings)
    notes = fetch(item["id"], item["properties"], settings, store)
    return Path(store.url(layer_key(item["id"]))), notes


def colours(path: Path, lon: float, lat: float) -> tuple[int, ...]:
    with rasterio.open(path) as file:
        x, y = Transformer.from_crs("EPSG:4326", file.crs, always_xy=True).transform(lon, lat)
        row, column = file.index(x, y)
        return tuple(int(value) for value in file.read()[:, row, column])


def near(found: tuple[int, ...], colour: tuple[int, int, int]) -> bool:
    return found[3] == 255 and all(0 <= value - said <= 3 for value, said in zip(found[:3], colour, strict=True))


def tile_at(lon: float, lat: float, zoom: int = ZOOM) -> tuple[int, int, int]:
    n = 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n
    return zoom, int((lon + 180) / 360 * n), int(y)


def test_an_item_without_asking_for_a_tile(tile_server: TileServer, settings: Settings) -> None:
    item = make(tile_server, settings, date="2024-06-30")
    pystac.Item.from_dict(item)
    assert tile_server.asked == [] and not settings.home.exists()
    assert item["properties"]["datetime"] == "2024-06-30T00:00:00Z"
    assert item["properties"]["imagerag:layer"] == {
        "kind": "xyz", "template": tile_server.url + "/xyz/{z}/{x}/{y}.png", "bbox": list(BOX), "zoom": ZOOM,
        "date": "2024-06-30",
    }  # fmt: skip
    assert item["bbox"] == pytest.approx(BOX, abs=4e-4)
    assert item == make(tile_server, settings, date="2024-06-30")
    others = [
        make(tile_server, settings),
        make(tile_server, settings, zoom=11),
        make(tile_server, settings, bbox=(1, 1, 2, 2)),
    ]
    assert len({item["id"], *(other["id"] for other in others)}) == 4


@pytest.mark.parametrize(
    "path",
    ["/xyz/{z}/{x}/{y}.png", "/tms/{z}/{x}/{-y}.png", "/xyz/{TileMatrix}/{TileCol}/{TileRow}.png", "/wms?layers=ortho",
     "/wms?service=WMS&version=1.3.0&request=GetMap&layers=ortho&bbox=1,2,3,4&width=7", "/wmts?layer=ortho"],
)  # fmt: skip
def test_every_kind_of_service_gives_the_same_picture(tile_server: TileServer, settings: Settings, path: str) -> None:
    item = make(tile_server, settings, path)
    file, notes = raster(item, settings)
    assert notes == []
    for lon, lat in ((9.11, 48.71), (9.29, 48.71), (9.11, 48.79), (9.2, 48.75)):
        assert near(colours(file, lon, lat), tile_server.colour(*tile_at(lon, lat)))
    with rasterio.open(file) as dataset:
        assert [dataset.height, dataset.width] == item["properties"]["proj:shape"]
        assert list(dataset.transform)[:6] == pytest.approx(item["properties"]["proj:transform"])
        assert dataset.driver == "GTiff" and dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1)
    asked = len(tile_server.asked)
    raster(item, settings)
    assert len(tile_server.asked) == asked


def test_a_grid_of_degrees(tile_server: TileServer, settings: Settings) -> None:
    item = make(tile_server, settings, "/wmts?layer=plate", zoom=9)
    assert item["properties"]["proj:code"] == "EPSG:4326"
    file, _ = raster(item, settings)
    side = 180 / 2**8  # of the level that is called 8, whose pixels are as wide as those of the web map's 9
    column, row = int((9.2 + 180) // side), int((90 - 48.75) // side)
    assert near(colours(file, 9.2, 48.75), tile_server.colour(8, column, row))


def test_tiles_that_do_not_come_have_no_pixels(tile_server: TileServer, settings: Settings) -> None:
    z, x, y = tile_at(9.2, 48.75)
    tile_server.codes = {f"/{z}/{x}/{y}.png": 404}
    item = make(tile_server, settings, zoom=13)
    z, x, y = tile_at(9.2, 48.75, 13)
    tile_server.codes = {f"/{z}/{x}/{y}.png": 404}
    file, (note,) = raster(item, settings)
    assert note.startswith("1 of ") and "not found" in note
    assert colours(file, 9.2, 48.75)[3] == 0
    assert colours(file, 9.11, 48.71)[3] == 255
    assert raster(item, settings)[1] == [note]


@pytest.mark.parametrize(
    ("code", "body", "said", "transient"),
    [(404, None, "not found", False), (403, None, "access denied", False), (503, None, "HTTP 503", True),
     (200, b"<ServiceException/>", "no picture", False),
     (200, b"<r><ServiceException code='a'> No layer &lt;x&gt; at http://h/?key=K </ServiceException></r>",
      r"no picture, but: No layer <x> at \.\.\.\)", False),
     (200, b"<ows:ExceptionText><![CDATA[Wrong date]]></ows:ExceptionText>", "no picture, but: Wrong date", False),
     (200, b"x" * 100, "no picture", False),
     (200, picture((1, 2, 3), 0, (5000, 2)), "5000x2", False)],
)  # fmt: skip
def test_too_many_missing_tiles_are_a_failure(
    tile_server: TileServer, settings: Settings, code: int, body: bytes | None, said: str, transient: bool
) -> None:
    tile_server.codes = {"/xyz/": code}
    if body is not None:
        tile_server.bodies = {"/xyz/": body}
    item = make(tile_server, settings, "/xyz/{z}/{x}/{y}.png?token=SECRET")
    with pytest.raises(RasterError, match=said) as raised:
        raster(item, settings)
    assert raised.value.transient is transient
    assert "SECRET" not in str(raised.value)
    assert not open_store(settings).exists(layer_key(item["id"]))
    assert list((settings.home / "scratch" / "layers").iterdir()) == []


def test_a_fetch_goes_on_where_it_stopped(tile_server: TileServer, settings: Settings) -> None:
    z, x, _ = tile_at(9.2, 48.75)
    tile_server.codes = {f"/{z}/{x}/": 404}
    item = make(tile_server, settings)
    with pytest.raises(RasterError):
        raster(item, settings)
    had = {path for path in tile_server.asked if f"/{z}/{x}/" not in path}
    assert had
    tile_server.codes, tile_server.asked = {}, []
    file, notes = raster(item, settings)
    assert notes == [] and not had & set(tile_server.asked) and tile_server.asked
    assert near(colours(file, 9.2, 48.75), tile_server.colour(*tile_at(9.2, 48.75)))
    (settings.cache_folder / "tiles").rename(settings.home / "gone")
    open_store(settings).delete(layer_key(item["id"]))
    assert raster(item, settings)[1] == []


def test_a_damaged_tile_in_the_cache_is_fetched_again(tile_server: TileServer, settings: Settings) -> None:
    item = make(tile_server, settings)
    raster(item, settings)
    for file in [path for path in (settings.cache_folder / "tiles").rglob("*") if path.is_file()]:
        file.write_bytes(b"half")
    open_store(settings).delete(layer_key(item["id"]))
    assert raster(item, settings)[1] == []


def test_tiles_of_another_size_are_fitted(tile_server: TileServer, settings: Settings) -> None:
    tile_server.px = 512
    file, (note,) = raster(make(tile_server, settings), settings)
    assert "512 px" in note
    assert near(colours(file, 9.2, 48.75), tile_server.colour(*tile_at(9.2, 48.75)))


def test_a_server_cannot_lead_elsewhere(tile_server: TileServer, settings: Settings) -> None:
    tile_server.redirects = {"/xyz/": "http://169.254.169.254/latest/meta-data"}
    with pytest.raises(RasterError, match="metadata"):
        raster(make(tile_server, settings), settings)
    tile_server.redirects = {"GetCapabilities": "http://169.254.169.254/latest"}
    with pytest.raises(SourceError, match="metadata"):
        make(tile_server, settings, "/wmts?layer=ortho")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9", "http://localhost:9", "http://10.0.0.1", "file:///etc/passwd?"]
)
def test_capabilities_cannot_lead_to_other_hosts_of_this_machine(
    tile_server: TileServer, settings: Settings, address: str
) -> None:
    tile_server.bodies = {"GetCapabilities": capabilities(address).encode()}
    with pytest.raises(SourceError):
        make(tile_server, settings, "/wmts?layer=ortho")
    tile_server.redirects = {"/xyz/": f"{address}/0/0/0.png"}
    with pytest.raises(RasterError):
        raster(make(tile_server, settings), settings)


def test_capabilities_that_do_not_come(tile_server: TileServer, settings: Settings) -> None:
    tile_server.codes = {"GetCapabilities": 500}
    with pytest.raises(SourceError, match="HTTP 500") as raised:
        make(tile_server, settings, "/wmts?layer=ortho&key=SECRET")
    assert raised.value.transient and "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "said"), [("/wms", "names no layer"), ("/wmts?layer=x", "no such layer"), ("/wmts?layer=ortho", "no zoom")]
)
def test_services_without_the_layer(tile_server: TileServer, settings: Settings, path: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        make(tile_server, settings, path, zoom=20, bbox=(9.1, 48.7, 9.101, 48.701))


def test_the_number_of_pixels_is_limited(tile_server: TileServer, tmp_path: Path) -> None:
    small = load_settings(home=tmp_path / "home", layer_pixels=65_536, _env_file=None)
    with pytest.raises(SourceError, match="more than 65,536"):
        make(tile_server, small)


def test_a_key_is_sent_and_never_stored(
    tile_server: TileServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILES_KEY", "SECRET-1")
    for path, key in (("key=${TILES_KEY}", "SECRET-1"), ("key=SECRET-2", "SECRET-2")):
        tile_server.asked = []
        item = make(tile_server, settings, "/xyz/{z}/{x}/{y}.png?" + path)
        raster(item, settings)
        assert all(asked.endswith(f"?key={key}") for asked in tile_server.asked) and tile_server.asked
        assert "SECRET" not in json.dumps(item)
    for file in [path for path in settings.home.rglob("*") if path.is_file()]:
        assert b"SECRET" not in file.read_bytes() and "SECRET" not in str(file)


def test_a_date_in_the_address(tile_server: TileServer, settings: Settings) -> None:
    raster(make(tile_server, settings, "/xyz/{date}/{z}/{x}/{y}.png", date="2024-06-30"), settings)
    assert all(path.startswith("/xyz/2024-06-30/12/") for path in tile_server.asked)
    tile_server.asked = []
    raster(make(tile_server, settings, "/wms?layers=ortho&time={date}", date="2024-06-30"), settings)
    assert all("TIME=2024-06-30" in path for path in tile_server.asked)


def test_an_item_that_only_says_that_it_is_a_layer(settings: Settings) -> None:
    with pytest.raises(ImageRAGError):
        fetch("x", {"imagerag:layer": {"template": "file:///etc/{z}{x}{y}", "bbox": [1, 2, 3, 4], "zoom": 3}},
              settings, open_store(settings))  # fmt: skip
