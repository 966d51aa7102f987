"""A server of signed addresses on a real port: it refuses HEAD, serves ranges, accepts only the newest signature.

Import :func:`signing_server` to have the fixture.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

SECRET = "s3cr3t"
VENDORS = {
    "aws": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=s3cr3tid&X-Amz-Expires=3600&X-Amz-Signature={}",
    "google": "X-Goog-Algorithm=GOOG4&X-Goog-Credential=s3cr3tid&X-Goog-Signature={}",
    "cloudfront": "Expires=4102444800&Key-Pair-Id=s3cr3tid&Signature={}",
    "azure": "sv=2024-01-01&sr=b&sp=r&se=2100-01-01T00%3A00%3A00Z&sig={}",
    "token": "token={}",
    "key": "api_key={}",
}
"""The query of a signed address by vendor."""


@dataclass
class SigningServer:
    """A running server of the files of a folder."""

    url: str
    root: Path
    query: str = VENDORS["aws"]
    number: int = 0
    """The signature that is accepted; each document that is read signs anew."""
    documents: dict[str, Callable[[str], Any]] = field(default_factory=dict)
    """What makes a document, from the query that signs its addresses, by path; they need no signature themselves."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    lasts: int | None = None
    """Requests for files that a signature is good for."""
    left: int = 0
    refused: tuple[str, ...] = ()
    """Endings of names that no signature holds for."""
    entrance: str | None = None
    """The only document that needs no signature; None: none does."""
    login: str | None = None
    """``name:password`` that all requests need instead of signatures."""

    def sign(self) -> str:
        """Return a query that is accepted from now on, in place of the former one."""
        self.number += 1
        self.left = self.lasts or 0
        return self.query.format(f"{SECRET}{self.number}")

    def accepts(self, query: str) -> bool:
        """Return whether a query has the newest signature, and that is still good."""
        said = {unquote(value) for values in parse_qs(query).values() for value in values}
        if f"{SECRET}{self.number}" not in said:
            return False
        self.left -= 1
        return self.lasts is None or self.left >= 0


@pytest.fixture
def signing_server(tmp_path: Path) -> Iterator[SigningServer]:
    """A server of `root`; put files there and documents into `documents`."""
    root = tmp_path / "signed-files"
    root.mkdir()
    server = SigningServer("", root)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_HEAD(self) -> None:
            server.requests.append(("HEAD", self.path))
            self._answer(403, b"")

        def do_GET(self) -> None:
            server.requests.append(("GET", self.path))
            parts = urlsplit(self.path)
            if server.login is not None:
                basic = "Basic " + b64encode(server.login.encode()).decode()
                if self.headers.get("Authorization") != basic:
                    return self._answer(401, b"")
            with lock:
                is_open = server.entrance in (None, parts.path) or server.accepts(parts.query)
                if parts.path in server.documents and is_open:
                    return self._answer(200, json.dumps(server.documents[parts.path](server.sign())).encode())
                if server.login is None and (not server.accepts(parts.query) or parts.path.endswith(server.refused)):
                    return self._answer(403, b"<Error/>")
            file = root / unquote(parts.path).lstrip("/")
            if not file.is_file():
                return self._answer(404, b"")
            data, asked = file.read_bytes(), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked is None:
                return self._answer(200, data)
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            return self._answer(206, data[first : last + 1], f"bytes {first}-{last}/{len(data)}")

        def _answer(self, status: int, body: bytes, part: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            if part:
                self.send_header("Content-Range", part)
            self.end_headers()
            try:
                self.wfile.write(body if self.command == "GET" else b"")
            except ConnectionError:  # GDAL reads the header of a GET, and goes
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        server.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield server
        running.shutdown()
        thread.join()
