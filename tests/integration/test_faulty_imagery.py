"""Imagery behind servers and networks that fail: read again, or refused with the true cause; never read wrongly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
from rasterio.errors import RasterioIOError

from imagerag_assets.errors import RasterError
from imagerag_assets.ingestion.ingest import embed, ingest_scene, register
from imagerag_assets.ingestion.patch_tables import patch_table
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.patience import patiently
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_lite_share import LiteShare
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.conftest import NIGHTLY
from tests.fault_proxy import Fault, FaultProxy, Kind, fault_proxy
from tests.items import texture, write_item, write_tiff
from tests.s3 import S3Endpoint, serve_files
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401

PX = 700
SIZE = {"blockxsize": 512, "blockysize": 512}


@dataclass
class Site:
    """A folder that is served through a proxy."""

    folder: Path
    proxy: FaultProxy

    def scene(self, settings: Settings) -> Scene:
        """Copy the file to a new address, which GDAL has nothing of, and return the scene of an item of it."""
        folder = self.folder / uuid4().hex
        folder.mkdir()
        shutil.copy(self.folder / "a.tif", folder)
        item = write_item(folder / "a.json", f"{self.proxy.url}/{folder.name}/a.tif", raster=folder / "a.tif")
        (scene,) = find_scenes(str(item), settings)
        assert isinstance(scene, Scene)
        return scene

    def file(self, scene: Scene) -> Path:
        """Return the file of a scene."""
        return self.folder / scene.imagery.hrefs[0].removeprefix(f"{self.proxy.url}/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("served")
    write_tiff(root / "www" / "a.tif", texture(PX, PX), **SIZE)
    with serve_files(root / "www", root / "log") as server, fault_proxy(server) as proxy:
        yield Site(root / "www", proxy)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Milvus Lite file for all, whose server stays up: rows are no part of these tests."""
    path = str(tmp_path_factory.mktemp("lite") / "milvus.db")
    with closing(LiteShare(path)):
        yield path


@pytest.fixture
def usual(tiny_settings: Settings, lite: str) -> Settings:  # noqa: F811
    """How long a server may take is as users have it."""
    return tiny_settings.model_copy(update={"milvus_uri": lite})


def hurried(settings: Settings, kind: Kind) -> Settings:
    """Return settings with which a server soon counts as hanging, if the fault is one of that kind.

    Others are met with the usual patience: the server of a busy machine is slow, too.
    """
    return settings.model_copy(update={"limit_stall_s": 4}) if kind in ("hang", "stall") else settings


def rows_of(platform: Platform) -> pa.Table:
    (shard,) = list_shards(platform.store)
    return read_shard(platform.store, shard.path)


@pytest.fixture(scope="module")
def undisturbed(
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_registry: Path,  # noqa: F811
    lite: str,
) -> pa.Table:
    settings = Settings(
        home=tmp_path_factory.mktemp("undisturbed"),
        milvus_uri=lite,
        encoder="tiny",
        encoders_file=tiny_registry,
        patch_px=128,
        supertile_px=512,
        _env_file=None,
    )
    site.proxy.meet()
    with Platform(settings) as platform:
        assert ingest_scene(platform, site.scene(settings)).error is None
        return rows_of(platform)


HEADER, PIXELS = r"bytes=0-\d\d+", r"bytes=[1-9].*"


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        *((kind, PIXELS) for kind in ("status", "cut", "stall")),
        ("hang", HEADER),
        *((kind, PIXELS) for kind in ("reset", "short", "hang") if NIGHTLY),
        *((kind, HEADER) for kind in ("status", "cut") if NIGHTLY),
    ],
)
def test_a_fault_that_passes_leaves_no_trace_in_the_shard(
    kind: Kind, part: str, site: Site, usual: Settings, undisturbed: pa.Table
) -> None:
    scene = site.scene(usual)
    site.proxy.meet(Fault(kind, r".*/a\.tif", part=part))
    with Platform(hurried(usual, kind)) as platform:
        result = ingest_scene(platform, scene)
        assert (result.error, result.status) == (None, "ingested")
        assert rows_of(platform).equals(undisturbed)
        assert list_failures(platform) == []
    assert site.proxy.struck == [kind]


