"""Connections within the boundary: redirects, names that lead elsewhere, and what GDAL asks for by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from rasterio.errors import RasterioIOError

from imagerag_assets.errors import RasterError, SourceError
from imagerag_assets.objects import boundary, http
from imagerag_assets.objects.boundary import check, refusal
from imagerag_assets.objects.guarded import Reach, guarded_session
from imagerag_assets.objects.opening import open_raster
from imagerag_assets.objects.peek import check_way, first_bytes, size_over_http
from imagerag_assets.objects.signed import keep_signature, requested
from imagerag_assets.settings import Settings, load_settings
from tests.items import texture, write_tiff
from tests.repeating_server import RepeatingServer, repeating_server  # noqa: F401
from tests.web_server import WebServer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, _env_file=None)


def test_a_redirect_to_another_host_of_this_machine_is_not_followed(
    outer: WebServer, inner: WebServer, settings: Settings
) -> None:
    (outer.folder / "b.json").write_text("[]")
    outer.redirects = {
        "/out": f"{inner.url}/a.json", "/twice": f"{outer.url}/out", "/in": f"{outer.url}/b.json", "/file": "file:///etc/passwd",
        "/meta": "http://169.254.169.254/latest",
    }  # fmt: skip
    urls = [f"{outer.url}{path}" for path in ("/out", "/twice", "/meta", "/file", "/in")]
    *refused, scheme, good = http.read_all(urls, reach=Reach(urls, settings))
    assert all(isinstance(each, SourceError) and "IMAGERAG_ALLOWED_HOSTS" in each.fix for each in refused), refused
    assert isinstance(scheme, Exception)
    assert good == b"[]"
    for probe in (first_bytes, lambda href, _, settings: size_over_http(href, settings)):
        with pytest.raises(SourceError, match="loopback"):
            probe(urls[0], 4, settings)
    assert inner.asked == []
    listed = settings.model_copy(update={"allowed_hosts": ("*", f"127.0.0.1:{inner.port}")})
    assert list(http.read_all(urls[:2], reach=Reach(urls[:2], listed))) == [b"{}", b"{}"]


def test_logins_and_headers_stay_with_their_host(
    repeating_server: RepeatingServer,  # noqa: F811
    outer: WebServer,
    settings: Settings,
) -> None:
    """The two servers are one host with two ports; by its name, the same server is another host."""
    there = repeating_server.url.replace("127.0.0.1", "localhost")
    outer.redirects = {"/port": f"{repeating_server.url}/a", "/name": f"{there}/a"}
    listed = settings.model_copy(update={"allowed_hosts": ("*", "127.0.0.1", "localhost")})
    urls = [f"http://me:m4rkerm4rk@127.0.0.1:{outer.port}{path}" for path in outer.redirects]
    with guarded_session(Reach(urls, listed), http.retries()) as session:
        for url in urls:
            assert session.get(url, headers={"X-Key": "m4rkerm4rk", "Accept": "a/b"}).status_code == 401
        assert session.get(urls[0], headers={"X-Key": "m4rkerm4rk"}).history[0].request.headers["X-Key"]
    assert len(repeating_server.headers) == 3
    for sent in repeating_server.headers:
        assert not {"Authorization", "X-Key", "Cookie"} & sent.keys(), sent
    assert repeating_server.headers[0]["Accept"] == "a/b"
    session = guarded_session(None, http.retries())
    for one, other in (("http://h/", "https://h/"), ("http://h:80/", "http://h:81/"), ("https://h/", "https://i/")):
        assert session.should_strip_auth(one, other)
    assert not session.should_strip_auth("https://h/a", "https://h:443/b")
    keep_signature(urls[0])
    for elsewhere in ("https://127.0.0.1:{}/a", "http://127.0.0.1:1{}/a", "http://localhost:{}/a"):
        address = elsewhere.format(outer.port)
        assert requested(address) == address
    assert "m4rkerm4rk" in requested(f"http://127.0.0.1:{outer.port}/other")


def test_a_name_that_leads_to_this_machine_once_it_is_connected_to_is_refused(
    inner: WebServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server of names gives a public number first, and then one of this machine."""
    url = f"{inner.named}/a.json"
    with monkeypatch.context() as patch:
        patch.setattr(boundary, "numbers_of", lambda *_: ("8.8.8.8",))
        check(url, "https://8.8.4.4/catalog.json", settings)
    (refused,) = http.read_all([url], reach=Reach([url], settings))
    assert isinstance(refused, SourceError)
    assert "loopback" in str(refused)
    with pytest.raises(RasterError, match="loopback"):
        check_way(f"{inner.named}/a.tif", settings)
    assert inner.asked == []
    boundary._foreign.discard(("localhost", inner.port))
    assert list(http.read_all([url], reach=Reach([url], settings))) == [b"{}"]


def test_a_name_of_this_machine_is_refused_when_it_is_named(settings: Settings) -> None:
    refused = refusal("http://localhost:8000/a.json", "https://8.8.4.4/catalog.json", settings)
    assert refused is not None
    assert ("localhost", 8000) not in boundary._foreign


def test_the_way_to_a_raster_is_followed_before_gdal_follows_it(
    outer: WebServer, inner: WebServer, settings: Settings
) -> None:
    outer.redirects = {"/out.tif": f"{inner.url}/a.tif", "/in.tif": f"{outer.url}/b.tif"}
    check_way(f"{outer.url}/in.tif", settings)
    with pytest.raises(RasterError, match=rf"loopback.*127\.0\.0\.1:{inner.port}"):
        check_way(f"{outer.url}/out.tif", settings)
    assert inner.asked == []


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jp2", "a.json"])
def test_a_file_is_opened_by_a_named_driver(tmp_path: Path, name: str) -> None:
    secret = write_tiff(tmp_path / "secret.tif", texture(64, 64))
    text = (
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{secret}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tmp_path / name).write_text(text)
    with pytest.raises(RasterioIOError):
        open_raster(str(tmp_path / name))
    with open_raster(str(secret)) as dataset:
        assert dataset.driver == "GTiff"
    (tmp_path / "own.vrt").write_text(text)
    for own in (str(tmp_path / "own.vrt"), text):
        with open_raster(own) as dataset:
            assert dataset.read().any()


def test_gdal_does_without_drivers_that_fetch() -> None:
    with rasterio.Env() as env:
        drivers = env.drivers()
    assert {"GTiff", "VRT", "PNG", "JPEG", "JP2OpenJPEG"} <= drivers.keys()
    assert not {"WMS", "HTTP", "STACIT", "GTI", "DERIVED"} & drivers.keys()
