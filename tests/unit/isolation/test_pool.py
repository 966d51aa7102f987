from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.isolation.pool import CrashError, MemoryIsUpError, Pool, TimeIsUpError
from imagerag_assets.isolation.worker import is_worker

HERE = (__name__,)


@pytest.fixture
def pool() -> Iterator[Pool]:
    opened = Pool()
    yield opened
    opened.close()


def double(array: np.ndarray) -> tuple[np.ndarray, str]:
    return array * 2, "done"


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def read_nowhere() -> None:
    ctypes.string_at(0)


def hang_with_the_lock() -> None:
    """Hang as a C library does that keeps Python's lock: no signal handler nor other thread of Python runs."""
    ctypes.PyDLL(None).sleep(3600)


def take(count: int) -> int:
    return len(np.ones(count, np.uint8))


def fail() -> None:
    raise RasterError("it broke", fix="Mend it", href="a.tif", transient=True)


class UnsendableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two} https://host/a?X-Amz-Signature=1234")


def fail_oddly() -> None:
    raise UnsendableError(1, 2)


_kept: list[str] = []


def keep(word: str) -> list[str]:
    _kept.append(word)
    return _kept


def test_a_function_runs_in_another_process_and_its_arrays_come_back_writable(pool: Pool) -> None:
    assert pool.call(is_worker, seconds=60) and not is_worker()
    large = np.arange(3 * 700 * 900, dtype=np.uint16).reshape(3, 700, 900)
    for array in (large, large[:, ::2, ::3], np.asfortranarray(large[0]), np.zeros((0, 5)), np.array(3.0)):
        twice, said = pool.call(double, array, seconds=60)
        assert said == "done" and twice.dtype == array.dtype
        assert np.array_equal(twice, array * 2)
        if array.ndim:
            twice[...] = 1  # it is nobody else's


def test_a_process_is_used_again_and_told_of_changes_of_the_environment(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pool.call(os.getpid, seconds=60)
    monkeypatch.setenv("AWS_REGION", "eu-central-9")
    assert pool.call(os.getenv, "AWS_REGION", seconds=60) == "eu-central-9"
    monkeypatch.delenv("AWS_REGION")
    assert pool.call(os.getenv, "AWS_REGION", seconds=60) is None
    assert pool.call(os.getpid, seconds=60) == first != os.getpid()


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        (partial(die, signal.SIGKILL), "SIGKILL"),
        (read_nowhere, "SIGSEGV"),
        (partial(die, signal.SIGABRT), "SIGABRT"),
        (partial(os._exit, 3), "ended with 3"),
    ],
)
def test_a_crash_costs_its_call_only(pool: Pool, crash: partial[None], said: str) -> None:
    with pytest.raises(CrashError, match=said):
        pool.call(crash, seconds=60, modules=HERE)
    assert pool.call(abs, -3, seconds=60) == 3


def test_a_process_killed_while_nobody_used_it_is_replaced(pool: Pool) -> None:
    victim = psutil.Process(pool.call(os.getpid, seconds=60))
    victim.kill()
    os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)
    assert pool.call(os.getpid, seconds=60) != victim.pid


def test_a_call_that_hangs_is_ended_whatever_it_holds(pool: Pool) -> None:
    child = psutil.Process(pool.call(os.getpid, seconds=60))
    with pytest.raises(TimeIsUpError):
        pool.call(hang_with_the_lock, seconds=0.2, modules=HERE)
    assert not child.is_running()
    assert pool.call(abs, -3, seconds=60) == 3


def test_who_interrupts_a_call_gets_no_late_reply(pool: Pool) -> None:
    child = psutil.Process(pool.call(os.getpid, seconds=60))
    pool.call(keep, "ready", seconds=60, modules=HERE)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            pool.call(hang_with_the_lock, seconds=3600)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not child.is_running()
    assert pool.call(abs, -3, seconds=60) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process takes so")
def test_a_call_takes_no_more_memory_than_it_may(pool: Pool) -> None:
    most = 100 * 2**20
    assert pool.call(take, most // 2, seconds=60, memory=most, modules=HERE) == most // 2
    with pytest.raises(MemoryIsUpError):
        pool.call(take, 2 * most, seconds=60, memory=most, modules=HERE)
    assert pool.call(take, 2 * most, seconds=60, memory=4 * most) == 2 * most


def test_errors_come_back_as_they_are_or_as_one_that_says_the_same(pool: Pool) -> None:
    with pytest.raises(RasterError) as caught:
        pool.call(fail, seconds=60)
    assert (str(caught.value), caught.value.transient) == ("it broke [href=a.tif]. Mend it", True)
    with pytest.raises(RuntimeError, match="UnsendableError: 1 2") as odd:
        pool.call(fail_oddly, seconds=60)
    assert "1234" not in str(odd.value)


def test_calls_at_a_time_have_processes_of_their_own_and_go_where_they_were(pool: Pool) -> None:
    both = threading.Barrier(2)

    def call(about: str) -> int:
        both.wait()
        return pool.call(os.getpid, seconds=60, about=about)

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(call, ("one", "other"))
        pool.call(keep, "one", seconds=60, about="one")
        pool.call(keep, "other", seconds=60, about="other")
    if one != other:  # the first may be done before the second begins
        assert pool.call(os.getpid, seconds=60, about="one") == one
        assert pool.call(os.getpid, seconds=60, about="other") == other


def test_who_keeps_something_is_told(pool: Pool) -> None:
    assert pool.call(keep, "a", seconds=60, about="reader") == ["a"]
    pool.tell("another", keep, "b")
    pool.tell("reader", keep, "c")
    assert pool.call(keep, "d", seconds=60, about="reader") == ["a", "c", "d"]


def say_so_and_hang(fifo: str) -> None:
    with open(fifo, "w") as there:
        there.write(str(os.getpid()))
    hang_with_the_lock()


PARENT = """
import sys
from imagerag_assets.isolation.pool import Pool
from tests.unit.isolation.test_pool import say_so_and_hang
Pool().call(say_so_and_hang, sys.argv[1], seconds=3600)
"""


def test_no_process_outlives_the_one_that_started_it_however_busy(tmp_path: Path) -> None:
    fifo, root = tmp_path / "fifo", str(Path(__file__).resolve().parents[3])
    os.mkfifo(fifo)
    with subprocess.Popen([sys.executable, "-c", PARENT, fifo], env=os.environ | {"PYTHONPATH": root}) as parent:
        child = psutil.Process(int(fifo.read_text()))
        assert child.ppid() == parent.pid
        parent.kill()
    child.wait(60)


def test_a_forked_process_leaves_those_of_its_parent_alone(pool: Pool) -> None:
    mine = pool.call(os.getpid, seconds=60)
    forked = os.fork()
    if forked == 0:
        try:
            os._exit(0 if pool.call(os.getpid, seconds=60) != mine else 1)
        finally:
            os._exit(2)
    assert os.waitpid(forked, 0)[1] == 0
    assert pool.call(os.getpid, seconds=60) == mine
