from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagerag_assets.objects.aside import remove_dead
from imagerag_assets.objects.left_sockets import PREFIX, find_left_sockets


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for temporary files: the path of a socket has about 100 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def listening(folder: Path) -> socket.socket:
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket-1"))
    server.listen()
    os.utime(folder / "socket-1", (0, 0))
    return server


def test_only_sockets_that_nobody_listens_on_are_left(temporary: Path) -> None:
    dead, alive, new, other, of_others = (temporary / f"{PREFIX}{name}" for name in ("d", "a", "n", "o", "u"))
    for folder in (dead, new, other, of_others):
        listening(folder).close()
    os.utime(new / "socket-1")
    (other / "notes.txt").write_text("a person's")
    os.utime(other / "notes.txt", (0, 0))
    (temporary / f"{PREFIX}empty").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(dead)
    if os.geteuid() == 0:
        os.chown(of_others, 65534, 65534)
    else:
        (of_others / "socket-1").unlink()
    with listening(alive):
        (left,) = find_left_sockets()
        assert left.path == dead
        assert remove_dead(left)
        assert list(find_left_sockets()) == []
        assert sorted(each.name[-1] for each in temporary.iterdir()) == ["a", "k", "n", "o", "u", "y"]
