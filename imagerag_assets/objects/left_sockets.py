"""Folders that a server made for its Unix socket among the system's temporary files, and left when it was killed.

A server makes one where the path of its own folder is too long for a socket (`stores.milvus_lite_server`,
`resident.place`).  Whether somebody listens on a socket is asked of the operating system, so no note has to be kept.
"""

from __future__ import annotations

import errno
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from os import geteuid
from pathlib import Path

from imagerag_assets.objects.aside import Unfinished

PREFIX = "imagerag-"
"""How the names of these folders begin; that of `stores.milvus_lite_server`, which imports nothing, is the same."""
_SETTLED_S = 10.0
"""Between making a socket and listening on it there is a moment."""
_NOBODY = (errno.ECONNREFUSED, errno.ENOENT)


def find_left_sockets() -> Iterator[Unfinished]:
    """Yield this user's folders with sockets that nobody listens on; `objects.aside.remove_dead` removes them.

    Folders of other users, those with anything else in them, and empty ones, in which a server may be about to make its
    socket, are left out.
    """
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with suppress(OSError):  # removed meanwhile
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != geteuid():
                continue
            sockets = list(folder.iterdir())
            if sockets and all(_is_left(each) for each in sockets):
                since = datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds")
                yield Unfinished(folder, None, since, dead=True)


def _is_left(path: Path) -> bool:
    """Return whether this is a socket that nobody listens on."""
    about = path.lstat()
    if not stat.S_ISSOCK(about.st_mode) or time.time() - about.st_mtime < _SETTLED_S:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(str(path)) in _NOBODY
