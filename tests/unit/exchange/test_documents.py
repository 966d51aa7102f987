"""The STAC documents of exported embeddings: valid by the core schemas, and refused where they were tampered with."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pystac
import pytest
from pystac.validation import validate_dict
from shapely.geometry import shape

from imagerag_assets.errors import SourceError
from imagerag_assets.exchange.documents import (
    EMBEDDINGS,
    ExportedFile,
    Product,
    collection_document,
    item_document,
    item_hrefs,
    read_files,
    read_product,
)
from imagerag_assets.stac.types import Band, Imagery, Scene

PRODUCT = Product("demo", "ab" * 32, 384, "pyramid", 256, 128)
BAND = Band("visual", "/data/one.tif", 1)
SCENE = Scene(
    scene_key="one",
    item_id="one",
    collection=None,
    source="/data/catalog.json",
    item_href="/data/one.json",
    version="0" * 64,
    acquired_at=datetime(2024, 5, 6, tzinfo=UTC),
    bbox=(9.0, 48.0, 9.1, 48.1),
    geometry=None,
    imagery=Imagery((BAND, BAND, BAND), "optical", ("visual",)),
    cloud_cover=None,
)
FILES = {
    "embeddings": ExportedFile("embeddings.parquet", 10, "1" * 64),
    "patches": ExportedFile("patches.parquet", 20, "2" * 64),
    "overview": ExportedFile("overview.jpg", 30, "3" * 64),
    "record": ExportedFile("record.json", 40, "4" * 64),
}


def item_of(scene: Scene) -> dict[str, Any]:
    return item_document(PRODUCT, scene, FILES, rows=7, runtime={}, collection_href="../collection.json")


def as_pystac_sees_it(document: dict[str, Any]) -> dict[str, Any]:
    """Migrated to the version whose schemas pystac carries, so that no schema is downloaded."""
    return pystac.read_dict(deepcopy(document)).to_dict(include_self_link=False, transform_hrefs=False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"acquired_at": None},
        {"bbox": None},
        {"bbox": (179.9, -17.0, -179.9, -16.0)},
        {"geometry": {"type": "Point", "coordinates": [9.0, 48.0]}, "bbox": None},
        {"item_href": None},
    ],
    ids=str,
)
def test_items_and_collections_are_valid(changes: dict[str, Any]) -> None:
    item = item_of(replace(SCENE, **changes))
    collection = collection_document(PRODUCT, [("./items/one/item.json", item)])
    for document, kind in ((item, pystac.STACObjectType.ITEM), (collection, pystac.STACObjectType.COLLECTION)):
        validate_dict(as_pystac_sees_it(document), kind, stac_version="1.1.0", extensions=[])
        assert EMBEDDINGS in document["stac_extensions"]
    assert {link["rel"] for link in collection["links"]} >= {"emb:model", "emb:source-data", "item"}
    assert item["assets"]["embeddings"]["file:checksum"] == "1220" + "1" * 64


@pytest.mark.parametrize(
    "geometry",
    [{}, {"type": "Polygon", "coordinates": [[1]]}, {"type": "GeometryCollection", "geometries": []}],
    ids=str,
)
def test_a_geometry_that_no_feature_may_have_gives_way_to_the_box(geometry: dict[str, Any]) -> None:
    item = item_of(replace(SCENE, geometry=geometry))
    assert shape(item["geometry"]).bounds == pytest.approx(SCENE.bbox)
    assert item == json.loads(json.dumps(item))  # as it is read again, so that nothing is exported twice
    assert item_of(replace(SCENE, geometry=geometry, bbox=None))["geometry"] is None


def test_what_is_not_valid_stac_is_one_line() -> None:
    with pytest.raises(
        SourceError, match=r"The export's item is not valid STAC: .*\. Correct the scene's item"
    ) as caught:
        item_document(PRODUCT, SCENE, FILES, rows=7, runtime={}, collection_href="")
    assert "\n" not in str(caught.value)


def test_only_fields_of_the_extension_have_its_prefix() -> None:
    item = item_of(SCENE)
    collection = collection_document(PRODUCT, [("./item.json", item)])
    named = {name for name in (*item["properties"], *collection) if name.startswith("emb:")}
    assert named == {
        "emb:type", "emb:dimensions", "emb:chip_layout", "emb:temporal_resolution", "emb:fit_for_use",
        "emb:runtime_parameters", "emb:preprocessing", "emb:postprocessing",
    }  # fmt: skip


def test_what_is_written_is_read() -> None:
    item = item_of(SCENE)
    collection = collection_document(PRODUCT, [("./items/one/item.json", item)])
    assert replace(PRODUCT, patch_px=None, stride_px=None) == read_product(collection, "here")
    assert item_hrefs(collection) == ["./items/one/item.json"]
    assert read_files(item, "here") == FILES
    del item["assets"]["patches"]
    assert read_files(item, "here").keys() == {"embeddings", "overview", "record"}


@pytest.mark.parametrize(
    "asset",
    [
        {"href": "../../../etc/passwd"},
        {"href": "/etc/passwd"},
        {"href": "https://elsewhere/x.json"},
        {"href": None},
        {"file:size": "40"},
        {"file:checksum": "1220" + "z" * 64},
        {"file:checksum": None},
    ],
    ids=str,
)
def test_a_file_elsewhere_or_without_checksum_is_refused(asset: dict[str, Any]) -> None:
    item = item_of(SCENE)
    item["assets"]["record"] |= asset
    with pytest.raises(SourceError, match="'record'"):
        read_files(item, "here")


@pytest.mark.parametrize(
    "change", [{"type": "Catalog"}, {"emb:dimensions": "many"}, {"imagerag:fingerprint": None}], ids=str
)
def test_another_collection_is_refused(change: dict[str, Any]) -> None:
    collection = collection_document(PRODUCT, [("./item.json", item_of(SCENE))]) | change
    with pytest.raises(SourceError, match="imagerag ingest"):
        read_product(collection, "here")
