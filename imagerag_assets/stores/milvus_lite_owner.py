"""Who serves a Milvus Lite file, and whether that process is still there; pymilvus is not imported.

``{file}.server/owner.json`` is written by the process that starts the server (`milvus_lite_share`).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imagerag_assets.objects.aside import replace_text
from imagerag_assets.objects.owners import Owner

_OWNER, _ADDRESS, _ALIVE = "owner.json", "address", "alive"


@dataclass(frozen=True)
class LiteServer:
    """The server of a Milvus Lite file: the one at work, or one that was killed."""

    path: str
    """The file that it serves."""
    owner: Owner | None
    """None: an earlier version started it."""
    state: Literal["alive", "dead"]

    @property
    def who(self) -> str:
        """Which process it is."""
        return "an unknown process" if self.owner is None else str(self.owner)

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        about = {name: getattr(self.owner, name, None) for name in ("pid", "host", "since")}
        return {"name": self.path, **about, "state": self.state}


def note_server(folder: Path, pid: int, path: str) -> None:
    """Write who serves a file, as far as the folder can be written."""
    with suppress(OSError):
        owner = Owner.of_process(pid, f"serves {Path(path).name}")
        replace_text(folder / _OWNER, owner.to_json())


def find_server(path: str) -> LiteServer | None:
    """Return the server of a file; None: there is none, and the last one ended in order."""
    folder = Path(f"{path}.server")
    if not (folder / _ADDRESS).exists():
        return None
    try:
        owner = Owner.from_json((folder / _OWNER).read_bytes())
    except OSError:
        owner = None
    return LiteServer(path, owner, "alive" if _serves(folder) else "dead")


def forget_dead(path: str) -> bool:
    """Remove the address of a killed server; return False, and leave it, if one serves or is being started."""
    folder = Path(f"{path}.server")
    with suppress(OSError):
        starting = os.open(folder / "starting", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(starting, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _serves(folder):
                (folder / _ADDRESS).unlink(missing_ok=True)
                return True
        finally:
            os.close(starting)
    return False


def _serves(folder: Path) -> bool:
    """Return whether a server has locked the folder."""
    try:
        handle = os.open(folder / _ALIVE, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
