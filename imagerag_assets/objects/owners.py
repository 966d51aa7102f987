"""Who is at work: which process owns a run, a lock or an unfinished file, since when, and whether it is still there.

A process id alone identifies nobody: containers share host names and count from 1, and ids are used again.  So an owner
also names the machine since its last start, its process namespace, and when the process started.  Another container, or
the same machine before it was restarted, cannot be looked at that way.  So each process at work holds a lock of the
operating system on a file of its own, ``{token}.json``, which says who it is; the lock ends with the process, however
that ends.  Where there is neither, nothing is known of an owner, and nothing of it is closed.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

from imagerag_assets.objects.aside import ASIDE, birth_of, this_writer

State = Literal["alive", "dead", "unknown"]
"""``unknown``: it may be at work where this process cannot see it."""


@dataclass(frozen=True)
class Owner:
    """A process at work."""

    token: str
    """Random; what tells one owner from another."""
    host: str
    """Name of the machine, for people."""
    pid: int
    born: str
    """When the process started, in the system's own count; empty where the system does not say."""
    machine: str
    """The machine since its last start and the process namespace in which `pid` counts; empty if that is unknown."""
    since: str
    """ISO 8601, UTC."""
    work: str
    """What it does."""

    @classmethod
    def this_process(cls, work: str) -> Owner:
        """Return this process as an owner."""
        return cls.of_process(os.getpid(), work)

    @classmethod
    def of_process(cls, pid: int, work: str) -> Owner:
        """Return a process of this namespace as an owner, from now on."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(uuid4().hex, socket.gethostname(), pid, birth_of(pid), this_machine(), now, work)

    def to_json(self) -> str:
        """Return the form that :meth:`from_json` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Owner | None:
        """Read what :meth:`to_json` wrote; None: it is something else."""
        try:
            stored = json.loads(text)
            found = cls(**{each.name: stored[each.name] for each in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None
        texts = (found.token, found.host, found.born, found.machine, found.since, found.work)
        plain = all(isinstance(each, str) for each in texts) and isinstance(found.pid, int)
        return found if plain and found.token.isalnum() else None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since} ({self.work})"


def this_machine() -> str:
    """Return what names this machine since its last start, with the process namespace; empty if that is unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def seen_from_here(machine: str, pid: int, born: str) -> State:
    """Return whether a process is there, as far as this process can see it."""
    if not born or not machine or machine != this_machine():
        return "unknown"
    return "alive" if birth_of(pid) == born else "dead"


def state_of(owner: Owner, folder: Path) -> State:
    """Return whether an owner is at work; `folder` is where the processes of its installation have their files."""
    seen = seen_from_here(owner.machine, owner.pid, owner.born)
    if seen != "unknown":
        return seen
    with _taken(_file(folder, owner.token)) as taken:
        return "unknown" if taken is None else "dead" if taken else "alive"


def list_owners(folder: Path) -> list[tuple[Owner, State]]:
    """Return the processes that are at work or died at it, the oldest first."""
    found = []
    with suppress(OSError):
        for path in folder.glob("[!.]*.json"):
            with suppress(OSError):
                owner = Owner.from_json(path.read_bytes())
                if owner is not None and path == _file(folder, owner.token):
                    found.append((owner, state_of(owner, folder)))
    return sorted(found, key=lambda each: (each[0].since, each[0].token))


@contextmanager
def succeeding(owner: Owner, folder: Path) -> Iterator[bool]:
    """Give whether this process, and no other, may close what a dead owner left; then forget the owner.

    After an error the owner is kept, for the next one to try.
    """
    path = _file(folder, owner.token)
    with _taken(path) as taken:
        yield bool(taken)
        if taken:
            with suppress(OSError):
                path.unlink(missing_ok=True)


@dataclass
class _AtWork:
    owner: Owner
    handle: int | None
    """Open as long as it is locked; None: the folder cannot be written."""
    times: int = field(default=0)


_lock = Lock()
_at_work: dict[tuple[int, Path], _AtWork] = {}


@contextmanager
def at_work(folder: Path, work: str) -> Iterator[Owner]:
    """Make this process known as one at work, while the context lasts; it may be entered several times.

    Where the folder cannot be written, the owner is known by its machine and process id only.

    Args:
        folder: Where the processes of the installation have their files.
        work: What the process does, for people.
    """
    key = (os.getpid(), folder.expanduser().absolute())
    with _lock:
        known = _at_work.get(key)
        if known is None:
            owner = Owner.this_process(work)
            known = _at_work[key] = _AtWork(owner, _claimed(key[1], owner))
        known.times += 1
    try:
        yield known.owner
    finally:
        with _lock:
            known.times -= 1
            if not known.times:
                del _at_work[key]
                if known.handle is not None:
                    with suppress(OSError):
                        _file(key[1], known.owner.token).unlink(missing_ok=True)
                    os.close(known.handle)


def current_owner(folder: Path) -> Owner | None:
    """Return this process as one at work, if it is known as one; `folder` is that of :func:`at_work`."""
    with _lock:
        known = _at_work.get((os.getpid(), folder.expanduser().absolute()))
        return None if known is None else known.owner


def _claimed(folder: Path, owner: Owner) -> int | None:
    """Write an owner's file, locked before it can be seen."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{ASIDE}{this_writer()}", suffix=".json", dir=folder)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, owner.to_json().encode())
        os.fchmod(handle, 0o644)
        os.replace(name, _file(folder, owner.token))
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        os.close(handle)
        return None
    return handle


@contextmanager
def _taken(path: Path) -> Iterator[bool | None]:
    """Lock a file; give whether that worked, i.e. nobody else has it; None: there is no such file."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        # Whoever closed what it left has removed the file meanwhile.
        yield path.exists() or None
    finally:
        os.close(handle)


def _file(folder: Path, token: str) -> Path:
    return folder / f"{token}.json"


def shown(owner: Owner, state: State) -> dict[str, Any]:
    """Return what people and scripts see of an owner."""
    return {"pid": owner.pid, "host": owner.host, "since": owner.since, "work": owner.work, "state": state}
