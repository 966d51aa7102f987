from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import absolute_href, filesystem, is_remote, join_href, local_path
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.failures import explain_failure
from imagerag_assets.objects.gdal import gdal_environment, gdal_path, note_version, rasterio_env
from imagerag_assets.settings import Settings, load_settings
from tests.s3 import S3Endpoint


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        ("./a.tif", "s3://b/x/item.json", "s3://b/x/a.tif"),
        ("../a.tif", "s3://b/x/y/item.json", "s3://b/x/a.tif"),
        ("../../../../a.tif", "s3://b/x/item.json", "s3://b/a.tif"),
        ("/a.tif", "s3://b/x/item.json", "s3://b/a.tif"),
        ("a.tif?v=1", "https://h/x/item.json?t=2", "https://h/x/a.tif?v=1"),
        ("/a.tif", "https://h/x/item.json", "https://h/a.tif"),
        ("https://h/a.tif", "s3://b/item.json", "https://h/a.tif"),
        ("s3a://b/a.tif", "/d/item.json", "s3://b/a.tif"),
        ("../a.tif", "/d/e/item.json", "/d/a.tif"),
        ("/a.tif", "/d/item.json", "/a.tif"),
        ("a b.tif", "file:///d/e%20f/item.json", "/d/e f/a b.tif"),
        ("file:///d/a%20b.tif", "s3://b/item.json", "/d/a b.tif"),
        ("file://localhost/d/a.tif", "/d/item.json", "/d/a.tif"),
        ("file:/d/a.tif", None, "/d/a.tif"),
        ("file://elsewhere/d/a.tif", "/d/item.json", "file://elsewhere/d/a.tif"),
        ("/d/./a.tif", None, "/d/a.tif"),
    ],
)
def test_hrefs_are_resolved_against_their_document(href: str, base: str | None, expected: str) -> None:
    assert absolute_href(href, base) == expected


def test_addresses_for_gdal_and_of_children() -> None:
    assert gdal_path("s3://b/x y.tif") == "/vsis3/b/x y.tif"
    assert gdal_path("https://h/a.tif?sig=1") == "/vsicurl/https://h/a.tif?sig=1"
    assert gdal_path("/d/a.tif") == "/d/a.tif"
    assert gdal_path("file:///d/a%20b.tif") == "/d/a b.tif"
    assert join_href("s3://b/x/", "c.json") == "s3://b/x/c.json"
    assert join_href("/d", "c.json") == "/d/c.json"


@pytest.mark.parametrize("host", ["elsewhere", "localhost.example", "localhost:80", "127.0.0.1"])
def test_a_file_of_another_host_is_not_taken_for_one_of_this_machine(host: str, settings: Settings) -> None:
    address = f"file://{host}/etc/passwd"
    assert is_remote(address)
    assert absolute_href("shadow", address) == f"file://{host}/etc/shadow"
    for used in (local_path, gdal_path, lambda each: filesystem(each, settings)):
        with pytest.raises(SourceError, match="another host") as caught:
            used(address)
        assert caught.value.ids["href"] == address
    refused = refusal(address, "/d/item.json", settings)
    assert refused is not None
    assert "another host" in refused.why


def test_files_beside_a_raster_are_looked_for_only_where_that_is_cheap() -> None:
    aws = load_settings(_env_file=None)
    own = load_settings(_env_file=None, s3_endpoint_url="http://localhost:9000")
    name = "GDAL_DISABLE_READDIR_ON_OPEN"
    assert gdal_environment(aws, ["s3://b/a.tif", "https://h/a.tif"])[name] == "EMPTY_DIR"
    assert gdal_environment(own, ["s3://b/a.tif"])[name] == "FALSE"
    assert gdal_environment(aws, ["s3://b/a.tif", "/d/a.tif"])[name] == "FALSE"
    assert gdal_environment(aws)[name] == "FALSE"
    assert name not in gdal_environment(aws, ["/d/a.tif"])
    assert gdal_environment(aws)["GDAL_CACHEMAX"] == 256 * 2**20


