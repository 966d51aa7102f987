"""Where the resident process of an installation listens, and who it is.

Each user of a machine has one of their own, also where they share a HOME: its socket and its note lie in a folder that
only they can enter, and a folder of somebody else is not used.  The note says which process listens (`objects.owners`),
so that what a killed one left is told from one that is busy.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from imagerag_assets.errors import LockedError, StoreError
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.objects.aside import replace_text
from imagerag_assets.objects.left_sockets import PREFIX
from imagerag_assets.objects.owners import Owner, state_of
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_lite_server import SOCKET, remove_socket, socket_path

_NOTE, _LOCK = "resident.json", "lock"


@dataclass(frozen=True)
class Resident:
    """A resident process."""

    owner: Owner
    socket: Path


def resident_folder(settings: Settings) -> Path:
    """Return the folder of this user's resident process."""
    return owners_folder(settings).expanduser().absolute() / f"resident-{os.getuid()}"


def find_resident(settings: Settings) -> Resident | None:
    """Return the resident process of this user, unless it is certainly dead; None: there is none."""
    folder = resident_folder(settings)
    if not _is_ours(folder):
        return None
    try:
        noted = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        owner, path = Owner.from_json(json.dumps(noted["owner"])), Path(str(noted["socket"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if owner is None or not _is_ours(path.parent) or state_of(owner, owners_folder(settings)) == "dead":
        return None
    return Resident(owner, path)


@contextmanager
def listening(settings: Settings, owner: Owner) -> Iterator[socket.socket]:
    """Listen as the resident process while the context lasts, and give the socket; clean up after a dead one first.

    Raises:
        LockedError: this user has such a process already.
        StoreError: the folder cannot be written, or is somebody else's.
    """
    folder = resident_folder(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            raise StoreError(
                "The folder of the resident process can be entered by others", fix="Remove it", path=folder
            )
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}", fix="Correct IMAGERAG_HOME") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError("A resident process is running already", fix="Stop it: imagerag serve --stop") from None
        _remove_left(folder)
        path = socket_path(folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(128)
            note = {"owner": json.loads(owner.to_json()), "socket": str(path)}
            replace_text(folder / _NOTE, json.dumps(note))
            yield listener
        finally:
            (folder / _NOTE).unlink(missing_ok=True)
            listener.close()
            remove_socket(path, folder)
    finally:
        os.close(lock)


def withdraw(settings: Settings) -> None:
    """Let nobody find this process any more; those that have found it are still answered."""
    (resident_folder(settings) / _NOTE).unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    """Return whether a folder belongs to this user, and nobody else can enter it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _remove_left(folder: Path) -> None:
    """Remove what a killed process left; the caller holds the lock, so no other one is there."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        left = Path(str(noted["socket"]))
        made_for_it = left.parent == folder or left.parent.name.startswith(PREFIX)
        if left.name.startswith(SOCKET) and made_for_it and _is_ours(left.parent):
            remove_socket(left, folder)
    (folder / _NOTE).unlink(missing_ok=True)
