"""Several processes and one Milvus Lite file: they share it, killed ones included, until the last one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.conftest import PROJECT
from tests.unit.stores.vector_store_contract import DIM, fingerprint_for, patches, unit_vectors

FINGERPRINT = fingerprint_for("shared")


@contextmanager
def another_process(code: str, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A Python process with a `store` of these settings, which has printed a line and waits for its input to end."""
    start = (
        "import sys; from imagerag_assets.settings import load_settings;"
        "from imagerag_assets.stores.milvus import VectorStore;"
        "from tests.unit.stores.test_milvus_lite_share import *\n"
        "store = VectorStore(load_settings(home=sys.argv[1], _env_file=None))\n"
    )
    command = [sys.executable, "-c", f"{start}{code}\nprint(flush=True); sys.stdin.read()", str(settings.home)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


def server_of(settings: Settings) -> psutil.Process:
    """The server of a file, found by what it was started with."""
    script = "milvus_lite_server.py"
    found = [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(part.endswith(script) for part in each.info["cmdline"] or ()) and settings.milvus in each.info["cmdline"]
    ]
    (server,) = found
    return server


def test_two_processes_write_and_read_at_once(settings: Settings) -> None:
    with VectorStore(settings) as mine:
        name = mine.ensure_patches(FINGERPRINT, DIM)
        mine.upsert(name, [patches("mine", 30)])
        write = (
            "name = store.ensure_patches(FINGERPRINT, DIM)\n"
            "for n in range(12):\n"
            "    store.replace_scene(name, f's{n}', [patches(f's{n}', 200)])\n"
            "    store.build_index(name, ('FLAT', 'IVF_FLAT')[n % 2])"
        )
        counts: list[int] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                (hits,) = mine.search(name, unit_vectors(30, 0)[:1], condition=Filter().scene_in(["mine"]), limit=3)
                counts.append(len(hits))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with another_process(write, settings):
                pass
        finally:
            stop.set()
            asking.join()
        assert counts and set(counts) == {3}
        assert mine.count(name) == 30 + 12 * 200


def test_a_killed_user_or_server_leaves_nothing_locked(settings: Settings) -> None:
    write = "store.upsert(store.ensure_patches(FINGERPRINT, DIM), [patches('one', 50)])"
    with another_process(write, settings) as user:
        server = server_of(settings)
        with VectorStore(settings) as mine:
            assert server_of(settings) == server
            user.kill()
            user.wait()
            name = mine.ensure_patches(FINGERPRINT, DIM)
            assert mine.count(name) == 50
            server.send_signal(signal.SIGKILL)
            psutil.wait_procs([server], timeout=20)
            assert mine.count(name) == 50  # a new server, and what was acknowledged is there
            again = server_of(settings)
            assert again != server
            again.terminate()  # told to stop: it closes the file first
            psutil.wait_procs([again], timeout=30)
            assert mine.count(name) == 50
            last = server_of(settings)
    gone, _ = psutil.wait_procs([last], timeout=30)
    assert gone == [last]
    assert not (Path(f"{settings.milvus}.server") / "address").exists()


def test_many_start_at_once(settings: Settings) -> None:
    path = str(Path(settings.milvus).absolute())
    shares: list[LiteShare] = []
    threads = [threading.Thread(target=lambda: shares.append(LiteShare(path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({share.url for share in shares}) == 1 and len(shares) == 6
    assert server_of(settings).is_running()
    for share in shares:
        share.close()
        share.close()


def test_a_program_that_does_not_share(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    hold = "import sys, pymilvus; pymilvus.MilvusClient(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, settings.milvus]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        with pytest.raises(StoreError, match="open in a program that does not share it") as caught:
            VectorStore(settings)
        assert caught.value.transient
        assert holder.stdin is not None
        holder.stdin.close()
    with VectorStore(settings) as store:
        assert store.list_collections() == []


def test_turns_exclude_each_other_and_may_be_nested(settings: Settings) -> None:
    share = LiteShare(str(Path(settings.milvus).absolute()))
    order: list[str] = []
    inside, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with share.turn(writing=True), share.turn(writing=False), share.turn(writing=True):
            inside.set()
            may_end.wait(30)
            order.append("written")

    def read() -> None:
        with share.turn(writing=False):
            order.append("read")

    writer, reader = threading.Thread(target=write), threading.Thread(target=read)
    writer.start()
    assert inside.wait(30)
    reader.start()
    reader.join(0.2)
    assert order == []
    may_end.set()
    writer.join()
    reader.join()
    assert order == ["written", "read"]
    share.close()