@pytest.fixture
def bucket(s3_endpoint: S3Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bucket of a real S3 endpoint, and the variables to reach it."""
    folder = s3_endpoint.root / ("f-" + tmp_path.name.replace("_", "-").lower())
    folder.mkdir()
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return folder


def write_cog(path: Path, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(1, 255, (3, 1024, 1024), dtype=np.uint8)
    with rasterio.open(
        path, "w", driver="COG", width=1024, height=1024, count=3, dtype="uint8", crs="EPSG:32632",
        transform=from_origin(500000, 5600000, 1, 1), compress="deflate", blocksize=256,
    ) as target:  # fmt: skip
        target.write(values)
    return values


def test_windows_of_a_cog_are_read_in_place_and_anew_after_a_change(bucket: Path) -> None:
    settings, href = load_settings(_env_file=None), f"s3://{bucket.name}/a.tif"
    for seed in (1, 2):
        values = write_cog(bucket / "a.tif", seed)
        note_version(href, settings, str(seed))
        with rasterio_env(settings, [href]), rasterio.open(gdal_path(href)) as source:
            assert source.overviews(1)
            window = source.read(window=Window(256, 512, 300, 256))
        assert np.array_equal(window, values[:, 512:768, 256:556])
    with rasterio_env(settings), rasterio.open(gdal_path(href)) as source:
        assert source.crs.to_epsg() == 32632


def test_every_thread_reads_in_an_environment_of_its_own(bucket: Path) -> None:
    settings, href = load_settings(_env_file=None), f"s3://{bucket.name}/a.tif"
    for seed in (3, 4, 5):
        values = write_cog(bucket / "a.tif", seed)
        note_version(href, settings, str(seed))
        right: list[bool] = []
        together = threading.Barrier(8)

        def read(
            column: int,
            values: np.ndarray = values,
            right: list[bool] = right,
            together: threading.Barrier = together,
        ) -> None:
            together.wait()
            with rasterio_env(settings, [href]), rasterio.open(gdal_path(href)) as source:
                window = source.read(1, window=Window(column, 0, 128, 256))
            right.append(np.array_equal(window, values[0, :256, column : column + 128]))

        threads = [threading.Thread(target=read, args=(column,)) for column in range(0, 1024, 128)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert right == [True] * 8


def test_a_missing_object_is_found_once_it_is_there(bucket: Path) -> None:
    settings, href = load_settings(_env_file=None), f"s3://{bucket.name}/late.tif"
    with rasterio_env(settings, [href]), pytest.raises(rasterio.errors.RasterioIOError):
        rasterio.open(gdal_path(href))
    write_cog(bucket / "late.tif", 6)
    with rasterio_env(settings, [href]), rasterio.open(gdal_path(href)) as source:
        assert source.read(1).any()


def test_s3_follows_the_variables_of_the_moment(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(_env_file=None)
    url = f"s3://{bucket.name}/a.txt"
    fs, path = filesystem(url, settings)
    fs.pipe_file(path, b"one")
    assert filesystem(url, settings)[0] is fs
    (bucket / "b.txt").write_text("two")
    assert sorted(fs.ls(bucket.name, detail=False)) == [f"{bucket.name}/a.txt", f"{bucket.name}/b.txt"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    fs, path = filesystem(url, settings)
    with pytest.raises(PermissionError) as denied:
        fs.cat_file(path)
    assert explain_failure(denied.value, url, settings)[0].startswith("Access denied by http://127.0.0.1")
    with pytest.raises(rasterio.errors.RasterioIOError), rasterio_env(settings, [url]):
        rasterio.open(gdal_path(url))


def test_credentials_are_not_looked_up_for_local_files(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    write_cog(tmp_path / "a.tif", 1)
    with rasterio_env(settings, [str(tmp_path / "a.tif")]), rasterio.open(tmp_path / "a.tif") as source:
        assert source.count == 3


def test_an_unreadable_local_file_is_explained(settings: Settings) -> None:
    assert explain_failure(PermissionError(13, "Permission denied"), "/x", settings)[0] == "Permission denied"
    assert explain_failure(FileNotFoundError(2, "No such file"), "/x", settings)[0] == "Not found"
    message, _ = explain_failure(OSError(5, "Input/output error\nmore"), "/x", settings)
    assert "Input/output error" in message and "\n" not in message


def test_web_servers_are_not_walked_by_fsspec(settings: Settings) -> None:
    """It would follow any redirect, and any link of a page."""
    with pytest.raises(SourceError, match="no folders"):
        filesystem("https://data.example/chips", settings)
