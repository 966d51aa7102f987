"""Rasters on real http servers that refuse HEAD, or were in trouble a moment ago."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio

from imagerag_assets.objects import opening
from imagerag_assets.objects.gdal import gdal_path, rasterio_env
from imagerag_assets.objects.opening import open_raster, raster_errors
from imagerag_assets.plain_files.items import item_of_file
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.unit.raster.scenes import scene_of, write_tiff


@dataclass
class Server:
    """A server of a folder."""

    folder: Path
    url: str = ""
    head: int = 200
    """Status of every answer to HEAD."""
    get: int = 200
    """The same for GET; 200: as it is."""
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(opening, "_without_head", set())
    served = Server(tmp_path / "served")
    served.folder.mkdir()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_HEAD(self) -> None:
            self._answer(served.head)

        def do_GET(self) -> None:
            self._answer(served.get)

        def _answer(self, status: int) -> None:
            served.asked.append(f"{self.command} {self.path}")
            file, part = served.folder / self.path[1:], None
            data = file.read_bytes() if status == 200 and file.is_file() else b""
            status = 404 if status == 200 and not data else status
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted and data and served.ranges:
                first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
                part, status = f"bytes {first}-{last}/{len(data)}", 206
                data = data[first : last + 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if part:
                self.send_header("Content-Range", part)
            self.end_headers()
            try:
                self.wfile.write(data if self.command == "GET" else b"")
            except ConnectionError:  # GDAL reads the header of a GET, and goes
                self.close_connection = True

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Clients that go are no error."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield served
        http.shutdown()
        thread.join()


def picture(path: Path, **options: object) -> Path:
    return write_tiff(path, np.full((3, 300, 300), 77, np.uint8), **options)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_a_file_is_read_from_a_server_that_refuses_head(server: Server, settings: Settings, status: int) -> None:
    server.head = status
    settings = settings.model_copy(update={"read_apart": False})  # each process that reads learns it by itself
    for name in ("a.tif", "b.tif"):
        picture(server.folder / name)
    mask = np.full((300, 300), 255, np.uint8)
    mask[:150] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(server.folder / "b.tif", "r+") as dataset:
        dataset.write_mask(mask)
    for name, share in (("a.tif", 1.0), ("b.tif", 0.5)):
        with SceneReader(scene_of(f"{server.url}/{name}"), settings) as reader:
            pixels, valid = reader.read((0, 0, 300, 300))
        assert valid.mean() == share and (pixels[valid] == 77).all()
    assert item_of_file(f"{server.url}/b.tif", settings)["properties"]["proj:shape"] == [300, 300]
    if status != 405:  # GDAL itself asks again
        assert sum(each.startswith("HEAD") for each in server.asked) == 1  # once a server, not once a file


def test_an_ordinary_server_is_asked_no_more_than_before(server: Server, settings: Settings) -> None:
    picture(server.folder / "a.tif")
    url = f"{server.url}/a.tif"
    with rasterio_env(settings, [url]):
        with rasterio.open(gdal_path(url)) as dataset:
            dataset.read()
        plainly = [each for each in server.asked if each.endswith("/a.tif")]
        server.asked.clear()
        picture(server.folder / "b.tif")
        with open_raster(gdal_path(url.replace("a.tif", "b.tif"))) as dataset:
            dataset.read()
    assert [each.replace("b.tif", "a.tif") for each in server.asked] == plainly
    assert plainly[0].startswith("HEAD")


def test_a_file_that_is_not_there_is_told_after_two_requests(server: Server, settings: Settings) -> None:
    url = f"{server.url}/gone.tif"
    with rasterio_env(settings, [url]), pytest.raises(raster_errors(), match="404"):
        open_raster(gdal_path(url))
    assert server.asked == ["HEAD /gone.tif", "GET /gone.tif"]


def test_a_file_that_failed_is_asked_for_anew(server: Server, settings: Settings) -> None:
    picture(server.folder / "a.tif")
    url = f"{server.url}/a.tif"
    server.head = server.get = 503
    with rasterio_env(settings, [url]), rasterio.Env(GDAL_HTTP_MAX_RETRY=0):
        for _ in range(2):
            with pytest.raises(raster_errors(), match="503"):
                open_raster(gdal_path(url))
        server.head = server.get = 200
        with open_raster(gdal_path(url)) as dataset:
            assert dataset.read(1).min() == 77


def test_a_server_without_ranges_is_told_in_one_line(server: Server, settings: Settings) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 700, 700), np.uint8)
    write_tiff(server.folder / "a.tif", noise)
    server.ranges = False
    with pytest.raises(Exception, match="sends parts of files") as told:
        SceneReader(scene_of(f"{server.url}/a.tif"), settings)
    assert "\n" not in str(told.value) and len(server.asked) < 6
