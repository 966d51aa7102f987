"""Locks in the object store, so that of several processes, on any machine, one does a piece of work.

``locks/{name}.json`` says who.  A lock whose owner has died is taken over: at once if it was a process of this machine,
else when its sign of life is old.  Work under a lock must still be safe to do twice: a process that was asleep for long
may find its lock taken, which :meth:`Lock.require` says before anything that counts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from imagerag_assets.errors import LockedError, StoreError
from imagerag_assets.objects.store import ObjectStore

BEAT_SECONDS, STALE_SECONDS = 20.0, 120.0
LOCKS = "locks"


@dataclass(frozen=True)
class Owner:
    """Who holds a lock."""

    token: str
    host: str
    pid: int
    born: str
    """What tells the process from a later one with its number; empty where the system does not say."""
    since: str
    """ISO 8601, UTC."""
    beat: str
    """Its last sign of life, likewise."""

    @property
    def alive(self) -> bool:
        """Whether it may still be at work."""
        if self.host == socket.gethostname() and self.born:
            return _birth(self.pid) == self.born
        try:
            age = datetime.now(UTC) - datetime.fromisoformat(self.beat)
        except (ValueError, TypeError):
            return False
        return age.total_seconds() < STALE_SECONDS


class Lock:
    """A lock that is held."""

    def __init__(self, store: ObjectStore, name: str, owner: Owner) -> None:
        self._store, self._name, self._owner = store, name, owner

    def require(self) -> None:
        """Check that the lock is still ours.

        Raises:
            LockedError: another process took it, as this one gave no sign of life for long.
        """
        found = _owner(self._store, self._name)
        if found is None or found.token != self._owner.token:
            raise _locked(self._name, found)


@contextmanager
def held(store: ObjectStore, name: str) -> Iterator[Lock]:
    """Hold a lock while the context lasts, with a sign of life every `BEAT_SECONDS`.

    Raises:
        LockedError: another process holds it; the message says which, and since when.
        StoreError: the store cannot be read or written.
    """
    now, pid = _now(), os.getpid()
    owner = Owner(uuid4().hex, socket.gethostname(), pid, _birth(pid), now, now)
    if not store.create_json(_key(name), asdict(owner)):
        other = _owner(store, name)
        if other is not None and other.alive:
            raise _locked(name, other)
        store.delete(_key(name))
        if not store.create_json(_key(name), asdict(owner)):
            raise _locked(name, _owner(store, name))
    lock, stop = Lock(store, name, owner), Event()
    beating = Thread(target=_beat, args=(store, name, owner, stop), name=f"lock-{name}", daemon=True)
    beating.start()
    try:
        yield lock
    finally:
        stop.set()
        beating.join()
        with suppress(StoreError):  # it goes stale by itself
            found = _owner(store, name)
            if found is not None and found.token == owner.token:
                store.delete(_key(name))


def _beat(store: ObjectStore, name: str, owner: Owner, stop: Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with suppress(StoreError):  # the next one may get through; until then the lock only looks older
            found = _owner(store, name)
            if found is None or found.token != owner.token:
                return
            store.write_json(_key(name), asdict(owner) | {"beat": _now()})


def _owner(store: ObjectStore, name: str) -> Owner | None:
    """Who holds a lock; None if nobody, or if that cannot be understood."""
    if not store.exists(_key(name)):
        return None
    try:
        return Owner(**store.read_json(_key(name)))
    except TypeError:
        return None


def _locked(name: str, owner: Owner | None) -> LockedError:
    who = f"process {owner.pid} on {owner.host} since {owner.since}" if owner else "another process"
    return LockedError(f"A {name} is at work already: {who}", fix="Wait for it, or end it", lock=_key(name))


def _key(name: str) -> str:
    return f"{LOCKS}/{name}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _birth(pid: int) -> str:
    """When a process of this machine started, in the system's own count; empty if there is none, or none is told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
