from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imagerag_assets.errors import LockedError
from imagerag_assets.objects.locks import STALE_SECONDS, Owner, held
from imagerag_assets.objects.store import open_store
from imagerag_assets.settings import Settings

KEY = "locks/work.json"
ELSEWHERE = Owner("t", "another-host", 1, "5", "2026-01-01T00:00:00+00:00", "")


def test_a_lock_is_one_processs_and_gone_afterwards(settings: Settings) -> None:
    store = open_store(settings)
    with held(store, "work") as lock:
        lock.require()
        with pytest.raises(LockedError, match=f"A work is at work already: process {os.getpid()} on ") as caught:
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
