"""Exemplars from STAC label items: which windows of which scenes, and what is left out and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as raster_copy
from rasterio.transform import from_origin
from rasterio.warp import transform

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.knowledge.build import build_labels
from imagerag_assets.knowledge.importers import Source
from imagerag_assets.knowledge.stac_labels import is_stac, read_stac_labels
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import World

MakeWorld = Callable[..., World]
LEFT, TOP, SIDE = 500_000.0, 5_300_000.0, 640
EXTENSION = "https://stac-extensions.github.io/label/v1.0.1/schema.json"


def write_cog(path: Path, *, left: float = LEFT) -> None:
    """A COG of 640 px of 1 m whose red channel is 10, but 3 in a square at (300, 200) to (340, 240)."""
    pixels = np.full((3, SIDE, SIDE), 10, np.uint8)
    pixels[0, 200:240, 300:340] = 3
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path.with_suffix(".raw"), "w", transform=from_origin(left, TOP, 1, 1), **profile) as target:
        target.write(pixels)
    raster_copy(path.with_suffix(".raw"), path, driver="COG", compress="DEFLATE", blocksize=256)


def item(name: str, assets: dict[str, Any], links: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "bbox": [14, 47, 15, 48],
        "stac_extensions": [], "properties": {"datetime": "2024-05-01T00:00:00Z", **properties},
        "assets": assets, "links": links,
    }  # fmt: skip


def lonlat(*pixels: tuple[float, float]) -> list[list[float]]:
    """Places of native pixels of the scene at `LEFT`."""
    xs, ys = [LEFT + x for x, _ in pixels], [TOP - y for _, y in pixels]
    return [list(place) for place in zip(*transform("EPSG:32633", "EPSG:4326", xs, ys), strict=True)]


def square(x0: float, y0: float, x1: float, y1: float, **properties: Any) -> dict[str, Any]:
    ring = lonlat((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def point(x: float, y: float, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Point", "coordinates": lonlat((x, y))[0]},
    }


class Collection:
    """A collection on disk that grows by label items."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_cog(folder / "scene.tif")
        image = {"href": "scene.tif", "roles": ["data"], "type": "image/tiff; application=geotiff"}
        self._write("source.json", item("scene", {"image": image}, []))
        self.links = [{"rel": "item", "href": "source.json"}]

    @property
    def path(self) -> str:
        extent = {"spatial": {"bbox": [[14, 47, 15, 48]]}, "temporal": {"interval": [[None, None]]}}
        about = {"type": "Collection", "id": "labels", "description": "x", "license": "x", "extent": extent}
        self._write("collection.json", {**about, "stac_version": "1.0.0", "links": self.links})
        return str(self.folder / "collection.json")

    def add(self, name: str, features: Any, *, links: Any = None, crs: Any = None, **properties: Any) -> None:
        """A label item with a GeoJSON of features, which may also be any text."""
        geojson = {"type": "FeatureCollection", "features": features} | ({"crs": crs} if crs else {})
        text = features if isinstance(features, str) else json.dumps(geojson)
        (self.folder / f"{name}.geojson").write_text(text)
        asset = {"href": f"{name}.geojson", "roles": ["labels"], "type": "application/geo+json"}
        links = [{"rel": "source", "href": "source.json"}] if links is None else links
        about = {"label:type": "vector", "label:properties": ["kind"]} | properties
        self._write(f"{name}.json", item(name, {"labels": asset}, links, **about))
        self.links.append({"rel": "item", "href": f"{name}.json"})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content))


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path)


@pytest.fixture
def small(settings: Settings) -> Settings:
    return settings.model_copy(update={"patch_px": 64})


def found(source: Source) -> dict[str, tuple[str, tuple[int, ...], int]]:
    cuts = {entry.image: (entry.label, entry.cut) for entry in source.entries}
    return {name: (label, cut.window, cut.level) for name, (label, cut) in cuts.items() if cut}


def test_windows_are_squared_and_at_least_a_patch(collection: Collection, small: Settings) -> None:
    features = [
        square(300, 200, 340, 240, kind="storage_tanks"),
        square(100, 100, 420, 200, kind="pier"),
        point(5, 630, kind="buoy"),
    ]
    collection.add("a", features)
    assert found(read_stac_labels(collection.path, small)) == {
        "a:0@scene": ("storage tank", (288, 188, 352, 252), 0),
        "a:1@scene": ("pier", (100, 0, 420, 320), 2),
        "a:2@scene": ("buoy", (0, 576, 64, 640), 0),
    }


