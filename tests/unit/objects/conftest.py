"""Two servers of this machine: one that is named, and one that only the other leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.items import texture, write_tiff
from tests.web_server import WebServer, serve


@pytest.fixture
def outer(tmp_path: Path) -> Iterator[WebServer]:
    with serve(tmp_path / "outer") as server:
        yield server


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[WebServer]:
    """A server that nobody named."""
    with serve(tmp_path / "inner") as server:
        (server.folder / "a.json").write_text("{}")
        write_tiff(server.folder / "a.tif", texture(64, 64))
        yield server
