"""Items and rasters with faults of every kind among good ones: the good ones are done, and each bad one fails alone.

There are 200 of each; with `NIGHTLY=1` in the environment, 2,000.
"""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.ingestion.source import ingest
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.records import find_record
from imagerag_assets.settings import Settings
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.sources import WatchedSource
from imagerag_assets.watched_sources.tick import plan_tick
from tests.conftest import NIGHTLY
from tests.formats.providers import PROVIDED
from tests.items import texture
from tests.mutations import mutated_bytes, mutated_item
from tests.stac_api import StacApi, stac_api  # noqa: F401
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401
from tests.unit.raster.scenes import scene_of, write_tiff

COUNT = 2_000 if NIGHTLY else 200
INGESTED = 200 if NIGHTLY else 12
DEEP = "[[[[[[[[[[[["
"""What is nested so deeply may end the whole document."""
GOOD = ("good-0", "good-1", "good-2")
LONGEST = 2_000
"""Characters of a failure, of which an address may be most."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> list[dict[str, Any]]:
    """Items of all providers, with files of their own, and real ones whose files are one small raster."""
    folder = tmp_path_factory.mktemp("originals")
    found = []
    for number, provided in enumerate(PROVIDED):
        at = folder / str(number)
        at.mkdir()
        item = json.loads(provided.write(at).read_text())
        for asset in item["assets"].values():
            if str(asset.get("href", "")).startswith("./"):
                asset["href"] = str(at / asset["href"])
        found.append(item)
    raster = write_tiff(folder / "x.tif", texture(60, 60))
    for file in sorted(samples.rglob("*.json")):
        item = json.loads(file.read_text())
        if item.get("type") == "Feature" and item.get("assets"):
            for asset in item["assets"].values():
                asset["href"] = str(raster)
            item["links"] = [link | {"href": "./" + link["href"].rpartition("/")[2]} for link in item.get("links", ())]
            found.append(item)
    assert len(found) > 80
    return found


@pytest.fixture(scope="module")
def texts(originals: list[dict[str, Any]]) -> dict[str, str]:
    """The mutated items, each under the name of its document."""
    rng = random.Random(15)
    return {
        f"bad-{number}": mutated_item(originals[number % len(originals)] | {"id": f"bad-{number}"}, rng)
        for number in range(COUNT)
    }


@pytest.fixture(scope="module")
def catalog(originals: list[dict[str, Any]], texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog that links to the mutated items, with good ones before, among and after them."""
    folder = tmp_path_factory.mktemp("catalog")
    for name, text in texts.items():
        (folder / f"{name}.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    names = list(texts)
    for number, good in enumerate(GOOD):
        (folder / f"{good}.json").write_text(json.dumps(originals[number] | {"id": good, "links": []}))
        names.insert(number * len(names) // 2, good)
    links = [{"rel": "item", "href": f"./{name}.json"} for name in names]
    root = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "", "links": links}
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings) as platform:
        yield platform


def check_failure(failed: FailedItem) -> None:
    line = str(failed.error)
    assert line
    assert line.isprintable(), line
    assert len(line) < LONGEST + len(failed.item_href or ""), line
    assert is_scene_key(failed.scene_key)
    assert "Error:" not in line, line  # the class of what nobody thought of


def check_all(found: list[Scene | FailedItem], catalog: Path, texts: dict[str, str]) -> None:
    """Every document is a scene or a failure; the good ones are scenes."""
    for each in found:
        if isinstance(each, FailedItem):
            check_failure(each)
        else:
            assert is_scene_key(each.scene_key)
            assert Scene.from_dict(json.loads(json.dumps(each.to_dict(), allow_nan=False))) == each
    hrefs = {str(each.item_href) for each in found}
    assert hrefs == {str(catalog / f"{name}.json") for name in (*texts, *GOOD)}
    assert set(GOOD) <= {each.item_id for each in found if isinstance(each, Scene)}


def test_a_catalog_of_mutated_items(catalog: Path, texts: dict[str, str], settings: Settings) -> None:
    found = list(find_scenes(str(catalog / "catalog.json"), settings))
    check_all(found, catalog, texts)
    failed = sum(isinstance(each, FailedItem) for each in found)
    assert COUNT / 5 < failed < COUNT / 2, failed  # the faults are such that both come often


def test_a_listing_of_mutated_items(catalog: Path, texts: dict[str, str], settings: Settings) -> None:
    listing = list_source(str(catalog / "catalog.json"), settings)
    read = read_listed(list(listing.listed), str(catalog), settings)
    check_all([each for _, results in read for each in results], catalog, texts)
    assert not listing.problems


def test_an_item_collection_of_mutated_items(
    catalog: Path, texts: dict[str, str], tmp_path: Path, settings: Settings
) -> None:
    """The first entry is a bad one: what the others are does not depend on it."""
    some = {name: text for name, text in texts.items() if DEEP not in text}
    every = ['{"type": 7}', *some.values(), *((catalog / f"{name}.json").read_text() for name in GOOD)]
    collection = tmp_path / "items.json"
    text = f'{{"type": "FeatureCollection", "features": [{", ".join(every)}]}}'
    collection.write_bytes(text.encode("utf-8", "surrogatepass"))
    listing = list_source(str(collection), settings)
    listed = list(read_listed(list(listing.listed), str(collection), settings))
    for found in (list(find_scenes(str(collection), settings)), [each for _, some in listed for each in some]):
        assert set(GOOD) <= {each.item_id for each in found if isinstance(each, Scene)}
        assert len(found) >= len(some)
        for each in found:
            if isinstance(each, FailedItem):
                check_failure(each)


