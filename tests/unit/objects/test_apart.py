from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.isolation.worker import is_worker
from imagerag_assets.objects import apart, boundary, gdal, signed
from imagerag_assets.objects.apart import reading
from imagerag_assets.plain_files.items import item_of_file
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings
from tests.endless_server import EndlessServer, endless_server
from tests.unit.raster.scenes import scene_of, unique_pixels, write_tiff


@pytest.fixture
def server() -> Iterator[EndlessServer]:
    with endless_server() as running:
        yield running


def known_there(href: str, settings: Settings) -> tuple[str, bool, str | None, bool]:
    where = boundary.authority(href)
    return (
        signed.requested(href),
        where is not None and boundary.is_foreign(where),
        gdal.noted_version(href, settings),
        is_worker(),
    )


def test_the_other_process_knows_what_this_one_knows_of_an_address(settings: Settings) -> None:
    signed_href = "https://example.org/a.tif?X-Amz-Signature=12&X-Amz-Date=20260101T000000Z"
    href = signed.keep_signature(signed_href)
    boundary.note_foreign([("example.org", 443)])
    there = reading(href, "opened", settings, known_there, href, settings)
    assert there == (*known_there(href, settings)[:3], True) == (signed_href, True, None, True)
    newer = signed_href.replace("=12", "=34")
    signed.keep_signature(newer)
    assert reading(href, "opened", settings, known_there, href, settings)[0] == newer
    gdal.note_version("s3://bucket/a.tif", settings, "2")
    assert reading("s3://bucket/a.tif", "read", settings, known_there, "s3://bucket/a.tif", settings)[2] == "2"


def test_a_setting_reads_in_this_process(settings: Settings) -> None:
    here = settings.model_copy(update={"read_apart": False})
    assert reading("/a.tif", "read", here, known_there, "/a.tif", here)[3] is False


def test_the_reading_process_is_small(settings: Settings) -> None:
    loaded = reading("/a.tif", "read", settings, modules_there)
    assert {"rasterio", "imagerag_assets.raster.files"} <= loaded
    assert not loaded & {"torch", "dagster", "pymilvus", "transformers", "pandas", "imagerag_assets.encoders"}


def modules_there() -> set[str]:
    import imagerag_assets.plain_files.items
    import imagerag_assets.raster.reader  # noqa: F401

    return set(sys.modules)


@pytest.mark.parametrize("way", ["silent", "drip-head"])
def test_a_server_that_hangs_costs_the_time_that_is_allowed(
    way: str, server: EndlessServer, tmp_path: Path, settings: Settings
) -> None:
    limited = settings.model_copy(update={"limit_open_s": 1.0, "limit_document_s": 0.3})
    with pytest.raises(RasterError, match=r"cannot be opened in 1 s.*IMAGERAG_LIMIT_OPEN_S") as told:
        SceneReader(scene_of(f"{server.url}/{way}"), limited)
    assert told.value.transient
    with pytest.raises(RasterError, match="IMAGERAG_LIMIT_OPEN_S"):
        item_of_file(f"{server.url}/{way}.tif", limited)
    with SceneReader(scene_of(write_tiff(tmp_path / "a.tif", unique_pixels(64, 64))), limited) as reader:
        assert reader.read((0, 0, 64, 64))[1].all()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_while_it_reads_costs_its_raster_only(
    number: int, server: EndlessServer, tmp_path: Path, settings: Settings
) -> None:
    limited = settings.model_copy(update={"limit_document_s": 0.3})
    local = write_tiff(tmp_path / "a.tif", unique_pixels(64, 64))
    with ThreadPoolExecutor(1) as pool, SceneReader(scene_of(local), limited) as reader:
        opening = pool.submit(SceneReader, scene_of(f"{server.url}/silent"), limited)
        server.asked.acquire()  # the way is looked at
        server.asked.acquire()  # GDAL asks
        (reading_it,) = [
            child
            for child in psutil.Process().children()
            if any("isolation.worker" in word for word in child.cmdline())
            and any(each.status == psutil.CONN_ESTABLISHED for each in child.net_connections("inet"))
        ]
        os.kill(reading_it.pid, number)
        with pytest.raises(RasterError, match=signal.Signals(number).name) as told:
            opening.result()
        assert f"{server.url}/silent" in str(told.value)
        assert reader.read((0, 0, 64, 64))[1].all()


def test_readers_keep_no_files_open_there(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "a.tif", unique_pixels(64, 64))
    with SceneReader(scene_of(path), settings) as reader:
        reader.read((0, 0, 64, 64))
        assert open_there(path)
    assert not open_there(path)


def open_there(path: Path) -> list[int]:
    children = psutil.Process().children(recursive=True)
    return [each.pid for each in children if str(path) in {file.path for file in each.open_files()}]


READER = """
import sys
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import load_settings
from tests.unit.raster.scenes import scene_of
with SceneReader(scene_of(sys.argv[1]), load_settings()) as reader:
    reader.read((0, 0, 64, 64))
    print(*(each.pid for each in __import__("psutil").Process().children()))
"""


def test_a_program_leaves_no_process_behind(tmp_path: Path) -> None:
    path, root = write_tiff(tmp_path / "a.tif", unique_pixels(64, 64)), str(Path(__file__).resolve().parents[3])
    environment = os.environ | {"PYTHONPATH": root, "IMAGERAG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", READER, path], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.strip()
    assert not any(psutil.pid_exists(int(pid)) for pid in done.stdout.split())


def test_errors_name_the_limit(settings: Settings) -> None:
    assert "IMAGERAG_LIMIT_READ_BYTES" in str(apart.out_of_memory("/a.tif", "read", settings))
