from __future__ import annotations

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.online_layers.address import Layer, is_layer, layer_source, parse_layer
from imagerag_assets.online_layers.secrets import hide_keys, reveal_keys

XYZ = "https://tiles.example/{z}/{x}/{y}.png"
BOX = "10,50,10.1,50.1"


def named(address: str = XYZ, bbox: str | None = BOX, zoom: int | None = 12, date: str | None = None) -> str:
    return layer_source(address, bbox=bbox, zoom=zoom, date=date)


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        (XYZ, True), (f"{XYZ}#bbox={BOX}&zoom=3", True), ("https://host/wms?service=WMS&layers=a", True),
        ("https://host/maps/wms", True), ("https://host/1.0.0/WMTSCapabilities.xml", True),
        ("https://host/q?SERVICE=wmts", True), ("file:///tiles/{z}/{x}/{y}.png", True),
        ("ftp://host/{z}/{x}/{y}.png", True), ("https://host/{x}/{y}.png", True),
        ("https://host/stac", False), ("/data/{a}/x.tif", False), ("s3://bucket/{a}/", False),
        ("https://host/catalog.json", False), ("https://host/x.tif?sig=${TILES_KEY}", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_meant_as_a_layer(source: str, layer: bool) -> None:
    assert is_layer(source) is layer


def test_a_layer_is_one_text() -> None:
    layer = parse_layer(named(date="2024-06-30"))
    assert (layer.kind, layer.template, layer.bbox, layer.zoom) == ("xyz", XYZ, (10, 50, 10.1, 50.1), 12)
    assert layer.source == f"{XYZ}#bbox=10,50,10.1,50.1&zoom=12&date=2024-06-30"
    assert parse_layer(layer.source) == layer == Layer.from_dict(layer.to_dict())
    assert layer_source(layer.source, zoom=3).endswith("zoom=3&date=2024-06-30")
    assert parse_layer(named("https://h/{TileMatrix}/{TileRow}/{TileCol}")).kind == "xyz"
    assert parse_layer(named("https://h/%7Bz%7D/%7Bx%7D/%7B-y%7D")).template == "https://h/{z}/{x}/{-y}"
    assert parse_layer(named("https://h/wms?layers=a")).kind == "wms"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (named("https://host/{x}/{y}.png"), r"no \{z\}"),
        (named("https://host/{z}/{y}.png"), r"no \{x\}"),
        (named("https://host/tiles"), r"no \{z\}, \{x\}, \{y\}"),
        (named("https://host/{z}/{x}/{y}/{__class__}"), "not known: {__class__}"),
        (named("file:///etc/{z}/{x}/{y}"), "over http"),
        (named("ftp://host/{z}/{x}/{y}"), "over http"),
        (named("https:///{z}/{x}/{y}"), "over http"),
        (named("https://[bad/{z}/{x}/{y}"), "over http"),
        (named("http://169.254.169.254/{z}/{x}/{y}"), "metadata"),
        (named("http://2852039166/{z}/{x}/{y}"), "metadata"),
        (named("http://0xa9.0xfe.0xa9.0xfe/{z}/{x}/{y}"), "metadata"),
        (named("http://[::ffff:169.254.169.254]/{z}/{x}/{y}"), "metadata"),
        (named("http://metadata.google.internal./{z}/{x}/{y}"), "metadata"),
        (named("http://{x}@169.254.169.254/{z}/{x}/{y}"), "metadata"),
        (named("http://0.0.0.0/{z}/{x}/{y}"), "metadata"),
        (named(bbox=None), "needs a box"),
        (named(zoom=None), "needs a zoom"),
        (named(bbox="170,0,-170,1"), "antimeridian"),
        (named(bbox="10,50,10,51"), "no width"),
        (named(bbox="10,50,11,50"), "no height"),
        (named(bbox="10,51,11,50"), "no height"),
        (named(bbox="10,51,11"), "not four numbers"),
        (named(bbox="nan,1,2,3"), "not four numbers"),
        (named(bbox="10,51,11,91"), "not in degrees"),
        (f"{XYZ}#bbox={BOX}&zoom=-1", "not a whole number"),
        (f"{XYZ}#bbox={BOX}&zoom=25", "not a whole number"),
        (f"{XYZ}#bbox={BOX}&zoom=1e1", "not a whole number"),
        (named(date="yesterday"), "cannot be read"),
        (named("https://h/{date}/{z}/{x}/{y}"), "asks for a date"),
    ],
)
def test_what_cannot_be_a_layer(source: str, said: str) -> None:
    assert is_layer(source)
    with pytest.raises(SourceError, match=said) as raised:
        parse_layer(source)
    assert raised.value.fix


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"{XYZ}?key=SECRET", f"{XYZ}?key=***"),
        (f"{XYZ}?v=2&access_token=SECRET&style=a", f"{XYZ}?v=2&access_token=***&style=a"),
        (f"{XYZ}?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET", f"{XYZ}?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("https://me:SECRET@tiles.example/{z}/{x}/{y}", "https://***@tiles.example/{z}/{x}/{y}"),
        (f"{XYZ}?key=${{TILES_KEY}}", f"{XYZ}?key=${{TILES_KEY}}"),
        ("https://h/wms?service=WMS&layers=a&apikey=SECRET", "https://h/wms?service=WMS&layers=a&apikey=***"),
    ],
)
def test_keys_are_hidden(address: str, shown: str) -> None:
    assert hide_keys(address) == shown
    assert parse_layer(named(address)).template == shown
    if "SECRET" in address:
        assert reveal_keys(shown) == address
        assert parse_layer(named(address)).has_hidden_keys
    assert "SECRET" not in parse_layer(named(address)).source


def test_a_key_in_the_path_is_hidden_and_tells_layers_apart() -> None:
    one, other = (f"https://h/{letter * 3}1234567890abcdef1234567890abcdef/{{z}}/{{x}}/{{y}}" for letter in "ab")
    shown = hide_keys(one)
    assert "1234567890" not in shown and shown != hide_keys(other)
    assert reveal_keys(shown) == one
    plain = "https://h/MODIS_Terra_CorrectedReflectance_TrueColor/GoogleMapsCompatible_Level9/{z}/{y}/{x}.jpg"
    assert hide_keys(plain) == plain


def test_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILES_KEY", "a/b&c")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert reveal_keys("https://h/{z}?key=${TILES_KEY}") == "https://h/{z}?key=a%2Fb%26c"
    with pytest.raises(SourceError, match="TILES_OTHER is not set"):
        reveal_keys("https://h/?key=${TILES_OTHER}")
    with pytest.raises(SourceError, match="cannot be used"):
        reveal_keys("https://h/?key=${AWS_SECRET_ACCESS_KEY}")
    with pytest.raises(SourceError, match="not stored"):
        reveal_keys("https://elsewhere/{z}?key=***")
