"""The process that keeps a Milvus Lite file open for all processes of this machine that use it.

`milvus_lite_share` starts it as a script, so it imports nothing of this package.  It ends after its last user.

    python -P milvus_lite_server.py PATH FOLDER

FOLDER holds ``users``, which every user has locked (shared) while it uses the file, ``alive``, which this process has
locked (exclusive) as long as it serves, and ``address``, its URL.  A lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 5
_PREDECESSOR_LOOKS = 80


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
        server, database, port = start_server_in_thread(data_dir=path, host="127.0.0.1", port=0)
    except Exception as error:
        report(error=type(error).__name__, message=str(error))
        return 1
    address = folder / "address"
    aside = folder / "address.aside"
    aside.write_text(f"http://127.0.0.1:{port}", encoding="ascii")
    aside.replace(address)
    report(url=f"http://127.0.0.1:{port}")
    # With `users` locked nobody else can come: who wants to waits for the lock, finds no server, and starts one.
    while not stopped.is_set() and not try_lock(users):
        stopped.wait(_LOOK_SECONDS)
    address.unlink(missing_ok=True)
    server.stop(grace=_GRACE_SECONDS).wait()
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], Path(sys.argv[2])))
