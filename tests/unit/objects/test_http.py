"""Documents over http from a real server that is busy, in trouble, or refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.objects import http
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import read_document

ANSWERS = {
    "/good": [200],
    "/busy": [429, 200],
    "/vague": [429, 200],
    "/ill": [503, 500, 200],
    "/dead": [502] * 10,
    "/gone": [410],
    "/missing": [404],
    "/locked": [401],
    "/closed": [403],
    "/odd name": [200],
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(http, "_BACKOFF_S", 0)
    left = {path: list(codes) for path, codes in ANSWERS.items()}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].replace("%20", " ")
            code = left[path].pop(0)
            body = b'{"path": "%s"}' % path.encode() if code == 200 else b"no"
            self.send_response(code)
            if code == 429:
                self.send_header("Retry-After", "soon" if path == "/vague" else "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_server_in_trouble_is_asked_again(server: str) -> None:
    names = ["/good", "/busy", "/missing", "/ill", "/odd name"]
    good, busy, missing, ill, odd = http.read_all([server + name for name in names])
    assert [good, busy, ill, odd] == [
        b'{"path": "%s"}' % name.encode() for name in ("/good", "/busy", "/ill", "/odd name")
    ]
    assert isinstance(missing, FileNotFoundError)


@pytest.mark.parametrize(
    ("path", "said", "transient"),
    [
        ("/gone", "Not found", False),
        ("/missing", "Not found", False),
        ("/locked", "Permission denied", False),
        ("/closed", "Permission denied", False),
        ("/dead", "502", True),
    ],
)
def test_what_a_server_refuses_is_one_line_without_a_signature(
    server: str, settings: Settings, path: str, said: str, transient: bool
) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        read_document(f"{server}{path}?sig=SECRET", settings)
    assert raised.value.transient is transient
    assert "SECRET" not in raised.value.message


def test_a_server_that_does_not_say_when_is_asked_again_as_well(server: str) -> None:
    assert list(http.read_all([f"{server}/vague"])) == [b'{"path": "/vague"}']