def test_an_api_with_mutated_items(
    texts: dict[str, str],
    catalog: Path,
    stac_api: StacApi,  # noqa: F811
    platform: Platform,
) -> None:
    stac_api.page = 100
    good = [json.loads((catalog / f"{name}.json").read_text()) for name in GOOD]
    bad = [item for text in texts.values() if DEEP not in text and isinstance(item := json.loads(text), dict)]
    stac_api.items = [{"id": "type-7", "type": 7}, *bad, *good]
    for item in good:
        item["assets"] = {"visual": {"href": "https://example.com/x.tif", "type": "image/tiff", "roles": ["visual"]}}
    found = list(find_scenes(stac_api.url, platform.settings, limit=10 * COUNT))
    assert set(GOOD) <= {each.item_id for each in found if isinstance(each, Scene)}
    plan = plan_tick(platform, WatchedSource("api", stac_api.url, max_new=10 * COUNT), None, seconds=600)
    assert set(GOOD) <= {each.scene.item_id for each in plan.requests}


def test_a_watched_source_of_mutated_items(catalog: Path, texts: dict[str, str], platform: Platform) -> None:
    source = WatchedSource("here", str(catalog / "catalog.json"), max_new=10 * COUNT)
    plan = plan_tick(platform, source, None, seconds=600)
    assert set(GOOD) <= {each.scene.item_id for each in plan.requests}
    assert len(plan.requests) + len(plan.failed) == COUNT + len(GOOD)
    assert plan.waiting == 0
    assert list_failures(platform)
    again = plan_tick(platform, source, plan.cursor, seconds=600)
    assert not again.requests
    assert full_scan(platform, source).scenes >= len(plan.requests)


def test_registering_what_is_left_of_mutated_items(catalog: Path, platform: Platform) -> None:
    """Their rasters are fine, so what is wrong is what the items say of them."""
    scenes = [each for each in find_scenes(str(catalog / "catalog.json"), platform.settings) if isinstance(each, Scene)]
    done, failed = [], []
    for scene in scenes:
        try:
            register(platform, scene)
        except ImageRAGError as error:
            failed.append(str(error))
            continue
        record = find_record(platform, scene.scene_key)
        assert record is not None
        json.dumps(record.to_dict(), allow_nan=False)
        done.append(scene.item_id)
    assert set(GOOD) <= set(done)
    assert len(done) > len(scenes) / 2
    assert all(line.isprintable() for line in failed), failed


def test_ingesting_mutated_items(
    catalog: Path,
    texts: dict[str, str],
    tmp_path: Path,
    tiny_settings: Settings,  # noqa: F811
) -> None:
    for name in [*list(texts)[:INGESTED], *GOOD]:
        shutil.copy(catalog / f"{name}.json", tmp_path / f"{name}.json")
    with Platform(tiny_settings) as platform:
        results = list(ingest(platform, str(tmp_path)))
    status = {result.scene: result.status for result in results}
    assert {status[name] for name in GOOD} == {"ingested"}
    for result in results:
        assert (result.status == "failed") == bool(result.error)
        assert (result.error or "-").isprintable()
        assert "Error:" not in (result.error or "")


def write_rasters(folder: Path) -> list[Path]:
    """Small rasters of each format that is read."""
    pixels = texture(90, 110)
    options: dict[str, dict[str, Any]] = {
        "a.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"},
        "b.tif": {"driver": "GTiff", "compress": "lzw", "predictor": 2, "BIGTIFF": "YES"},
        "c.tif": {"driver": "GTiff", "compress": "jpeg", "photometric": "ycbcr", "tiled": True, "blockxsize": 64,
                  "blockysize": 64},
        "d.tif": {"driver": "COG", "compress": "zstd"},
        "e.png": {"driver": "PNG"},
        "f.jpg": {"driver": "JPEG"},
        "g.jp2": {"driver": "JP2OpenJPEG", "REVERSIBLE": "YES", "QUALITY": "100"},
        "h.webp": {"driver": "WEBP"},
    }  # fmt: skip
    place = {"crs": "EPSG:32631", "transform": rasterio.transform.from_origin(500_000, 5_000_000, 10, 10)}
    for name, each in options.items():
        with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
            warnings.simplefilter("ignore")
            with memory.open(driver="GTiff", count=3, height=90, width=110, dtype=np.uint8, **place) as plain:
                plain.write(pixels)
            with memory.open() as plain:
                rasterio.shutil.copy(plain, folder / name, **each)
    return [folder / name for name in options]


def test_mutated_rasters(tmp_path: Path, settings: Settings) -> None:
    originals = [(path.suffix, path.read_bytes()) for path in write_rasters(tmp_path)]
    rng = random.Random(15)
    read, failed = 0, []
    for number in range(COUNT):
        suffix, data = originals[number % len(originals)]
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(mutated_bytes(data, rng))
        try:
            with SceneReader(scene_of(path), settings, scratch=tmp_path / "scratch") as reader:
                width, height = reader.grid.width, reader.grid.height
                if width * height <= 4_000_000:  # sizes have limits of their own
                    reader.overview(64)
                    reader.read((0, 0, min(width, 64), min(height, 64)))
            read += 1
        except ImageRAGError as error:
            failed.append(str(error))
        path.unlink()
    assert COUNT / 5 < read < COUNT
    assert all(line.isprintable() for line in failed), failed
