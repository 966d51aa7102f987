"""Names that are awkward in an address, raw and percent-encoded, in a folder, over http and in a bucket."""

from __future__ import annotations

import functools
import os
import threading
import unicodedata
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.s3 import S3Endpoint

NAMES = [
    "a:b",
    "[1]",
    "trailing ",
    "漢字",
    "😀",
    "a b",
    "a+b",
    "a#b",
    "a%b",
    "100%",
    "ü 漢",
    "a,b;c=d",
    "a&b",
    "(x)[y]",
    "{z}",
    "it's",
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture(params=["folder", "http", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, str]]:
    """A folder, and the address by which it is read."""
    if request.param == "folder":
        yield tmp_path, str(tmp_path)
    elif request.param == "bucket":
        endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
        folder = endpoint.root / f"names-{os.getpid()}-{abs(hash(request.node.nodeid))}"
        folder.mkdir()
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield folder, f"s3://{folder.name}"
    else:
        handler = functools.partial(_Quiet, directory=str(tmp_path))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("encode", [str, quote], ids=["raw", "encoded"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_every_way_of_writing_a_name_is_read(
    place: tuple[Path, str],
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    encode: Callable[[str], str],
    absolute: bool,
) -> None:
    root, address = place
    links = []
    for number, name in enumerate(NAMES):
        write_tif(root / name / f"{name}.tif")
        folder = f"{address}/{encode(name)}" if absolute else "."
        write(root / name / f"{name}.json", item(f"i{number}", f"{folder}/{encode(name)}.tif"))
        links.append({"rel": "item", "href": f"{address if absolute else '.'}/{encode(name)}/{encode(name)}.json"})
    catalog = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "c", "links": links}
    write(root / "catalog.json", catalog)
    settings = load_settings(_env_file=None)
    found = list(find_scenes(f"{address}/catalog.json", settings))
    assert [str(each.error) for each in found if not isinstance(each, Scene)] == []
    assert [each.scene_key for each in found] == [f"i{number}" for number in range(len(NAMES))]
    for scene in found:
        assert isinstance(scene, Scene)
        with SceneReader(scene, settings) as reader:
            assert reader.read((0, 0, 64, 64))[1].all()


def test_a_name_that_looks_encoded_is_taken_as_it_is(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
) -> None:
    for name in ("a%20b", "a b"):
        write_tif(tmp_path / f"{name}.tif")
    source = write(tmp_path / "item.json", item("i", "./a%20b.tif"))
    (scene,) = find_scenes(str(source), load_settings(_env_file=None))
    assert isinstance(scene, Scene)
    assert scene.imagery.bands[0].href == str(tmp_path / "a%20b.tif")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (unicodedata.normalize("NFC", "Zürich"), unicodedata.normalize("NFD", "Zürich")),
        (unicodedata.normalize("NFD", "Zürich"), unicodedata.normalize("NFC", "Zürich")),
        (unicodedata.normalize("NFD", "Zürich"), quote(unicodedata.normalize("NFC", "Zürich"))),
        ("a b", "a%2520b"),
    ],
)
def test_other_spellings_are_tried_where_nothing_has_the_name(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    name: str,
    written: str,
) -> None:
    write_tif(tmp_path / f"{name}.tif")
    (scene,) = find_scenes(
        str(write(tmp_path / "item.json", item("i", f"./{written}.tif"))), load_settings(_env_file=None)
    )
    assert isinstance(scene, Scene), scene.error
    assert scene.imagery.bands[0].href == str(tmp_path / f"{name}.tif")


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a%b", "a b", "a&b=c;d"])
@pytest.mark.parametrize("encode", [str, quote], ids=["raw", "encoded"])
@pytest.mark.parametrize("start", ["file://", "file:", "file://localhost"])
def test_addresses_of_local_files_have_no_query_and_no_fragment(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    name: str,
    encode: Callable[[str], str],
    start: str,
) -> None:
    path = write_tif(tmp_path / name / f"{name}.tif")
    source = write(tmp_path / "item.json", item("i", f"{start}{encode(str(path))}"))
    (scene,) = find_scenes(str(source), load_settings(_env_file=None))
    assert isinstance(scene, Scene), scene.error
    assert scene.imagery.bands[0].href == str(path)
