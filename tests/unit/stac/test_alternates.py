"""Several addresses of one file, of which some cannot be read, and files whose requester pays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.objects.gdal import gdal_environment
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene


@pytest.mark.parametrize(
    ("preferred", "first", "others"),
    [
        ((), "own.tif", ["a.tif", "b.tif"]),
        (("backup",), "b.tif", ["own.tif", "a.tif"]),
        (("Archive", "backup"), "a.tif", ["b.tif", "own.tif"]),
        (("main",), "own.tif", ["a.tif", "b.tif"]),
        (("s3", "https"), "own.tif", ["a.tif", "b.tif"]),
    ],
)
def test_the_preferred_address_comes_first(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    preferred: tuple[str, ...],
    first: str,
    others: list[str],
) -> None:
    for name in ("own", "a", "b"):
        write_tif(tmp_path / f"{name}.tif")
    made = item(href="./own.tif")
    made["assets"]["image"] |= {
        "alternate:name": "main",
        "alternate": {"archive": {"href": "./a.tif"}, "x": {"href": "b.tif", "alternate:name": "Backup"},
                      "odd": {"href": "ftp://host/c.tif"}, "none": {}, "null": None},
    }  # fmt: skip
    settings = load_settings(alternates=preferred, _env_file=None)
    (scene,) = find_scenes(str(write(tmp_path / "item.json", made)), settings)
    assert isinstance(scene, Scene), scene.error
    band = scene.imagery.bands[0]
    assert (Path(band.href).name, [Path(href).name for href in band.alternates]) == (first, others)


@pytest.mark.parametrize("gone", ["./gone.tif", "s3://bucket/gone.tif", "http://127.0.0.1:9/gone.tif"])
def test_the_other_address_is_read_where_one_cannot_be(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    gone: str,
) -> None:
    write_tif(tmp_path / "there.tif")
    made = item(href=gone)
    made["assets"]["image"]["alternate"] = {"copy": {"href": "./there.tif"}}
    settings = load_settings(_env_file=None, s3_endpoint_url="http://127.0.0.1:9")
    (scene,) = find_scenes(str(write(tmp_path / "item.json", made)), settings)
    assert isinstance(scene, Scene), scene.error
    with SceneReader(scene, settings) as reader:
        assert reader.read((0, 0, 64, 64))[1].all()


@pytest.fixture
def refusing() -> Iterator[str]:
    """An S3 server that gives nothing to those who do not pay; it holds `a.tif` of 9 bytes."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_HEAD(self) -> None:
            pays = self.headers.get("x-amz-request-payer") == "requester"
            self.send_response(200 if pays else 403)
            self.send_header("Content-Length", "9" if pays else "0")
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


V1 = {"storage:requester_pays": True}
V2 = {"storage:schemes": {"aws": {"type": "aws-s3", "requester_pays": True}, "free": {"type": "aws-s3"}}}


@pytest.mark.parametrize(
    ("properties", "asset", "pays"),
    [
        (V1, {}, True), ({}, V1, True), (V2, {"storage:refs": ["aws"]}, True), (V2, {}, True),
        (V2, {"storage:refs": ["free"]}, False), ({}, {}, False), (V1, {"storage:requester_pays": False}, False),
        ({"storage:schemes": {"aws": 3}}, {"storage:refs": [["aws"], "aws"]}, False),
    ],
)  # fmt: skip
def test_who_is_refused_for_not_paying_is_told_what_to_set(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
    properties: dict[str, Any],
    asset: dict[str, Any],
    pays: bool,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    made = item(href="s3://bucket/a.tif")
    made["properties"] |= properties
    made["assets"]["image"] |= asset
    source = str(write(tmp_path / "item.json", made))
    settings = load_settings(home=tmp_path, s3_endpoint_url=refusing, _env_file=None)
    (refused,) = find_scenes(source, settings)
    assert isinstance(refused, FailedItem)
    assert ("AWS_REQUEST_PAYER=requester" in str(refused.error)) is pays, refused.error
    if pays:
        settings.storage_file.write_text('[storage.paid]\nbuckets = "bucket"\nrequester_pays = true\n')
        (scene,) = find_scenes(source, settings)
        assert isinstance(scene, Scene), scene.error


def read_once_paid(source: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return the one scene of a source, which is refused until the costs are accepted."""
    (refused,) = find_scenes(source, settings)
    assert isinstance(refused, FailedItem)
    assert "AWS_REQUEST_PAYER=requester" in str(refused.error)
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    (scene,) = find_scenes(source, settings)
    assert isinstance(scene, Scene), scene.error
    return scene


@pytest.mark.parametrize("href", ["https://bucket.s3.us-west-2.amazonaws.com/a.tif", "{server}/bucket/a.tif"])
def test_an_address_in_the_web_of_a_bucket_whose_requester_pays_is_read_as_s3(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
    href: str,
) -> None:
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s")):
        monkeypatch.setenv(f"AWS_{name}", value)
    settings = load_settings(home=tmp_path, s3_endpoint_url=refusing, _env_file=None)
    made = item(href=href.format(server=refusing))
    made["properties"] |= V1
    scene = read_once_paid(str(write(tmp_path / "item.json", made)), settings, monkeypatch)
    assert scene.imagery.bands[0].href == "s3://bucket/a.tif"


def test_another_server_is_told_that_the_requester_pays(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings(home=tmp_path, _env_file=None)
    made = item(href=f"{refusing}/a.tif")
    made["properties"] |= V1
    read_once_paid(str(write(tmp_path / "item.json", made)), settings, monkeypatch)
    assert gdal_environment(settings, [f"{refusing}/a.tif"])["GDAL_HTTP_HEADERS"] == "x-amz-request-payer: requester"
    assert "GDAL_HTTP_HEADERS" not in gdal_environment(settings, ["s3://bucket/a.tif"])


@pytest.mark.parametrize(
    ("href", "said"),
    [("az://data/a.tif", "Set AZURE_STORAGE_ACCOUNT"), ("ftp://host/a.tif", "ftp:// addresses are not read")],
)
def test_an_address_that_is_not_read_is_one_line_unless_there_is_another(
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    href: str,
    said: str,
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    settings, made = load_settings(_env_file=None), item(href=href)
    (failed,) = find_scenes(str(write(tmp_path / "item.json", made)), settings)
    assert isinstance(failed, FailedItem)
    assert said in str(failed.error) and "\n" not in str(failed.error)
    write_tif(tmp_path / "there.tif")
    made["assets"]["image"]["alternate"] = {"copy": {"href": "./there.tif"}}
    (scene,) = find_scenes(str(write(tmp_path / "item.json", made)), settings)
    assert isinstance(scene, Scene), scene.error
