"""What collections say of their items' assets, in local catalogs and beside remote ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

Build = Callable[..., dict[str, Any]]
COLOURS = {"X1": "coastal", "X2": "blue", "X3": "green", "X4": "red"}


@pytest.fixture
def catalog(tmp_path: Path, item: Build, write_tif: Callable[..., Path]) -> Callable[..., list[Scene | FailedItem]]:
    """Write a collection with one item of four files, and find its scenes."""
    asset_type = {"type": "image/tiff; application=geotiff"}

    def build(settings: Settings, collection: dict[str, Any] | str, **asset: Any) -> list[Scene | FailedItem]:
        for name in COLOURS:
            write_tif(tmp_path / f"{name}.tif", bands=1)
        assets = {name: {"href": f"./{name}.tif"} | asset_type | asset for name in COLOURS}
        links = [{"rel": "collection", "href": "./collection.json"}]
        (tmp_path / "item.json").write_text(json.dumps(item("one", assets=assets, links=links, collection="c")))
        text = collection if isinstance(collection, str) else json.dumps(collection)
        (tmp_path / "collection.json").write_text(text)
        return list(find_scenes(str(tmp_path / "item.json"), settings))

    return build


def collection_of(**fields: Any) -> dict[str, Any]:
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    return {"type": "Collection", "id": "c", "stac_version": "1.0.0", "description": "c", "license": "other",
            "extent": extent, "links": []} | fields  # fmt: skip


def said(*, nodata: object = None, key: str = "eo:bands") -> dict[str, Any]:
    more = {} if nodata is None else {"raster:bands": [{"nodata": nodata}]}
    prefix = "eo:" if key == "bands" else ""
    return {
        name: {"href": "./never.tif", key: [{"name": name, f"{prefix}common_name": colour}]} | more
        for name, colour in COLOURS.items()
    }


@pytest.mark.parametrize("key", ["eo:bands", "bands"])
@pytest.mark.parametrize(
    ("nodata", "expected"),
    [(None, None), (0, 0.0), (-9999.5, -9999.5), ("nan", None), ("-32768", -32768.0), ("x", None)],
)
def test_bands_and_nodata_come_from_the_collection(
    catalog: Callable[..., list[Any]], settings: Settings, tmp_path: Path, key: str, nodata: object, expected: object
) -> None:
    (scene,) = catalog(settings, collection_of(item_assets=said(nodata=nodata, key=key)))
    bands = scene.imagery.bands
    assert [(band.asset_key, band.common_name) for band in bands] == [("X4", "red"), ("X3", "green"), ("X2", "blue")]
    assert [Path(band.href).name for band in bands] == ["X4.tif", "X3.tif", "X2.tif"]
    assert {str(band.nodata) for band in bands} == {str(expected)}
    assert scene.imagery.modality == "optical"
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))).imagery == scene.imagery


def test_the_item_comes_before_its_collection(catalog: Callable[..., list[Any]], settings: Settings) -> None:
    own = {"raster:bands": [{"nodata": 5}]}
    (scene,) = catalog(settings, collection_of(item_assets=said(nodata=0)), **own)
    assert {band.nodata for band in scene.imagery.bands} == {5.0}
    assert scene.imagery.bands[0].common_name == "red"


@pytest.mark.parametrize("key", ["eo:bands", "bands"])
@pytest.mark.parametrize("own", [{"nodata": 5}, {"statistics": {"minimum": 0}, "nodata": 5}])
def test_entries_of_bands_are_put_together(
    catalog: Callable[..., list[Any]], settings: Settings, key: str, own: dict[str, Any]
) -> None:
    (scene,) = catalog(settings, collection_of(item_assets=said(key=key)), **{key: [own]})
    bands = scene.imagery.bands
    assert [(band.asset_key, band.common_name) for band in bands] == [("X4", "red"), ("X3", "green"), ("X2", "blue")]
    assert {band.nodata for band in bands} == {5.0}


def test_entries_of_one_band_are_found_by_their_name(catalog: Callable[..., list[Any]], settings: Settings) -> None:
    three = [{"name": name, "common_name": name} for name in ("red", "green", "blue")]
    turned = {"eo:bands": [{"name": name} for name in ("blue", "green", "red")]}
    (scene,) = catalog(settings, collection_of(item_assets={"X1": {"eo:bands": three}}), **turned)
    assert [(band.name, band.index) for band in scene.imagery.bands] == [("red", 3), ("green", 2), ("blue", 1)]


@pytest.mark.parametrize("collection", ["{", "[]", json.dumps(collection_of(item_assets=[1])), json.dumps({"a": 1})])
def test_a_collection_that_cannot_be_used_is_a_note_and_the_scene_is_found(
    catalog: Callable[..., list[Any]], settings: Settings, collection: str
) -> None:
    (scene,) = catalog(settings, collection)
    assert scene.imagery.modality == "other"
    assert any("bands" in note for note in scene.notes)
    assert all("\n" not in note for note in scene.notes)