def test_a_slow_server_is_no_fault(site: Site, usual: Settings, undisturbed: pa.Table) -> None:
    scene = site.scene(usual)
    site.proxy.meet(Fault("drip", r".*/a\.tif", times=None))
    with Platform(hurried(usual, "stall")) as platform:
        assert ingest_scene(platform, scene).error is None
        assert rows_of(platform).equals(undisturbed)
    assert set(site.proxy.struck) == {"drip"}


@pytest.mark.parametrize(
    ("kind", "part", "said"),
    [
        ("status", HEADER, "its server answers 503"),
        ("reset", HEADER, "the connection to its server fails"),
        ("cut", PIXELS, "the connection to its server fails"),
        ("short", PIXELS, "its server sends less than it says"),
    ],
)
def test_a_fault_that_stays_is_said_to_be_one_and_is_over_within_bounds(
    kind: Kind, part: str, said: str, site: Site, usual: Settings
) -> None:
    scene = site.scene(usual)
    site.proxy.meet(Fault(kind, r".*/a\.tif", part=part, times=None, then_all=True))
    with Platform(usual) as platform:
        result = ingest_scene(platform, scene)
        assert result.status == "failed"
        assert result.error is not None
        assert said in result.error, result.error
        assert "/a.tif" in result.error
        assert "Try again later" in result.error
        assert "supported file format" not in result.error
        (failure,) = list_failures(platform)
        assert said in failure.error
        assert list_shards(platform.store) == []
    assert len(site.proxy.asked) < 60


def test_a_server_that_hangs_for_ever_is_given_up(site: Site, usual: Settings) -> None:
    scene = site.scene(usual)
    site.proxy.meet(Fault("hang", r".*/a\.tif", times=None))
    with (
        Platform(usual.model_copy(update={"limit_stall_s": 1})) as platform,
        pytest.raises(RasterError, match="its server does not answer") as raised,
    ):
        register(platform, scene)
    assert raised.value.transient
    assert len(site.proxy.asked) < 20


