"""A model hub on this machine: repositories with commits, as `huggingface_hub` asks for them, and what was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Hub:
    """A running hub."""

    url: str = ""
    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    """Repository to commit to the folder of its files."""
    main: dict[str, str] = field(default_factory=dict)
    """Repository to the commit that its main branch is at."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Revision and file of each request, in order."""


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub without repositories, until the end of the block."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            repository, _, rest = urlsplit(self.path).path[1:].partition("/resolve/")
            revision, _, name = rest.partition("/")
            commit = hub.main.get(repository) if revision == "main" else revision
            file = hub.commits.get(repository, {}).get(commit or "", Path("/nowhere")) / name
            found = bool(name) and file.is_file()
            if name:
                hub.asked.append((revision, name))
            data = file.read_bytes() if found else b""
            self.send_response(200 if found else 404)
            if found:
                self.send_header("X-Repo-Commit", str(commit))
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
