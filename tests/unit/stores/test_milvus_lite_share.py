"""Several processes and one Milvus Lite file: they share it, killed ones included, until the last one leaves."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.settings import Settings, load_settings
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


# As a server of an earlier version does: on a port, which its file tells.
EARLIER_SERVER = """
import fcntl, os, pathlib, sys
from milvus_lite.adapter.grpc.server import start_server_in_thread
folder = pathlib.Path(sys.argv[1] + ".server")
folder.mkdir(parents=True)
alive = os.open(folder / "alive", os.O_RDWR | os.O_CREAT)
fcntl.flock(alive, fcntl.LOCK_EX)
server, database, port = start_server_in_thread(data_dir=sys.argv[1], host="127.0.0.1", port=0)
(folder / "address").write_text(f"http://127.0.0.1:{port}")
print(flush=True)
sys.stdin.read()
server.stop(grace=1).wait()
database.close()
(folder / "address").unlink()
"""
CONNECT_AS_ANOTHER = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as probe:
    try:
        probe.connect(sys.argv[1])
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("name", ["plain", "space and %20 # ? é", "long" * 30])
def test_only_its_own_user_can_connect(open_folder: Path, name: str) -> None:
    """It listens on no port, and its socket is in a folder that only this user can enter."""
    folder = open_folder / name
    folder.mkdir(mode=0o755)
    settings = load_settings(home=folder, _env_file=None)
    Path(f"{settings.milvus}.server").mkdir(mode=0o755)  # as an earlier version left it
    with VectorStore(settings) as store:
        assert store.list_collections() == []
        server = server_of(settings)
        assert server.net_connections("inet") == []
        address = (Path(f"{settings.milvus}.server") / "address").read_text()
        path = Path(unquote(address.removeprefix("unix:")))
        assert stat.S_ISSOCK(path.stat().st_mode)
        parent = path.parent.stat()
        assert (parent.st_uid, parent.st_mode & 0o777) == (os.getuid(), 0o700)
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(str(path))
        if os.geteuid() == 0:  # only then can another user be had
            command = [sys.executable, "-I", "-c", CONNECT_AS_ANOTHER, str(path)]
            tried = subprocess.run(command, capture_output=True, text=True)
            assert tried.stdout == "PermissionError\n", tried.stderr
    psutil.wait_procs([server], timeout=30)
    assert not path.exists()
    assert path.parent.exists() == path.is_relative_to(open_folder)  # one that was made for it is gone


def test_a_server_of_an_earlier_version_is_used_until_it_ends(settings: Settings) -> None:
    command = [sys.executable, "-c", EARLIER_SERVER, settings.milvus]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as earlier:
        assert earlier.stdout is not None and earlier.stdout.readline() == b"\n"
        with VectorStore(settings) as store:
            name = store.ensure_patches(FINGERPRINT, DIM)
            store.upsert(name, [patches("one", 50)])
            assert store.count(name) == 50
            earlier.communicate()
            assert store.count(name) == 50
            assert server_of(settings).net_connections("inet") == []
