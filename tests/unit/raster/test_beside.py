"""Masks and nodata values beside remote files: found over http and in S3, with one request each."""

from __future__ import annotations

import functools
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio

from imagerag_assets.errors import RasterError
from imagerag_assets.raster import beside
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.formats.picture import SIDE, look, write
from tests.s3 import S3Endpoint
from tests.unit.raster.scenes import scene_of, write_tiff

RGB = ("red", "green", "blue")


@dataclass
class Server:
    """Serves a folder with ranges, and remembers what it was asked for."""

    folder: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)
    broken: str = ""
    """Names that end so give 503."""


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, server_of: Server, **kwargs: Any) -> None:
        self._of = server_of
        super().__init__(*args, directory=str(server_of.folder), **kwargs)

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def do_GET(self) -> None:
        name = urlsplit(self.path).path
        self._of.asked.append(name)
        if self._of.broken and name.endswith(self._of.broken):
            self.send_error(503)
            return
        file, wanted = self._of.folder / name[1:], re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not file.is_file():
            super().do_GET()
            return
        content = file.read_bytes()
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = Server(tmp_path / "served")
    served.folder.mkdir()
    beside._known.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, server_of=served)) as http:
        served.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield served
        http.shutdown()
        thread.join()


def masked(path: Path, **options: Any) -> Path:
    """Write a picture whose northern half is masked by a file beside it."""
    write(path, RGB, **options)
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[: SIDE // 2] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    assert Path(f"{path}.msk").is_file()
    return path


def test_a_mask_beside_a_file_over_http_counts(server: Server, settings: Settings) -> None:
    masked(server.folder / "a.tif")
    masked(server.folder / "b.tif", missing=32, nodata=0)
    for name, quarters in (("a.tif", "--Bg"), ("b.tif", "---g"), ("a.tif?token=secret", "--Bg")):
        assert look(scene_of(f"{server.address}/{name}"), settings).quarters == quarters


def test_what_is_not_beside_a_file_costs_one_request_each_and_is_known_afterwards(
    server: Server, settings: Settings
) -> None:
    write(server.folder / "a.tif", RGB)
    for _ in range(3):
        assert look(scene_of(f"{server.address}/a.tif"), settings).valid == 1
    assert sorted(name for name in server.asked if name != "/a.tif") == ["/a.tif.aux.xml", "/a.tif.msk"]


def test_a_file_that_says_all_itself_is_not_searched_for_more(server: Server, settings: Settings) -> None:
    path = write(server.folder / "a.tif", RGB, nodata=0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.full((SIDE, SIDE), 255, np.uint8))
    assert look(scene_of(f"{server.address}/a.tif"), settings).valid == 1
    assert set(server.asked) == {"/a.tif"}


def test_a_nodata_value_beside_a_file_over_http_counts(server: Server, settings: Settings) -> None:
    write(server.folder / "a.tif", RGB, missing=32, fill=7)
    bands = "".join(f'<PAMRasterBand band="{n}"><NoDataValue>7</NoDataValue></PAMRasterBand>' for n in (1, 2, 3))
    (server.folder / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    assert look(scene_of(f"{server.address}/a.tif"), settings).quarters == "-G-g"


@pytest.mark.parametrize("content", ["<html>Not here</html>", "<PAMDataset><PAMRaster"])
def test_pages_and_damaged_files_beside_an_image_are_passed_over(
    server: Server, settings: Settings, content: str
) -> None:
    write(server.folder / "a.tif", RGB)
    for suffix in (".msk", ".aux.xml"):
        (server.folder / f"a.tif{suffix}").write_text(content)
    assert look(scene_of(f"{server.address}/a.tif"), settings).valid == 1


def test_a_server_in_trouble_is_not_taken_for_one_without_a_mask(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked(server.folder / "a.tif")
    server.broken = ".msk"
    monkeypatch.setattr("imagerag_assets.objects.http._BACKOFF_S", 0)
    with pytest.raises(RasterError, match="what lies beside the image cannot be told") as failed:
        look(scene_of(f"{server.address}/a.tif"), settings)
    assert failed.value.transient
    server.broken = ""
    assert look(scene_of(f"{server.address}/a.tif"), settings).quarters == "--Bg"


def test_a_mask_of_another_size_over_http_is_one_clear_line(server: Server, settings: Settings) -> None:
    write(server.folder / "a.tif", RGB)
    mask = write_tiff(server.folder / "m.tif", np.full((1, 40, 40), 255, np.uint8))
    shutil.move(mask, server.folder / "a.tif.msk")
    with pytest.raises(RasterError, match="the mask beside the image has 40x40 px, the image 64x64"):
        look(scene_of(f"{server.address}/a.tif"), settings)


@pytest.mark.parametrize("endpoint_in_settings", [True, False])
def test_a_mask_beside_an_object_in_s3_counts(
    s3_endpoint: S3Endpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    endpoint_in_settings: bool,
) -> None:  # fmt: skip
    beside._known.clear()
    bucket = s3_endpoint.root / f"masks-{endpoint_in_settings}".lower()
    masked(bucket / "folder/a.tif")
    for name, value in s3_endpoint.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    if endpoint_in_settings:
        settings = settings.model_copy(update={"s3_endpoint_url": s3_endpoint.url})
    else:  # as with AWS itself, whose folders GDAL is not asked to list
        host = urlsplit(s3_endpoint.url).netloc
        for name, value in (("S3_ENDPOINT", host), ("HTTPS", "NO"), ("VIRTUAL_HOSTING", "FALSE")):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint.url)
    assert look(scene_of(f"s3://{bucket.name}/folder/a.tif"), settings).quarters == "--Bg"


def test_overviews_and_levels_keep_mask_and_nodata_together(tmp_path: Path, settings: Settings) -> None:
    pixels = np.full((3, 700, 700), 200, np.uint8)
    pixels[:, :, :101] = 0
    mask = np.full((700, 700), 255, np.uint8)
    mask[:101] = 0
    path = write_tiff(tmp_path / "a.tif", pixels, nodata=0, overviews=[2, 4])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    for supertile in (3584, 256):  # read as it is, and through overviews that are built for it
        changed = settings.model_copy(update={"supertile_px": supertile})
        with SceneReader(scene_of(path), changed) as reader:
            for level in range(4):
                picture, valid = reader.read(reader.grid.window, level)
                assert valid.mean() == pytest.approx((599 / 700) ** 2, abs=0.02)
                assert set(np.unique(picture[valid])) == {200}
