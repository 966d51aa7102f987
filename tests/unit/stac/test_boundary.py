"""Attacks by documents of the web: each fails alone, by one line, and reads nothing; the item beside it is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.knowledge.importers import read_captions
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.documents import Document, read_document
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.paging import item_pages
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene
from tests.stac_api import StacApi
from tests.web_server import WebServer, serve

VRT = (
    '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    "<SourceFilename>{path}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)
RAW = (
    '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
    "<SourceFilename>/etc/passwd</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>"
    "<LineOffset>8</LineOffset></VRTRasterBand></VRTDataset>"
)
ATTACKS = {
    "file": "file://{secret}",
    "capital": "FILE://{secret}",
    "cached": "/vsicached?file={secret}&x=://",
    "curl": "/vsicurl/{inner}/a.tif?x",
    "text": "<VRTDataset x='://'>",
    "chain": "simplecache::file://{secret}",
    "chained": "simplecache::{inner}/a.tif",
    "local": "local://{secret}",
    "memory": "memory://a.tif",
    "s3": "s3://private/a.tif",
    "loopback": "{inner}/a.tif",
    "decimal": "http://2130706433:{port}/a.tif",
    "metadata": "http://169.254.169.254/latest/a.tif",
    "redirect": "away.tif",
    "vrt": "vrt.tif",
    "raw": "raw.tif",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", _env_file=None)


@pytest.fixture
def inner(tmp_path: Path, write_tif: Callable[..., Path]) -> Iterator[WebServer]:
    """A server of this machine that nobody named."""
    with serve(tmp_path / "inner") as server:
        write_tif(server.folder / "a.tif")
        yield server


@pytest.fixture
def outer(tmp_path: Path, inner: WebServer, write_tif: Callable[..., Path]) -> Iterator[WebServer]:
    """The server of a stranger, with a good raster and ones that lead away."""
    secret = write_tif(tmp_path / "secret.tif")
    with serve(tmp_path / "outer") as server:
        write_tif(server.folder / "good.tif")
        (server.folder / "vrt.tif").write_text(VRT.format(path=secret))
        (server.folder / "raw.tif").write_text(RAW)
        server.redirects["/away.tif"] = f"{inner.url}/a.tif"
        yield server


def href_of(attack: str, tmp_path: Path, inner: WebServer) -> str:
    return ATTACKS[attack].format(secret=tmp_path / "secret.tif", inner=inner.url, port=inner.port)


def catalog(*hrefs: str, relation: str = "item") -> dict[str, Any]:
    links = [{"rel": relation, "href": href} for href in hrefs]
    return {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "", "links": links}


def is_read(scene: Scene | FailedItem, settings: Settings) -> bool:
    """Whether the pixels of a scene are read, or the failure is not one line about what cannot be repeated."""
    if isinstance(scene, FailedItem):
        assert "\n" not in str(scene.error)
        return False
    try:
        with SceneReader(scene, settings) as reader:
            return bool(reader.overview(64)[1].any())
    except RasterError as error:
        return "\n" in str(error) or error.transient


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_asset_that_leads_away_fails_alone(
    attack: str, tmp_path: Path, inner: WebServer, outer: WebServer, settings: Settings,
    item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    write(outer.folder / "bad.json", item("bad", href_of(attack, tmp_path, inner)))
    write(outer.folder / "good.json", item("good", "good.tif"))
    write(outer.folder / "catalog.json", catalog("bad.json", "good.json"))
    bad, good = find_scenes(f"{outer.named}/catalog.json", settings)
    assert (bad.scene_key, good.scene_key) == ("bad", "good")
    assert is_read(good, settings)
    assert not is_read(bad, settings)
    assert inner.asked == []


@pytest.mark.parametrize("relation", ["item", "child", "items"])
@pytest.mark.parametrize(
    "link", ["file://{secret}", "{inner}/secret.json", "simplecache::file://{secret}", "away.json"]
)
def test_a_link_that_leads_away_fails_alone(
    relation: str, link: str, tmp_path: Path, inner: WebServer, outer: WebServer, settings: Settings,
    item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    secret = write(tmp_path / "secret.json", item("secret", "./secret.tif"))
    shutil.copy(secret, inner.folder)
    write(outer.folder / "good.json", item("good", "good.tif"))
    content = catalog(link.format(secret=secret, inner=inner.url), relation=relation)
    content["links"].append({"rel": "item", "href": "good.json"})
    write(outer.folder / "catalog.json", content)
    outer.redirects["/away.json"] = f"{inner.url}/secret.json"
    source = f"{outer.named}/catalog.json"
    found = list(find_scenes(source, settings))
    assert sorted(isinstance(each, Scene) for each in found) == [False, True], found
    listing = list_source(source, settings)
    listed = [scene for _, each in read_listed(list(listing.listed), source, settings) for scene in each]
    assert [each.scene_key for each in listed if isinstance(each, Scene)] == ["good"]
    assert len(listing.problems) + sum(isinstance(each, FailedItem) for each in listed) == 1
    assert inner.asked == []


@pytest.mark.parametrize("link", ["file://{secret}", "{inner}/next.json"])
def test_a_next_page_that_leads_away_leaves_the_listing_open(
    link: str, tmp_path: Path, inner: WebServer, outer: WebServer, settings: Settings,
    item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    page = {"type": "FeatureCollection", "features": [item("one", "good.tif")], "links": []}
    secret = write(tmp_path / "next.json", page | {"features": [item("two", "good.tif")]})
    shutil.copy(secret, inner.folder)
    page["links"] = [{"rel": "next", "href": link.format(secret=secret, inner=inner.url)}]
    write(outer.folder / "page.json", page)
    first = read_document(f"{outer.named}/page.json", settings)
    one, problem = item_pages(first, settings)
    assert isinstance(one, Document)
    assert isinstance(problem, Exception)
    assert inner.asked == []


def test_an_api_leads_to_no_file_and_no_other_host_of_this_machine(
    stac_api: StacApi, inner: WebServer, tmp_path: Path, settings: Settings, item: Callable[..., dict[str, Any]],
    write_tif: Callable[..., Path],
) -> None:  # fmt: skip
    """Self links with inner addresses are common, and not believed."""
    secret = write_tif(tmp_path / "secret.tif")
    own = {"rel": "self", "href": f"{inner.url}/items/one.json"}
    here = {"rel": "self", "href": str(tmp_path / "item.json")}
    stac_api.items = [
        item("one", "a.tif", links=[own], collection="c"),
        item("two", f"file://{secret}", links=[here], collection="c"),
    ]
    one, two = find_scenes(stac_api.url, settings, limit=2)
    assert isinstance(one, Scene)
    assert one.imagery.hrefs[0].startswith(stac_api.url)
    assert isinstance(two, FailedItem)
    assert inner.asked == []


def test_alternates_that_lead_away_are_not_tried(
    inner: WebServer, outer: WebServer, settings: Settings, item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    made = item("one", "good.tif")
    made["assets"]["image"]["alternate"] = {"a": {"href": f"{inner.url}/a.tif"}, "b": {"href": "s3://private/a.tif"}}
    write(outer.folder / "one.json", made)
    (scene,) = find_scenes(f"{outer.named}/one.json", settings.model_copy(update={"alternates": ("a", "b")}))
    assert isinstance(scene, Scene), scene.error
    assert scene.imagery.bands[0].alternates == ()
    assert is_read(scene, settings)
    assert inner.asked == []


def test_a_host_that_is_listed_is_read(
    inner: WebServer, outer: WebServer, settings: Settings, item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    write(outer.folder / "one.json", item("one", f"{inner.url}/a.tif"))
    listed = settings.model_copy(update={"allowed_hosts": ("*", f"127.0.0.1:{inner.port}")})
    (scene,) = find_scenes(f"{outer.named}/one.json", listed)
    assert is_read(scene, listed)
    assert not is_read(scene, settings)  # records are held to what is allowed now


def test_captions_of_the_web_name_pictures_of_the_web(outer: WebServer, tmp_path: Path, settings: Settings) -> None:
    lines = [{"image": f"file://{tmp_path / 'secret.tif'}", "caption": "a"}, {"image": "good.png", "caption": "b"}]
    (outer.folder / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = read_captions(f"{outer.named}/captions.jsonl", settings)
    assert [entry.href for entry in source.entries] == [f"{outer.named}/good.png"]
    assert [failure.name for failure in source.failed] == ["line 1"]
