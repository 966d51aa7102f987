"""A real web server for tests: files in ranges, redirects, and what was asked for."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class WebServer:
    """A running server of a folder."""

    folder: Path
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Paths, in order."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Where a path leads to."""

    @property
    def url(self) -> str:
        """The address by its number."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def named(self) -> str:
        """The address by its name, which is another host."""
        return f"http://localhost:{self.port}"


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, served: WebServer) -> None:
        self.served = served
        super().__init__(*args, directory=str(served.folder))  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.served.asked.append(self.path)
        target = self.served.redirects.get(self.path)
        if target is not None:
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first, last = (int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)) if wanted else (0, -1)
        piece = content[first : last + 1] if wanted else content
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        if body:
            self.wfile.write(piece)


@contextmanager
def serve(folder: Path) -> Iterator[WebServer]:
    """Serve a folder, which is made if it is not there, until the context ends."""
    folder.mkdir(parents=True, exist_ok=True)
    served = WebServer(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, served=served)) as server:
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield served
        server.shutdown()
        thread.join()
