"""A server that needs a login and repeats what it is sent, headers and address, in whatever it answers.

Import :func:`repeating_server` to have the fixture.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


@dataclass
class RepeatingServer:
    """A running server of the files of a folder.

    What is below ``/fail`` fails with the status of the path, such as ``/fail/403/a.json``.  Below ``/v1``, it is a
    model server, which fails with `model_status` unless that is 200.  All else that is sent with POST fails.
    """

    root: Path
    login: str
    address: str = ""
    """Host and port."""
    model_status: int = 401
    requests: list[str] = field(default_factory=list)
    """Paths, with their queries."""
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address without a login."""
        return f"http://{self.address}"

    @property
    def with_login(self) -> str:
        """The address with it."""
        return f"http://{self.login}@{self.address}"


@pytest.fixture
def repeating_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepeatingServer]:
    """A server; set its `login`, and put files into `root`."""
    server = RepeatingServer(tmp_path_factory.mktemp("repeating"), "me:none")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_HEAD(self) -> None:
            self._get()

        def do_GET(self) -> None:
            self._get()

        def do_PUT(self) -> None:
            self._post()

        def do_POST(self) -> None:
            self._post()

        def _said(self) -> str:
            return f"{self.command} {self.path} {self.path!r} {dict(self.headers.items())}"

        def _note(self) -> None:
            server.requests.append(self.path)
            server.headers.append(dict(self.headers.items()))

        def _get(self) -> None:
            self._note()
            path = urlsplit(self.path).path
            if found := re.match(r"/fail/(\d+)", path):
                return self._repeat(int(found[1]))
            basic = "Basic " + b64encode(server.login.encode()).decode()
            if self.headers.get("Authorization") != basic:
                return self._repeat(403 if "AWS4" in self.headers.get("Authorization", "") else 401)
            file = server.root / unquote(path).lstrip("/")
            if not file.is_file():
                return self._repeat(404)
            data, asked = file.read_bytes(), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked is None:
                return self._answer(200, data)
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            return self._answer(206, data[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

        def _post(self) -> None:
            self._note()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith("/v1/"):
                return self._repeat(400)
            if server.model_status != 200:
                error = {"message": self._said(), "type": "x", "code": self.headers.get("Authorization")}
                return self._answer(server.model_status, json.dumps({"error": error}).encode())
            message = {"role": "assistant", "content": self._said(), "reasoning_content": self._said()}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            return self._answer(200, json.dumps(reply | {"system_fingerprint": self._said()}).encode())

        def _repeat(self, status: int) -> None:
            said = self._said()
            code = "SignatureDoesNotMatch"
            xml = f"<Error><Code>{code}</Code><Message>{said}</Message><StringToSign>{said}</StringToSign></Error>"
            self._answer(status, xml.encode(), {"X-Said": re.sub(r"[^ -~]", "?", said)})

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            reason = re.sub(r"[^ -~]", "?", self._said())[:2000] if status >= 400 else None
            self.send_response(status, reason)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body if self.command != "HEAD" else b"")
            except ConnectionError:  # GDAL reads the header of a GET, and goes
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        server.address = f"127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield server
        running.shutdown()
        thread.join()
