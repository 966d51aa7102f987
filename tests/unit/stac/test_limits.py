from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import ImageRAGError, IncompleteListingError, SourceError
from imagerag_assets.objects import http
from imagerag_assets.objects.deadlines import TooSlowError
from imagerag_assets.settings import Settings
from imagerag_assets.stac.api import search_api
from imagerag_assets.stac.documents import list_folder, read_document
from imagerag_assets.stac.listing import list_source
from imagerag_assets.stac.paging import item_pages
from imagerag_assets.stac.reading_time import ReadingTime
from imagerag_assets.stac.source import find_scenes
from tests.endless_server import EndlessServer, endless_server
from tests.items import texture, write_scene

MOST = 1_000_000
SLOW = r"No whole answer in 0\.5 s.*IMAGERAG_LIMIT_DOCUMENT_S"
LARGE = r"more than 1,000,000 bytes.*IMAGERAG_LIMIT_DOCUMENT_BYTES"


@pytest.fixture
def server() -> Iterator[EndlessServer]:
    with endless_server() as running:
        yield running


def limited(settings: Settings, why: str, **limits: Any) -> Settings:
    """Return settings with few bytes, and little time where that is what is too much."""
    seconds = 0.5 if why == SLOW else 60.0
    return settings.model_copy(update={"limit_document_bytes": MOST, "limit_document_s": seconds, **limits})


@pytest.mark.parametrize(
    ("way", "why"),
    [
        *((way, SLOW) for way in ("silent", "drip", "drip-head", "drip-to-the-end", "large-redirect", "large-busy")),
        *((way, LARGE) for way in ("large", "large-chunked", "bomb")),
    ],
)
def test_a_document_of_the_web_that_never_ends_is_one_line(
    way: str, why: str, server: EndlessServer, settings: Settings
) -> None:
    with pytest.raises(SourceError, match=why) as told:
        read_document(f"{server.url}/{way}.json", limited(settings, why))
    assert told.value.transient == (why == SLOW)
    assert server.sent < 20 * MOST  # what is in buffers of sockets counts too


def test_a_deadline_holds_for_a_connection_that_was_used_before(server: EndlessServer) -> None:
    for way in ("drip", "drip-head", "silent"):
        addresses = [f"{server.url}/good.json", f"{server.url}/{way}.json"]
        good, slow = http.read_all(addresses, seconds=0.5, threads=1)
        assert good == b"{}" and isinstance(slow, TooSlowError)


@pytest.mark.parametrize(("way", "why"), [*((way, SLOW) for way in ("silent", "drip", "drip-head")), ("large", LARGE)])
def test_an_object_that_never_ends_is_one_line(way: str, why: str, server: EndlessServer, settings: Settings) -> None:
    settings = limited(settings, why, s3_endpoint_url=server.url, s3_anonymous=True)
    with pytest.raises(SourceError, match=why) as told:
        read_document(f"s3://bucket/items/{way}.json", settings)
    assert told.value.transient == (why == SLOW)
    assert server.sent < 20 * MOST


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"limit_items": 7}, "more than 7 entries.*IMAGERAG_LIMIT_ITEMS"),
        ({"limit_listing_s": 0.7}, r"No whole answer in 0\.7 s.*IMAGERAG_LIMIT_LISTING_S"),
    ],
)
def test_a_bucket_that_never_ends_is_one_line(
    limits: dict[str, Any], why: str, server: EndlessServer, settings: Settings
) -> None:
    settings = limited(settings, why, s3_endpoint_url=server.url, s3_anonymous=True, **limits)
    with pytest.raises(SourceError, match=why):
        list_folder("s3://bucket/items", settings)


@pytest.mark.parametrize("way", ["silent", "drip", "drip-head", "large"])
def test_an_api_that_never_ends_is_one_line(way: str, server: EndlessServer, settings: Settings) -> None:
    why = LARGE if way == "large" else SLOW
    with pytest.raises(SourceError, match=why):
        list(search_api(f"{server.url}/{way}", limited(settings, why), frozenset({"a"})))


