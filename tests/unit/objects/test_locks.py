"""Locks: one owner at a time, whatever machine, container or process id it has."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from imagerag_assets.errors import LockedError
from imagerag_assets.objects.aside import birth_of
from imagerag_assets.objects.locks import STALE_SECONDS, Owner, held, list_locks, release_dead
from imagerag_assets.objects.owners import this_machine
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import Settings

KEY = "locks/work.json"
ELSEWHERE = Owner("t", "another-host", 1, "5", "2026-01-01T00:00:00+00:00", "")


def test_a_lock_is_one_processs_and_gone_afterwards(settings: Settings) -> None:
    store = open_store(settings)
    with held(store, "work") as lock:
        lock.require()
        with pytest.raises(LockedError, match=f"A work is already running: process {os.getpid()} on ") as caught:
            held(store, "work").__enter__()
        assert "\n" not in str(caught.value)
        with held(store, "other work"):
            pass
    assert store.list("locks") == []
    with pytest.raises(ZeroDivisionError), held(store, "work"):
        _ = 1 / 0
    assert store.list("locks") == []


def test_a_lock_of_the_dead_is_taken_over(settings: Settings) -> None:
    store = open_store(settings)
    program = (
        "import os, signal, sys\n"
        "from imagerag_assets.objects.locks import held\n"
        "from imagerag_assets.settings import load_settings\n"
        "from imagerag_assets.objects.store import open_store\n"
        f"with held(open_store(load_settings(home={str(settings.home)!r}, _env_file=None)), 'work'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert store.exists(KEY)
    with held(store, "work"):
        pass
    for left in (b"{}", b'{"token": 1}'):
        store.write_bytes(KEY, left)
        with held(store, "work"):
            pass


def test_a_lock_of_another_machine_holds_as_long_as_it_gives_signs_of_life(settings: Settings) -> None:
    store, now = open_store(settings), datetime.now(UTC)
    fresh, old = (replace(ELSEWHERE, beat=(now - timedelta(seconds=s)).isoformat()) for s in (5, STALE_SECONDS + 5))
    store.write_json(KEY, vars(fresh))
    with pytest.raises(LockedError, match="process 1 on another-host since 2026-01-01"), held(store, "work"):
        pass
    assert store.exists(KEY)
    store.write_json(KEY, vars(old))
    with held(store, "work") as lock:
        store.write_json(KEY, vars(fresh))  # as if this process had been asleep, and another had taken over
        with pytest.raises(LockedError):
            lock.require()
    assert store.exists(KEY)  # it is not ours to remove


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that holds no lock."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        yield running
        running.kill()


def owner_here(pid: int, **values: str) -> Owner:
    now = datetime.now(UTC).isoformat()
    return replace(Owner("t", socket.gethostname(), pid, birth_of(pid), now, now, this_machine()), **values)


def test_a_process_id_that_another_live_process_has_now_does_not_keep_a_lock(
    settings: Settings, stranger: subprocess.Popen[bytes]
) -> None:
    store = open_store(settings)
    store.write_json(KEY, asdict(owner_here(stranger.pid)))
    with pytest.raises(LockedError, match=f"process {stranger.pid} "), held(store, "work"):
        pass
    store.write_json(KEY, asdict(owner_here(stranger.pid, born="12345")))
    with held(store, "work") as lock:
        lock.require()
    assert store.list("locks") == []


def test_a_process_of_another_container_with_our_host_name_is_not_taken_for_dead(settings: Settings) -> None:
    """Its process id means nothing here: only its sign of life counts."""
    store, old = open_store(settings), (datetime.now(UTC) - timedelta(seconds=STALE_SECONDS + 5)).isoformat()
    for machine in (f"{this_machine()}0", ""):  # another namespace; a lock of a version that did not note it
        elsewhere = owner_here(1, born="5", machine=machine)
        store.write_json(KEY, asdict(elsewhere))
        with pytest.raises(LockedError, match="process 1 "), held(store, "work"):
            pass
        assert store.read_json(KEY)["token"] == "t"
        # Nor is it taken for alive because a process here has its id and start.
        store.write_json(KEY, asdict(replace(owner_here(os.getpid()), beat=old, machine=machine)))
        with held(store, "work"):
            pass
    assert store.list("locks") == []


def test_a_lock_is_released_by_its_owner_only(settings: Settings) -> None:
    store = open_store(settings)
    with held(store, "work"):
        store.write_json(KEY, asdict(owner_here(os.getpid())))  # taken over by another owner in this very process
    assert store.read_json(KEY)["token"] == "t"
    assert store.list("locks") == [KEY]


def test_a_lock_that_is_replaced_while_it_is_read_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(settings)
    store.write_json(KEY, asdict(owner_here(os.getpid())))
    read = type(store).read_json
    tries = []

    def replaced(self: ObjectStore, key: str) -> Any:
        tries.append(key)
        if len(tries) > 1:
            return read(self, key)
        found = read(self, key)
        self.delete(key)
        try:
            return read(self, key)
        finally:
            self.write_json(key, found)

    monkeypatch.setattr(type(store), "read_json", replaced)
    with pytest.raises(LockedError, match="already running"), held(store, "work"):
        pass
    assert len(tries) > 1


def test_of_several_that_find_a_dead_owner_one_takes_over(settings: Settings) -> None:
    store = open_store(settings)
    for _ in range(5):
        store.write_json(KEY, asdict(owner_here(os.getpid(), born="12345")))
        start, tried = Barrier(8, timeout=60), Barrier(8, timeout=60)

        def one(_: int, start: Barrier = start, tried: Barrier = tried) -> bool:
            start.wait()
            with ExitStack() as stack:
                try:
                    lock = stack.enter_context(held(store, "work"))
                except LockedError:
                    lock = None
                tried.wait()
                if lock is not None:
                    lock.require()
                return lock is not None

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(one, range(8))) == 1
        assert store.list("locks") == []


def test_a_lock_that_is_being_taken_over_is_not_taken_for_unreadable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the removal of a dead owner's lock and its successor's there is none, and then the successor's."""
    store = open_store(settings)
    store.write_json(KEY, asdict(owner_here(os.getpid(), born="12345")))
    exists, read = type(store).exists, type(store).read_json
    looks, successes = [], []

    def replaced(self: ObjectStore, key: str) -> bool:
        if key != KEY:
            return exists(self, key)
        looks.append(key)
        found = exists(self, key)
        if len(looks) == 2:
            successes.append(store.create_json(KEY, asdict(ELSEWHERE)))
        return found

    def removed(self: ObjectStore, key: str) -> Any:
        if key == KEY and not looks:
            self.delete(key)
        return read(self, key)

    monkeypatch.setattr(type(store), "exists", replaced)
    monkeypatch.setattr(type(store), "read_json", removed)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(store, "work"))
            successes.append(True)
        except LockedError:
            successes.append(False)
    assert sum(successes) == 1


def test_a_lock_of_a_dead_owner_is_released_that_of_a_living_one_is_not(settings: Settings) -> None:
    store = open_store(settings)
    with held(store, "backfill"):
        (found,) = list_locks(store)
        assert (found.name, found.owner.pid, release_dead(store, found)) == ("backfill", os.getpid(), False)
        assert [each.key for each in list_locks(store)] == [found.key]
    dead = Owner("t", "elsewhere", 1, "", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00+00:00")
    store.write_json("locks/backfill.json", asdict(dead))
    (found,) = list_locks(store)
    store.write_json("locks/backfill.json", asdict(replace(dead, token="another")))
    assert not release_dead(store, found)  # it is another owner's by now
    (found,) = list_locks(store)
    assert release_dead(store, found)
    assert store.list("locks") == []
