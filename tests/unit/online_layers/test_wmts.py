from __future__ import annotations

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.online_layers.wmts import capabilities_address, read_capabilities
from tests.tile_server import capabilities

HERE = "https://host"


def read(address: str, zoom: int = 3, date: str | None = None, text: str | None = None) -> tuple[str, str, int]:
    tiles = read_capabilities((text or capabilities(HERE)).encode(), address, zoom, date, "shown")
    return tiles.template, tiles.grid.crs, tiles.grid.columns


def test_tiles_by_parameters() -> None:
    template, crs, columns = read(f"{HERE}/wmts?layer=ortho&apikey=K")
    assert template == (
        "https://host/wmts?apikey=K&SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=ortho&FORMAT=image%2Fpng"
        "&STYLE=plain&TILEMATRIXSET=web&TILEMATRIX={TileMatrix}&TILEROW={TileRow}&TILECOL={TileCol}"
    )
    assert (crs, columns) == ("EPSG:3857", 8)
    assert "apikey" not in read("https://other/wmts?layer=ortho&apikey=K")[0]


def test_tiles_by_their_own_address() -> None:
    resource = (
        "<Dimension><ows:Identifier>Time</ows:Identifier><Default>2020-01-01</Default></Dimension>"
        '<ResourceURL format="image/png" resourceType="tile" '
        'template="https://t/{Style}/{Time}/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}.png"/>'
    )
    text = capabilities(HERE, resource=resource)
    address = f"{HERE}/wmts?layer=ortho"
    assert read(address, text=text)[0] == "https://t/plain/2020-01-01/web/{TileMatrix}/{TileRow}/{TileCol}.png"
    assert "/2024-06-30/" in read(address, date="2024-06-30", text=text)[0]


def test_a_grid_of_degrees_with_latitude_first() -> None:
    tiles = read_capabilities(capabilities(HERE).encode(), f"{HERE}/wmts?layer=plate", 1, None, "shown")
    assert (tiles.grid.crs, tiles.grid.left, tiles.grid.top) == ("EPSG:4326", -180, 90)
    assert tiles.grid.resolution == pytest.approx(180 / 256)  # the width of the web map's pixels at that zoom


@pytest.mark.parametrize(("zoom", "level"), [(8, 0), (9, 1), (13, 5), (14, 6)])
def test_a_zoom_is_a_width_of_pixels_whatever_the_levels_are_called(zoom: int, level: int) -> None:
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>L{6 - number}</ows:Identifier>"
        f"<ScaleDenominator>{10 * 2 ** (6 - number) / 0.00028}</ScaleDenominator>"
        "<TopLeftCorner>400000 5500000</TopLeftCorner><TileWidth>256</TileWidth>"
        "<TileHeight>256</TileHeight><MatrixWidth>64</MatrixWidth><MatrixHeight>64</MatrixHeight></TileMatrix>"
        for number in range(7)
    )
    text = capabilities(HERE)
    begin = text.index("EPSG::3857</ows:SupportedCRS>") + len("EPSG::3857</ows:SupportedCRS>")
    text = text[:begin] + matrices + text[text.index("</TileMatrixSet>", begin) :]
    text = text.replace("EPSG::3857", "EPSG::32632")
    tiles = read_capabilities(text.encode(), f"{HERE}/wmts?layer=ortho", zoom, None, "shown")
    assert (tiles.grid.level, tiles.grid.crs) == (f"L{6 - level}", "EPSG:32632")
    assert tiles.grid.resolution == pytest.approx(10 * 2 ** (6 - level))
    with pytest.raises(SourceError, match="no zoom 17; it has about 8, 9, 10, 11, 12, 13, 14"):
        read(f"{HERE}/wmts?layer=ortho", 17, text=text)


@pytest.mark.parametrize(
    ("address", "zoom", "text", "said"),
    [
        ("https://host/wmts", 3, None, "names no layer of the WMTS; it has ortho, plate"),
        ("https://host/wmts?layer=x", 3, None, "no such layer"),
        ("https://host/wmts?layer=ortho&tilematrixset=x", 3, None, "no grid x"),
        ("https://host/wmts?layer=ortho", 20, None, "no zoom 20"),
        ("https://host/wmts?layer=ortho", 3, "<html>", "cannot be read"),
        ("https://host/wmts?layer=ortho", 3, "<Capabilities/>", "it has none"),
        ("https://host/wmts?layer=ortho", 3, capabilities(HERE, formats="<Format>application/pbf</Format>"), "pbf"),
        ("https://host/wmts?layer=ortho", 3, capabilities(HERE).replace("<TileWidth>256", "<TileWidth>25"), "25x256"),
        ("https://host/wmts?layer=ortho", 3, capabilities(HERE).replace("EPSG::3857", "EPSG::99999"), "grid"),
    ],
)
def test_what_cannot_be_used(address: str, zoom: int, text: str | None, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(address, zoom, text=text)


def test_entities_do_not_blow_up() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 40}">' for before, name in zip("abcdefg", "bcdefgh", strict=True)
    ) + "]><a>&h;</a>"  # fmt: skip
    with pytest.raises(SourceError, match="cannot be read"):
        read("https://host/wmts?layer=ortho", text=bomb)


def test_the_address_of_capabilities() -> None:
    assert capabilities_address("https://h/wmts?SERVICE=WMTS&layer=a&key=K&request=GetTile") == (
        "https://h/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0&key=K"
    )
    assert (
        capabilities_address("https://h/1.0.0/WMTSCapabilities.xml?layer=a") == "https://h/1.0.0/WMTSCapabilities.xml"
    )


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)),
        '<!ENTITY a9 SYSTEM "file:///etc/passwd">',
    ],
    ids=["grow", "fetch"],
)
def test_entities_neither_grow_nor_fetch(entities: str) -> None:
    text = capabilities(HERE)
    start = text.index("<", text.index("?>") if "?>" in text else 0)
    declared = f"<!DOCTYPE x [{entities}]>{text[start:].replace('plain', '&a9;', 1)}"
    with pytest.raises(SourceError, match="cannot be read") as caught:
        read(f"{HERE}/wmts?layer=ortho", text=declared)
    assert "root:" not in str(caught.value)
