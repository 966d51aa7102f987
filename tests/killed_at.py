"""Run a command of the program that kills itself, with no chance to clean up, at its n-th change of a folder.

    python -m tests.killed_at FOLDER NUMBER COMMAND...

Changes are files that are opened for writing, renamed, linked or removed, and calls to Milvus.  With NUMBER 0 it runs
to its end and prints how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


def install(folder: str, number: int) -> list[int]:
    """Count changes from now on; kill this process at one of them. Returns a list of one item, the count."""
    count = [0]

    def changed() -> None:
        count[0] += 1
        if count[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, str | bytes) and os.fsdecode(path).startswith(folder):
                changed()
        elif event in _CHANGES and str(arguments[0]).startswith(folder):
            changed()

    sys.addaudithook(watch)
    from imagerag_assets.stores.milvus_connection import MilvusConnection

    repeated = MilvusConnection.repeated

    def counted(self: MilvusConnection, *arguments: Any) -> Any:
        changed()
        return repeated(self, *arguments)

    MilvusConnection.repeated = counted  # type: ignore[method-assign]
    return count


if __name__ == "__main__":
    done = install(sys.argv[1], int(sys.argv[2]))
    from imagerag_assets.cli import main

    code = main(sys.argv[3:])
    print(f"changes: {done[0]}", file=sys.stderr)
    sys.exit(code)