def test_a_glossary_applies_to_the_labels(collection: Collection, small: Settings) -> None:
    collection.add("a", [point(100, 100, kind="storage tank")])
    assert "tank farm" in read_stac_labels(collection.path, small).entries[0].texts


def test_classes_that_say_yes_are_named_by_their_property(collection: Collection, small: Settings) -> None:
    classes = [{"name": "shed", "classes": ["yes", "no"]}, {"name": "kind", "classes": ["hut"]}]
    features = [
        point(100, 100, shed="yes", kind="hut"),
        point(200, 100, shed="no", kind="hut"),
        point(300, 100, shed=None, kind="palace"),
        point(400, 100, area=3.5),
    ]
    collection.add("a", features, **{"label:properties": ["shed", "kind", "area"], "label:classes": classes})
    source = read_stac_labels(collection.path, small)
    assert [entry.label for entry in source.entries] == ["shed", "hut"]
    assert "codes have no names" in source.failed[1].reason
    assert [(each.name, each.reason) for each in source.failed] == [
        ("a: feature 2", "its kind 'palace' is not among label:classes"),
        ("a: feature 3", ANY),
    ]


def test_integer_classes_are_codes_and_codes_have_no_names(collection: Collection, small: Settings) -> None:
    features = [point(100 + 50 * number, 100, label=code) for number, code in enumerate((1, 1, 2, 2, 3, 0))]
    classes = [{"name": "label", "classes": [0, 1, 2, 3]}]
    collection.add("a", features, **{"label:properties": ["label"], "label:classes": classes})
    with pytest.raises(
        KnowledgeError, match=r"a: feature 0, 1, 2, 3, 4 and 1 more: its label is a number, and codes have"
    ):
        read_stac_labels(collection.path, small)


def test_a_text_beside_a_code_is_the_name(collection: Collection, small: Settings) -> None:
    pairs = ((1, "plane"), (2, "ship"), (3, "tank"))
    features = [point(100 * code, 100, category_id=code, category=name) for code, name in pairs]
    collection.add("a", features, **{"label:properties": ["category_id", "category"]})
    source = read_stac_labels(collection.path, small)
    assert [entry.label for entry in source.entries] == ["plane", "ship", "tank"]
    assert source.failed == ()


@pytest.mark.parametrize("where", ["item", "asset", "band", "collection"])
def test_a_table_names_codes_wherever_it_stands(collection: Collection, small: Settings, where: str) -> None:
    classes = [{"value": 1, "name": "plane"}, {"value": 2, "description": "ship"}, {"value": 0, "nodata": True}]
    table = {"classification:classes": classes}
    features = [point(100, 100, label=1), point(200, 100, label="2.0"), point(300, 100, label=0), point(9, 9, label=7)]
    declared = {"label:properties": ["label"], "label:classes": [{"name": "label", "classes": [0, 1, 2, 7]}]}
    collection.add("a", features, **declared, **(table if where == "item" else {}))
    file = collection.folder / "a.json"
    content = json.loads(file.read_text())
    asset = content["assets"]["labels"]
    asset |= {"asset": table, "band": {"bands": [table]}}.get(where, {})
    if where == "collection":
        about = {"type": "Collection", "id": "x", "stac_version": "1.0.0", "item_assets": {"labels": table}}
        (collection.folder / "classes.json").write_text(json.dumps(about))
        content["links"].append({"rel": "collection", "href": "classes.json"})
    file.write_text(json.dumps(content))
    source = read_stac_labels(collection.path, small)
    assert [entry.label for entry in source.entries] == ["plane", "ship"]
    reasons = {failure.name: failure.reason for failure in source.failed}
    assert reasons["a: feature 2"] == "none of label:properties says what it is"
    assert "codes have no names" in reasons["a: feature 3"]


def test_a_raster_of_labels_is_named_as_such(collection: Collection, small: Settings) -> None:
    collection.add("good", [point(300, 300, kind="x")])
    collection.add("a", [], **{"label:type": "raster"})
    file = collection.folder / "a.json"
    content = json.loads(file.read_text())
    content["assets"]["labels"] = {"href": "a.tif", "roles": ["labels-raster"], "type": "image/tiff"}
    file.write_text(json.dumps(content))
    (failure,) = read_stac_labels(collection.path, small).failed
    assert "Its labels are a raster" in failure.reason


def test_a_known_crs_of_old_geojson_is_honoured(collection: Collection, small: Settings) -> None:
    feature = {"type": "Feature", "properties": {"kind": "x"}, "geometry": {"type": "Point"}}
    feature["geometry"] = {"type": "Point", "coordinates": [LEFT + 320, TOP - 320]}
    collection.add("a", [feature], crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}})
    assert found(read_stac_labels(collection.path, small)) == {"a:0@scene": ("x", (288, 288, 352, 352), 0)}


