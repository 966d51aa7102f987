"""Share one Milvus Lite file between processes: they use one server, and take turns when one of them writes.

Milvus Lite lets one process open a file, and does not promise that writing and reading at the same time is safe.  So
the first process that needs the file starts `milvus_lite_server`, the others find it, and it ends with the last one.
All of this relies on locks that the operating system takes back from a process that ends, killed or not.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagerag_assets.errors import StoreError, disk_error
from imagerag_assets.objects.aside import remove_dead
from imagerag_assets.objects.left_sockets import find_left_sockets
from imagerag_assets.stores.milvus_lite_owner import note_server

_SERVER = Path(__file__).with_name("milvus_lite_server.py")
_START_SECONDS = 120.0  # a second or two, unless the machine is busy
# Lite holds rows that are not written yet as Python objects, ten times their size, and threads have heaps of their own.
# With 73,000 rows of 384 dimensions its peak is 0.9 GiB instead of 2.3, and the index takes less than half the time.
_FRUGAL = {
    "MALLOC_ARENA_MAX": "2",
    "MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(16 << 20),
    "MILVUS_LITE_WAL_SIZE_LIMIT_BYTES": str(64 << 20),
}
_INDEXES = "indexes"
"""File in the server's folder that is written with each change of an index."""
_turns = threading.local()


class LiteShare:
    """A process's share in the server of one file; hold it as long as the file is used."""

    def __init__(self, path: str) -> None:
        """Find the server or start it.

        Args:
            path: The ``.db`` file, absolute.

        Raises:
            StoreError: the file cannot be opened, e.g. because another program has it open or it is damaged.
        """
        self.path = path
        self._folder = Path(f"{path}.server")
        self._users = -1
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._users = _locked(self._folder / "users", fcntl.LOCK_SH)
            with contextlib.ExitStack() as stack:
                starting = _locked(self._folder / "starting", fcntl.LOCK_EX)
                stack.callback(os.close, starting)
                self.url = self._address() or self._start()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                if (disk := disk_error(error)) is not None:
                    raise disk from None
                raise _unusable(path, str(error)) from None
            raise

    def close(self) -> None:
        """Give the share back; doing so again has no effect."""
        users, self._users = self._users, -1
        if users >= 0:
            os.close(users)

    def alive(self) -> bool:
        """Whether the server of this share still serves; a killed one does not."""
        return self._address() == self.url

    def index_version(self) -> int:
        """Return a number that changes when a process gives a collection of the file another index."""
        try:
            return os.stat(self._folder / _INDEXES).st_mtime_ns
        except FileNotFoundError:
            return 0

    def note_index_change(self) -> None:
        """Let the other processes ask for the index again; the caller has the turn to write."""
        (self._folder / _INDEXES).write_bytes(b"")

    @contextmanager
    def turn(self, *, writing: bool) -> Iterator[None]:
        """Keep others from writing, and with `writing` from reading too; wait for those who do.

        Turns of one thread may be nested; the outer one decides.
        """
        held: set[str] = _turns.__dict__.setdefault("held", set())
        if self.path in held:
            yield
            return
        file = _locked(self._folder / "turn", fcntl.LOCK_EX if writing else fcntl.LOCK_SH)
        held.add(self.path)
        try:
            yield
        finally:
            held.discard(self.path)
            os.close(file)

    def _address(self) -> str | None:
        """Return the URL of the running server; None where no server runs."""
        try:
            file = os.open(self._folder / "alive", os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(FileNotFoundError):
                return (self._folder / "address").read_text(encoding="ascii")
            return None
        else:
            return None
        finally:
            os.close(file)

    def _start(self) -> str:
        """Start a server; the caller holds the lock that keeps others from starting one."""
        (self._folder / "address").unlink(missing_ok=True)
        for left in find_left_sockets():  # by servers that were killed
            remove_dead(left)
        with (self._folder / "log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", str(_SERVER), self.path, str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**_FRUGAL, **os.environ},
                start_new_session=True,  # an interrupt at the keyboard is for the command, not for what others share
            )
        assert child.stdout is not None
        with child.stdout as output:
            ready, _, _ = select.select([output], [], [], _START_SECONDS)
            line = output.readline() if ready else b""
        said = json.loads(line) if line else {}
        if "url" in said:
            note_server(self._folder, child.pid, self.path)
            threading.Thread(target=child.wait, daemon=True).start()  # no zombie if it ends before this process
            return str(said["url"])
        ended = child.wait() if ready and not line else None
        child.kill()
        child.wait()
        if ended is not None and ended < 0:
            raise StoreError(
                f"The server of the Milvus Lite file {self.path} was killed while it started (signal {-ended})",
                fix="Run it again; if that is no help, look whether memory is short",
                transient=True,
            )
        if said.get("error") == "DataDirLockedError":
            raise StoreError(
                f"The Milvus Lite file {self.path} is open in a program that does not share it",
                fix="Stop that program; commands and runs of imagerag share one file",
                transient=True,
            )
        detail = said.get("message") or f"its server did not start within {_START_SECONDS:.0f} s"
        raise _unusable(self.path, str(detail) if line or not ready else f"see {self._folder / 'log'}")


def _unusable(path: str, detail: str) -> StoreError:
    return StoreError(
        f"The Milvus Lite file {path} cannot be opened: {detail}",
        fix="If it is damaged or of an older version, move it away and run: imagerag index rebuild",
    )


def _locked(path: Path, how: int) -> int:
    """Open and lock a file, waiting for its holder; close the descriptor to unlock it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, how)
    except BaseException:
        os.close(file)
        raise
    return file