def test_a_file_that_is_gone_or_damaged_is_not_taken_for_a_fault_of_the_network(site: Site, usual: Settings) -> None:
    scene = site.scene(usual)
    content = site.file(scene).read_bytes()
    site.file(scene).write_bytes(content[: len(content) // 2])
    site.proxy.meet()
    with Platform(usual) as platform, pytest.raises(RasterError) as damaged:
        register(platform, scene)
    assert not damaged.value.transient
    scene = site.scene(usual)
    site.file(scene).unlink()
    site.proxy.meet()
    with Platform(usual) as platform, pytest.raises(RasterError) as gone:
        register(platform, scene)
    assert not gone.value.transient
    assert (
        len([path for _, path, _ in site.proxy.asked if path.endswith("/a.tif")]) < 8
    )  # asked once, not again and again


def test_what_was_found_in_the_pixels_is_not_read_again(tmp_path: Path, usual: Settings) -> None:
    tried = []

    def read() -> None:
        tried.append(1)
        raise RasterError("image has 1x1 px")

    with pytest.raises(RasterError, match="1x1"):
        patiently("http://127.0.0.1:9/a.tif", usual, read, lambda: None)
    assert tried == [1]

    def broken() -> None:
        tried.append(1)
        raise RasterError("image cannot be read") from RasterioIOError("no tile")

    with pytest.raises(RasterError, match="cannot be read"):
        patiently(str(tmp_path / "a.tif"), usual, broken, lambda: None)
    assert tried == [1, 1]  # a local file is what it is


@pytest.mark.parametrize("part", [HEADER, PIXELS])
def test_a_file_of_the_web_that_is_replaced_while_it_is_read_is_refused(part: str, site: Site, usual: Settings) -> None:
    scene = site.scene(usual)
    target, other = site.file(scene), site.folder / "other.tmp"
    dated(target, 2020)
    write_tiff(other, texture(PX, PX, 7), **SIZE)
    dated(other, 2021)
    site.proxy.meet(Fault("swap", r".*/a\.tif", part=part, swapped=(str(other), str(target))))
    with Platform(usual) as platform:
        result = ingest_scene(platform, scene)
        assert site.proxy.struck == ["swap"]
        assert result.error is not None
        assert "was replaced" in result.error or "cannot be" in result.error
        assert list_shards(platform.store) == []
        site.proxy.meet()
        again = ingest_scene(platform, scene)
        assert again.error is None
        mixed = rows_of(platform)
    with Platform(usual.model_copy(update={"home": usual.home / "new"})) as platform:
        assert ingest_scene(platform, scene).error is None
        assert rows_of(platform).equals(mixed)


def dated(path: Path, year: int) -> None:
    """Give a file a time, which a server gives as its date."""
    moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    os.utime(path, (moment, moment))


def test_an_object_that_is_replaced_is_read_under_its_own_version_or_refused(
    tmp_path: Path, s3_endpoint: S3Endpoint, usual: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_endpoint.root / tmp_path.name.lower().replace("_", "-")
    target = write_tiff(bucket / "d.tif", texture(PX, PX), **SIZE)
    item = write_item(bucket / "d.json", f"s3://{bucket.name}/d.tif", raster=target)
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    settings = usual.model_copy(update={"s3_endpoint_url": s3_endpoint.url})
    (scene,) = find_scenes(f"s3://{bucket.name}/{item.name}", settings)
    assert isinstance(scene, Scene)
    with Platform(settings) as platform:
        write_tiff(target, texture(PX, PX, 7), **SIZE)
        (anew,) = find_scenes(f"s3://{bucket.name}/{item.name}", settings)
        assert isinstance(anew, Scene)
        assert anew.version != scene.version
        assert register(platform, scene).scene == anew  # after the listing
        item.unlink()
        write_tiff(target, texture(PX, PX, 6), **SIZE)
        with pytest.raises(RasterError, match="the file was replaced after its scene was listed"):
            register(platform, replace(scene, item_href=None))
        item = write_item(bucket / "d.json", f"s3://{bucket.name}/d.tif", raster=target)
        (anew,) = find_scenes(f"s3://{bucket.name}/{item.name}", settings)
        assert isinstance(anew, Scene)
        register(platform, anew)
        patch_table(platform, anew.scene_key)
        write_tiff(target, texture(PX, PX, 8), **SIZE)
        with pytest.raises(RasterError, match="was replaced"):  # between two steps
            embed(platform, anew.scene_key)
        assert list_shards(platform.store) == []
        (last,) = find_scenes(f"s3://{bucket.name}/{item.name}", settings)
        assert isinstance(last, Scene)
        assert ingest_scene(platform, last).error is None


def test_an_object_in_a_bucket_behind_a_faulty_network_is_read_again(
    tmp_path: Path,
    s3_endpoint: S3Endpoint,
    usual: Settings,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: pa.Table,
) -> None:
    bucket = s3_endpoint.root / tmp_path.name.lower().replace("_", "-")
    target = write_tiff(bucket / "a.tif", texture(PX, PX), **SIZE)
    item = write_item(bucket / "a.json", f"s3://{bucket.name}/a.tif", raster=target)
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    with fault_proxy(s3_endpoint.url) as proxy:
        settings = usual.model_copy(update={"s3_endpoint_url": proxy.url})
        (scene,) = find_scenes(f"s3://{bucket.name}/{item.name}", settings)
        assert isinstance(scene, Scene)
        faults = [
            Fault("status", r".*/a\.tif", part=r"bytes=.*", after=1),
            Fault("cut", r".*/a\.tif", part=r"bytes=.*", after=2),
        ]
        proxy.meet(*faults)
        with Platform(settings) as platform:
            assert ingest_scene(platform, scene).error is None
            assert rows_of(platform).equals(undisturbed)
        assert proxy.struck
