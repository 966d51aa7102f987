"""GDAL connects through the relay: what it is led to, what the relay serves, and whom."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from rasterio.errors import RasterioIOError

from imagerag_assets.objects.gdal import gdal_path, rasterio_env
from imagerag_assets.objects.opening import open_raster
from imagerag_assets.objects.peek import check_way
from imagerag_assets.objects.relayed import relay_options
from imagerag_assets.objects.signed import keep_signature, requested
from imagerag_assets.settings import Settings, load_settings
from tests.conftest import PROJECT
from tests.items import texture, write_tiff
from tests.repeating_server import RepeatingServer, repeating_server  # noqa: F401
from tests.web_server import WebServer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, _env_file=None)


def test_gdal_is_not_led_elsewhere_after_the_way_was_followed(
    outer: WebServer, inner: WebServer, settings: Settings
) -> None:
    write_tiff(outer.folder / "good.tif", texture(64, 64))
    (outer.folder / "b.tif").write_bytes((outer.folder / "good.tif").read_bytes())
    address = f"{outer.url}/b.tif"
    check_way(address, settings)
    outer.redirects = {"/b.tif": f"{inner.url}/a.tif"}  # from now on
    check_way(address, settings)  # it was followed not long ago
    with rasterio_env(settings, [address]), pytest.raises(RasterioIOError):
        open_raster(gdal_path(address))
    assert inner.asked == []
    listed = settings.model_copy(update={"allowed_hosts": ("*", f"127.0.0.1:{inner.port}")})
    other = f"{outer.url}/b.tif?other"
    outer.redirects = {"/b.tif?other": f"{inner.url}/a.tif"}
    with rasterio_env(listed, [other]), open_raster(gdal_path(other)) as dataset:
        assert dataset.read().any()
    assert "/a.tif" in inner.asked
    good = f"{outer.url}/good.tif"
    with rasterio_env(settings, [good]), open_raster(gdal_path(good)) as dataset:
        assert dataset.read().any()


def test_gdal_takes_no_login_to_another_port(
    repeating_server: RepeatingServer,  # noqa: F811
    outer: WebServer,
    settings: Settings,
) -> None:
    outer.redirects = {"/a.tif": f"{repeating_server.url}/a.tif"}
    listed = settings.model_copy(update={"allowed_hosts": ("*", "127.0.0.1")})
    address = keep_signature(f"http://me:m4rkerm4rk@127.0.0.1:{outer.port}/a.tif")
    with rasterio_env(listed, [address]), pytest.raises(RasterioIOError):
        open_raster(f"/vsicurl/{requested(address)}")
    assert repeating_server.headers and outer.asked
    assert not any(
        {"Authorization", "Proxy-Authorization"} & sent.keys() or "m4rk" in str(sent)
        for sent in repeating_server.headers
    )


def test_the_relay_serves_its_own_process_and_reads_only(
    outer: WebServer, inner: WebServer, settings: Settings
) -> None:
    (outer.folder / "a.txt").write_text("read")
    options = relay_options([outer.url], settings)
    port = int(options["GDAL_HTTP_PROXY"].rpartition(":")[2])
    allowed = b64encode(options["GDAL_HTTP_PROXYUSERPWD"].encode()).decode()
    there, elsewhere = f"127.0.0.1:{outer.port}", f"127.0.0.1:{inner.port}"

    def answer(request: str, login: str = allowed, then: str = "") -> str:
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(f"{request} HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\nHost: x\r\n\r\n".encode())
            said = peer.recv(2**16)
            if then:
                peer.sendall(then.encode())
            while piece := peer.recv(2**16):
                said += piece
        return said.decode()

    assert answer(f"GET http://{there}/a.txt").endswith("read")
    (outer.folder / "漢.txt").write_text("read, too")
    assert answer(f"GET http://{there}/漢.txt").endswith("read, too")
    tunnel = answer(f"CONNECT {there}", then="GET /a.txt HTTP/1.0\r\n\r\n")
    assert tunnel.startswith("HTTP/1.1 200") and tunnel.endswith("read")
    for request in (f"GET http://{elsewhere}/a.json", f"CONNECT {elsewhere}", "CONNECT 169.254.169.254:80",
                    "CONNECT metadata.google.internal:443", "CONNECT [::1]:80", "GET http:///a",
                    "CONNECT a:b:c"):  # fmt: skip
        assert answer(request).startswith("HTTP/1.1 403"), request
    assert answer(f"GET http://{there}/a.txt", login="eDp5").startswith("HTTP/1.1 407")
    assert answer(f"POST http://{there}/a.txt").startswith("HTTP/1.1 405")
    assert answer("nonsense").startswith("HTTP/1.1 400")
    assert inner.asked == []
    assert relay_options([outer.url], settings) == options
    assert relay_options([inner.url], settings)["GDAL_HTTP_PROXY"] != options["GDAL_HTTP_PROXY"]


def test_a_proxy_of_the_environment_connects(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert relay_options(["https://data.example/a.tif"], settings) == {}


def test_the_relay_ends_with_who_started_it(tmp_path: Path) -> None:
    script = (
        "from imagerag_assets.objects import relayed; from imagerag_assets.settings import load_settings; import os;"
        "relayed.relay_options(['http://127.0.0.1:9'], load_settings(_env_file=None));"
        "print(relayed._relay[1].pid, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, stdout=subprocess.PIPE)
    assert killed.returncode == -9
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(killed.stdout)).wait(60)