def test_a_pipe_and_a_device_are_no_documents(settings: Settings, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        with pytest.raises(SourceError, match="a (pipe|device), not a file"):
            read_document(str(tmp_path / name), settings)
    (tmp_path / "large.json").write_text("{" + " " * MOST + "}")
    with pytest.raises(SourceError, match=LARGE):
        read_document(str(tmp_path / "large.json"), limited(settings, LARGE))


def test_a_document_is_neither_deep_nor_full_of_values_or_links(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in ("[" * 450 + "]" * 450, '{"a":' * 450 + "1" + "}" * 450, "[" * 200_000):
        file.write_text('{"deep": ' + text + "}")
        with pytest.raises(SourceError, match="deep"):
            read_document(str(file), settings)
    file.write_text('{"deep": ' + "[" * 350 + "]" * 350 + "}")
    read_document(str(file), settings)
    file.write_text('{"many": [' + "[]," * 600 + "1]}")
    with pytest.raises(SourceError, match="1,202 values; at most 1,000.*IMAGERAG_LIMIT_DOCUMENT_VALUES"):
        read_document(str(file), settings.model_copy(update={"limit_document_values": 1000}))
    file.write_text(json.dumps({"links": [{"rel": "item", "href": f"{n}.json"} for n in range(11)]}))
    with pytest.raises(SourceError, match="11 links; at most 10.*IMAGERAG_LIMIT_LINKS"):
        read_document(str(file), settings.model_copy(update={"limit_links": 10}))


def _found(source: Path, settings: Settings) -> tuple[int, list[str], list[str]]:
    """Return how many scenes are found, and what is said by `find_scenes` and by `list_source`."""
    results = list(find_scenes(str(source), settings, keep_items=False))
    failures = [str(each.error) for each in results if not hasattr(each, "imagery")]
    listing = list_source(str(source), settings)
    list(listing.listed)
    return len(results) - len(failures), failures, [str(each) for each in listing.problems]


def _catalog(folder: Path, name: str, **links: list[str]) -> Path:
    written = [{"rel": relation, "href": href} for relation, hrefs in links.items() for href in hrefs]
    content = {"type": "Catalog", "stac_version": "1.0.0", "id": name, "description": "", "links": written}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / f"{name}.json"


def test_catalogs_without_end_are_read_up_to_a_limit(settings: Settings, tmp_path: Path) -> None:
    item = write_scene(tmp_path / "scene", "one", texture(64, 64))
    for number in range(12):
        links = {"child": [f"c{number + 1}.json"], "item": [os.path.relpath(item, tmp_path)]}
        _catalog(tmp_path, f"c{number}", **links)
    _catalog(tmp_path, "c12")
    assert _found(tmp_path / "c0.json", settings) == (1, [], [])
    scenes, failed, problems = _found(tmp_path / "c0.json", settings.model_copy(update={"limit_catalogs": 5}))
    assert scenes == 1
    for said in (failed, problems):
        assert len(said) == 1 and "more than 5 catalogs" in said[0] and "IMAGERAG_LIMIT_CATALOGS" in said[0]


def test_items_without_end_are_read_up_to_a_limit(settings: Settings, tmp_path: Path) -> None:
    items = [write_scene(tmp_path / f"s{number}", f"s{number}", texture(64, 64)) for number in range(4)]
    folder = tmp_path / "catalog"
    folder.mkdir()
    _catalog(folder, "more")
    root = _catalog(folder, "root", item=[os.path.relpath(each, folder) for each in items], child=["more.json"])
    assert _found(root, settings) == (4, [], [])
    _, failed, problems = _found(root, settings.model_copy(update={"limit_items": 2}))
    for said in (failed, problems):
        assert len(said) == 1 and "more than 2 items" in said[0] and "IMAGERAG_LIMIT_ITEMS" in said[0]
    with pytest.raises(ImageRAGError, match="more than 2 entries.*IMAGERAG_LIMIT_ITEMS"):
        list_folder(str(tmp_path), settings.model_copy(update={"limit_items": 2}))


def test_a_source_that_takes_too_long_is_read_up_to_a_limit(settings: Settings, tmp_path: Path) -> None:
    item = write_scene(tmp_path / "scene", "one", texture(64, 64))
    _catalog(tmp_path, "more")
    root = _catalog(tmp_path, "root", child=["more.json"], item=[os.path.relpath(item, tmp_path)])
    hasty = settings.model_copy(update={"limit_source_s": 1e-9})
    scenes, failed, problems = _found(root, hasty)
    assert scenes <= 1
    for said in (failed, problems):
        assert len(said) == 1 and "not read to its end" in said[0] and "IMAGERAG_LIMIT_SOURCE_S" in said[0]
    (left,) = list_source(str(root), hasty).unread
    assert left.href.endswith("more.json")
    page = {"type": "FeatureCollection", "stac_version": "1.0.0", "features": [json.loads(item.read_text())]}
    (tmp_path / "page.json").write_text(json.dumps(page | {"links": [{"rel": "next", "href": "next.json"}]}))
    (tmp_path / "next.json").write_text(json.dumps(page | {"links": []}))
    first, stopped = item_pages(read_document(str(tmp_path / "page.json"), hasty), hasty, ReadingTime(hasty))
    assert not isinstance(first, SourceError)
    assert isinstance(stopped, IncompleteListingError) and "IMAGERAG_LIMIT_SOURCE_S" in str(stopped)


def test_what_is_done_with_items_is_not_time_to_read(settings: Settings) -> None:
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imagerag_assets.stac.reading_time.time.monotonic", lambda: now[0])
        reading = ReadingTime(settings.model_copy(update={"limit_source_s": 10.0}))

        def items() -> Iterator[str]:
            for name in "abcd":
                now[0] += 4.0
                yield name

        found = []
        for each in reading.limited(items(), lambda _: "up", "a"):
            found.append(each)
            now[0] += 1000.0  # embedding it
    assert found == ["a", "b", "c", "up"]


def test_an_item_whose_file_never_answers_fails_alone(
    server: EndlessServer, settings: Settings, tmp_path: Path
) -> None:
    settings = limited(settings, SLOW, s3_endpoint_url=server.url, s3_anonymous=True)
    good = write_scene(tmp_path, "good", texture(64, 64))
    item = json.loads(good.read_text()) | {"id": "slow"}
    item["assets"] = {key: asset | {"href": "s3://bucket/silent.tif"} for key, asset in item["assets"].items()}
    (tmp_path / "slow.json").write_text(json.dumps(item))
    scene, failed = sorted(find_scenes(str(tmp_path), settings), key=lambda each: each.scene_key)
    assert scene.scene_key == "good"
    assert failed.error.transient and "IMAGERAG_LIMIT_DOCUMENT_S" in str(failed.error)
