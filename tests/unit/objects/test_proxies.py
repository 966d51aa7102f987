"""A proxy looks names up by itself: it is asked for numbers that were checked, unless the settings trust it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.objects import boundary, guarded, http
from imagerag_assets.objects.boundary import check
from imagerag_assets.objects.guarded import Reach
from imagerag_assets.settings import Settings

NUMBERS = {"public.example": ("8.8.8.8",), "inner.example": ("10.1.2.3",), "127.0.0.1": ("127.0.0.1",)}
OF_THE_WEB = "https://8.8.4.4/catalog.json"


class Proxy(ThreadingHTTPServer):
    """Answers what it is asked for by itself, and notes that."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str]] = []
        self.where = f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.append((self.command, self.path, self.headers["Host"]))
        self.send_response(200 if self.command == "GET" else 403)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The environment names a proxy; names are known as `NUMBERS` says."""

    def look_up(host: str, _: float) -> tuple[str, ...]:
        if host not in NUMBERS:
            raise OSError("nobody knows it")
        return NUMBERS[host]

    with Proxy() as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        for module in (boundary, guarded):
            monkeypatch.setattr(module, "look_up", look_up)
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{serving.where}")
            monkeypatch.setenv(name.upper(), f"http://{serving.where}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield serving
        serving.shutdown()
    boundary._foreign.clear()


def read(url: str, settings: Settings, *, foreign: bool = True) -> bytes | Exception:
    if foreign:
        check(url, OF_THE_WEB, settings)
    (found,) = http.read_all([url], reach=Reach([url], settings), seconds=5)
    return found


def test_a_name_of_a_document_goes_to_a_proxy_as_the_number_that_was_checked(proxy: Proxy, settings: Settings) -> None:
    assert read("http://public.example/a.json", settings) == b"{}"
    assert isinstance(read("https://public.example/a.json", settings), Exception)  # this proxy makes no tunnels
    assert proxy.asked[0] == ("GET", "http://8.8.8.8/a.json", "public.example")
    assert proxy.asked[1][:2] == ("CONNECT", "8.8.8.8:443")


def test_a_name_that_cannot_be_checked_needs_a_proxy_that_is_trusted(proxy: Proxy, settings: Settings) -> None:
    url = "http://unknown.example/a.json"
    refused = read(url, settings)
    assert isinstance(refused, SourceError)
    assert f"add {proxy.where} to IMAGERAG_TRUSTED_PROXIES" in str(refused)
    assert isinstance(read(url.replace("http:", "https:"), settings), SourceError)
    assert proxy.asked == []
    trusting = settings.model_copy(update={"trusted_proxies": (proxy.where,)})
    assert read(url, trusting) == b"{}"
    assert proxy.asked == [("GET", url, "unknown.example")]


def test_a_name_that_a_person_gave_goes_to_a_proxy_as_it_is(proxy: Proxy, settings: Settings) -> None:
    for name in ("typed.example", "inner.example"):
        assert read(f"http://{name}/a.json", settings, foreign=False) == b"{}"
    assert [path for _, path, _ in proxy.asked] == ["http://typed.example/a.json", "http://inner.example/a.json"]


def test_a_name_that_leads_inside_later_is_not_asked_of_a_proxy(
    proxy: Proxy, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    check("http://public.example/a.json", OF_THE_WEB, settings)
    monkeypatch.setitem(NUMBERS, "public.example", ("169.254.169.254",))
    refused = read("http://public.example/a.json", settings, foreign=False)
    assert isinstance(refused, SourceError) and "metadata" in str(refused)
    assert proxy.asked == []
