"""Locks in the object store: of several processes, on any machine, only one does a piece of work.

``locks/{name}.json`` says who holds a lock.  A lock whose owner has died is taken over: at once if the owner was a
process that this one can see, else when its last sign of life is old.  A process id alone identifies nobody: containers
share host names and count from 1, and ids are used again.  So an owner is a random token; it also names the machine
since its last start, the container (its process namespace), and when its process started.  Only the owner releases it.

Work under a lock must still be safe to do twice: a process that was asleep for long may find its lock taken, which
:meth:`Lock.require` says before anything that counts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from threading import Event, Thread
from uuid import uuid4

from imagerag_assets.errors import LockedError, StoreError
from imagerag_assets.objects.aside import birth_of
from imagerag_assets.objects.owners import State, seen_from_here, this_machine
from imagerag_assets.objects.store import ObjectStore

BEAT_SECONDS, STALE_SECONDS = 20.0, 120.0
LOCKS = "locks"
_READS = 5
"""Times that a lock is read: it may be removed and taken anew while it is."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock."""

    token: str
    """Random; what tells one owner from another."""
    host: str
    """Name of the machine, for people."""
    pid: int
    born: str
    """When the process started, in the system's own count; empty where the system does not say."""
    since: str
    """ISO 8601, UTC."""
    beat: str
    """Its last sign of life, ISO 8601, UTC."""
    machine: str = ""
    """The machine since its last start and the process namespace in which `pid` counts; empty if that is unknown."""

    @property
    def alive(self) -> bool:
        """Return whether the owner may still be at work."""
        seen: State = seen_from_here(self.machine, self.pid, self.born)
        if seen != "unknown":
            return seen == "alive"
        try:
            age = datetime.now(UTC) - datetime.fromisoformat(self.beat)
        except (ValueError, TypeError):
            return False
        return age.total_seconds() < STALE_SECONDS


_UNREADABLE = Owner("unreadable", "", 0, "", "", "")


class Lock:
    """A lock that this process holds."""

    def __init__(self, store: ObjectStore, name: str, owner: Owner) -> None:
        self._store, self._name, self._owner = store, name, owner

    def require(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            LockedError: another process took it because this one gave no sign of life for too long.
        """
        found = _owner(self._store, _key(self._name))
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
    owner = Owner(uuid4().hex, socket.gethostname(), pid, birth_of(pid), now, now, this_machine())
    if not _taken(store, _key(name), owner):
        raise _locked(name, _owner(store, _key(name)))
    stop = Event()
    beating = Thread(target=_beat, args=(store, name, owner, stop), name=f"lock-{name}", daemon=True)
    beating.start()
    try:
        yield Lock(store, name, owner)
    finally:
        stop.set()
        beating.join()
        with suppress(StoreError):  # without a sign of life it is taken over later
            _release(store, _key(name), owner)


@dataclass(frozen=True)
class Found:
    """A lock that somebody holds or left."""

    key: str
    """Object key."""
    owner: Owner

    @property
    def name(self) -> str:
        """What is locked."""
        return self.key.removeprefix(f"{LOCKS}/").removesuffix(".json")


def list_locks(store: ObjectStore) -> list[Found]:
    """Return all locks, also those of dead owners.

    Raises:
        StoreError: the store cannot be read.
    """
    found = ((key, _owner(store, key)) for key in store.list(LOCKS) if key.endswith(".json"))
    return [Found(key, owner) for key, owner in found if owner is not None]


def release_dead(store: ObjectStore, found: Found) -> bool:
    """Release a lock whose owner is dead; return False, and leave it, if it is alive or another one has taken it.

    Raises:
        StoreError: the store cannot be read or changed.
    """
    if found.owner.alive:
        return False
    now, pid = _now(), os.getpid()
    owner = Owner(uuid4().hex, socket.gethostname(), pid, birth_of(pid), now, now, this_machine())
    with _succession(store, found.key, found.owner, owner) as chosen:
        if chosen:
            store.delete(found.key)
        return chosen


def _taken(store: ObjectStore, key: str, owner: Owner) -> bool:
    """Take a lock that is free or whose owner is dead; return whether that worked."""
    if store.create_json(key, asdict(owner)):
        return True
    other = _owner(store, key)
    if other is None:  # released, or being taken over, since: only the next create decides whose it is
        return store.create_json(key, asdict(owner))
    if other.alive:
        return False
    with _succession(store, key, other, owner) as chosen:
        if chosen:
            store.delete(key)
        return chosen and store.create_json(key, asdict(owner))


def _release(store: ObjectStore, key: str, owner: Owner) -> None:
    with _succession(store, key, owner, owner) as chosen:
        if chosen:
            store.delete(key)


@contextmanager
def _succession(store: ObjectStore, key: str, before: Owner, owner: Owner) -> Iterator[bool]:
    """Give whether `owner`, and nobody else, may replace or remove the lock that `before` holds.

    Several processes may find the same dead owner, and one that was asleep may release what it no longer owns.  So each
    first takes a lock on that one change, then looks again.
    """
    turn = f"{key.removesuffix('.json')}.after-{before.token}.json"
    if not _taken(store, turn, owner):
        yield False
        return
    try:
        found = _owner(store, key)
        yield found is not None and found.token == before.token
    finally:
        store.delete(turn)


def _beat(store: ObjectStore, name: str, owner: Owner, stop: Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with suppress(StoreError):  # the next one may get through; until then the lock only looks older
            found = _owner(store, _key(name))
            if found is None or found.token != owner.token:
                return
            store.write_json(_key(name), asdict(owner) | {"beat": _now()})


def _owner(store: ObjectStore, key: str) -> Owner | None:
    """Return who holds a lock: None if nobody does, `_UNREADABLE` if the record does not say."""
    for left in reversed(range(_READS)):
        try:
            found = store.read_json(key)
            break
        except StoreError:
            if not store.exists(key):
                return None
            if not left:  # it is there and stays unreadable; otherwise it was replaced in between
                raise
    try:
        return Owner(**{each.name: found[each.name] for each in fields(Owner) if each.name in found})
    except TypeError:
        return _UNREADABLE


def _locked(name: str, owner: Owner | None) -> LockedError:
    who = f"process {owner.pid} on {owner.host} since {owner.since}" if owner and owner.host else "another process"
    return LockedError(f"A {name} is already running: {who}", fix="Wait for it, or end it", lock=_key(name))


def _key(name: str) -> str:
    return f"{LOCKS}/{name}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