def test_every_source_that_shows_a_feature_gives_an_exemplar(collection: Collection, small: Settings) -> None:
    write_cog(collection.folder / "east.tif", left=LEFT + 320)
    image = {"href": "east.tif", "roles": ["data"], "type": "image/tiff"}
    collection._write("east.json", item("east", {"image": image}, []))
    links = [{"rel": "source", "href": f"{name}.json"} for name in ("source", "east", "gone")]
    collection.add("a", [point(400, 300, kind="x"), point(800, 300, kind="x")], links=links)
    source = read_stac_labels(collection.path, small)
    assert list(found(source)) == ["a:0@scene", "a:0@east", "a:1@east"]
    assert [(each.name, "gone.json" in each.reason) for each in source.failed] == [("a", True)]


def test_bad_items_are_named_and_stop_nothing_else(collection: Collection, small: Settings) -> None:
    good = [point(300, 300, kind="x")]
    collection.add("no-source", good, links=[])
    collection.add("dangling", good, links=[{"rel": "source", "href": "nowhere.json"}])
    collection.add("unreadable", "{oops")
    collection.add("not-geojson", "{}")
    collection.add("mars", good, crs={"type": "name", "properties": {"name": "EPSG:999999"}})
    collection.add("outside", [point(5000, 5000, kind="x"), {"type": "Feature", "geometry": None}, "oops"])
    collection.add("no-label", good, **{"label:properties": None})
    collection.add("chain", good, links=[{"rel": "source", "href": "collection.json"}])
    collection.add("good", good)
    source = read_stac_labels(collection.path, small)
    assert list(found(source)) == ["good:0@scene"]
    reasons = {failure.name: failure.reason for failure in source.failed}
    expected = {
        "no-source": "no link to its source", "dangling": "nowhere.json", "unreadable": "not JSON",
        "not-geojson": "not GeoJSON features", "mars": "unknown CRS 'EPSG:999999'",
        "outside: feature 0": "outside the source imagery", "outside: feature 1, 2": "no usable geometry",
        "no-label: feature 0": "none of label:properties", "chain": "is not a STAC item",
    }  # fmt: skip
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in reasons[name]
        assert "\n" not in reasons[name]


def test_nothing_usable_is_one_clear_line(collection: Collection, small: Settings) -> None:
    with pytest.raises(KnowledgeError, match="No labelled features found"):
        read_stac_labels(collection.path, small)
    collection.add("a", [], links=[])
    with pytest.raises(KnowledgeError, match="a: The label item has no link to its source"):
        read_stac_labels(collection.path, small)


def test_what_is_a_stac_source(collection: Collection, tmp_path: Path, settings: Settings) -> None:
    assert is_stac(collection.path, settings)
    assert is_stac(str(collection.folder), settings)
    assert is_stac("https://example.com/stac", settings)
    (tmp_path / "chips").mkdir()
    assert not is_stac(str(tmp_path / "chips"), settings)
    assert not is_stac(str(tmp_path / "nowhere"), settings)


def test_a_build_embeds_what_the_source_shows_once(make_world: MakeWorld, collection: Collection) -> None:
    features = [square(300, 200, 340, 240, kind="tank"), point(100, 500, kind="ground")]
    collection.add("a", features)
    world = make_world(patch_px=32)
    report = build_labels(world, collection.path)
    assert (report.labels, report.exemplars, report.failed) == (2, 2, ())
    seen = world.encoder.encoded_images
    assert not build_labels(world, collection.path).changed
    assert world.encoder.encoded_images == seen
    rows = world.vectors.query("knowledge_labels", Filter(), ["label", "image", "embedding"])
    axes = {row["label"]: int(np.argmax(row["embedding"])) for row in rows if row["image"]}
    assert axes == {"tank": 3, "ground": 10}  # the encoder's axis is the mean of red in the window


def test_a_folder_of_label_items_needs_no_catalog(collection: Collection, small: Settings, tmp_path: Path) -> None:
    collection.add("a", [point(100, 100, kind="shed")])
    collection.add("b", [point(200, 200, kind="pier")])
    assert is_stac(str(collection.folder), small)
    assert {label for label, *_ in found(read_stac_labels(str(collection.folder), small)).values()} == {"shed", "pier"}
    chips = tmp_path / "chips" / "shed"
    chips.mkdir(parents=True)
    (chips / "1.json").write_text(json.dumps(item("1", {}, [])))  # an item, and none of labels
    (chips / "2.json").write_text("junk")
    assert not is_stac(str(tmp_path / "chips"), small)
