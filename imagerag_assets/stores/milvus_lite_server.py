"""The process that keeps a Milvus Lite file open for all processes of this machine that use it.

`milvus_lite_share` starts it as a script, so it imports nothing of this package.  It ends after its last user.

    python -P milvus_lite_server.py PATH FOLDER

FOLDER holds ``users``, which every user has locked (shared) while it uses the file, ``alive``, which this process has
locked (exclusive) as long as it serves, and ``address``, its URL.  A lock ends with its process, however that ends.

It listens on a Unix socket in a folder that only this user can enter: Milvus Lite asks nobody for a password, and any
user of the machine can connect to a port.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from urllib.parse import quote

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 5
_PREDECESSOR_LOOKS = 80
SOCKET = "socket-"
_LONGEST_SOCKET = 100
"""Bytes of a socket's path; systems take 103 to 107."""


def try_lock(file: int) -> bool:
    """Lock a file for this process alone; return False if another one holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def report(**facts: object) -> None:
    """Print one line for the process that started this one, and may be gone."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(facts), flush=True)


def _server_of_milvus_lite() -> Callable[..., Any]:
    """Import Milvus Lite's server, with of pymilvus only the messages, which is all that it needs.

    The client, with pandas and requests, would take half of the time to start.
    """
    found = importlib.util.find_spec("pymilvus")
    if found is not None and found.submodule_search_locations is not None:
        package = ModuleType("pymilvus")
        package.__path__ = list(found.submodule_search_locations)
        package.__spec__ = found
        sys.modules["pymilvus"] = package
    try:
        from milvus_lite.adapter.grpc.server import start_server_in_thread
    except (ImportError, AttributeError):  # another version of either needs more of it
        for name in [name for name in sys.modules if name.partition(".")[0] in ("pymilvus", "milvus_lite")]:
            del sys.modules[name]
        from milvus_lite.adapter.grpc.server import start_server_in_thread
    return cast("Callable[..., Any]", start_server_in_thread)


def socket_path(folder: Path) -> Path:
    """Return the path of a new socket that only this user can reach, in `folder` if the path is short enough.

    Each server has another path, by which its users tell it from the one before.

    Raises:
        PermissionError: other users can enter `folder`, and that cannot be changed.
    """
    folder.chmod(0o700)
    for left in folder.glob(f"{SOCKET}*"):  # by a server that was killed
        left.unlink(missing_ok=True)
    socket = folder / f"{SOCKET}{secrets.token_hex(4)}"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        return Path(tempfile.mkdtemp(prefix="imagerag-")) / socket.name
    return socket


def remove_socket(socket: Path, folder: Path) -> None:
    """Remove a socket, and the folder that was made for it."""
    socket.unlink(missing_ok=True)
    if socket.parent != folder:
        shutil.rmtree(socket.parent, ignore_errors=True)


def serve(path: str, folder: Path) -> int:
    """Open the file and serve it until nobody uses it, or until a signal."""
    start_server_in_thread = _server_of_milvus_lite()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    alive, users = (os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666) for name in ("alive", "users"))
    for _ in range(_PREDECESSOR_LOOKS):  # one that was told to stop may still be closing the file
        if try_lock(alive):
            break
        stopped.wait(_LOOK_SECONDS)
    else:
        report(error="Locked", message="another server is running")
        return 1
    try:
        socket = socket_path(folder)
        # It listens on HOST:PORT, and gRPC takes unix:PATH, with % for special characters, for a socket.
        where = quote(str(socket))
        server, database, _ = start_server_in_thread(data_dir=path, host="unix", port=where)
    except Exception as error:
        report(error=type(error).__name__, message=str(error))
        return 1
    address = folder / "address"
    aside = folder / "address.aside"
    aside.write_text(f"unix:{where}", encoding="ascii")
    aside.replace(address)
    report(url=f"unix:{where}")
    # With `users` locked nobody else can come: who wants to waits for the lock, finds no server, and starts one.
    while not stopped.is_set() and not try_lock(users):
        stopped.wait(_LOOK_SECONDS)
    address.unlink(missing_ok=True)
    server.stop(grace=_GRACE_SECONDS).wait()
    database.close()
    remove_socket(socket, folder)
    return 0


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], Path(sys.argv[2])))
