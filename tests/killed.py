"""Commands of the program that are killed at their n-th change, alone or with the processes that work for them.

Each runs in a process forked from one that has imported what the commands before it needed, which saves most of its
time.  A change is a file of the installation that is opened for writing, renamed, linked or removed, a call to Milvus,
or an answer of a process that reads rasters, which is awaited while that one works.  At its n-th change a command stops
with all its threads; then it and the others are killed, as a container or a machine that ends does it.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from imagerag_assets.settings import Settings, load_settings

_CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
_TOO_LONG_S = 1800
"""A command that hangs is ended; a busy machine takes a minute for one."""
_LOOK = "look"


@dataclass(frozen=True)
class Kill:
    """When a command is killed, and what with it."""

    at: int
    """The change, counted from 1."""
    readers: bool = False
    """Also the processes that read rasters for it."""
    server: bool = False
    """Also the server of Milvus Lite."""
    among: str = ""
    """Count only changes of paths that have this in them."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Its exit code, or minus the signal."""
    out: str
    err: str
    changes: int
    """How many changes it made; 0 if it was killed."""
    pid: int
    """The process that it was."""


class Commands:
    """Runs commands; see :func:`forked_commands`."""

    def __init__(self, process: subprocess.Popen[str], temporary: str) -> None:
        self._process, self._temporary = process, temporary

    def run(self, settings: Settings, *commands: Sequence[str], kill: Kill | None = None) -> list[Ended]:
        """Run commands beside each other, all of which are killed, or none; return how they ended.

        Args:
            settings: The installation.
            commands: Arguments of ``imagerag`` each.
            kill: When they are killed.
        """
        variables = {
            "HOME": settings.home,
            "ENCODERS_FILE": settings.encoders_file,
            "PATCH_PX": settings.patch_px,
            "SUPERTILE_PX": settings.supertile_px,
            "READ_APART": settings.read_apart,
        }
        request = {
            "environment": {
                **os.environ,
                "TMPDIR": self._temporary,
                **{f"IMAGERAG_{name}": str(value) for name, value in variables.items()},
            },
            "commands": commands,
            "kill": None if kill is None else asdict(kill),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return [Ended(**each) for each in json.loads(self._process.stdout.readline())]

    def look(self, settings: Settings, folder: str) -> tuple[Any, dict[str, Any]]:
        """Return what is stored, in a form that can be compared, and what ``doctor --deep`` says of it.

        Args:
            settings: The installation.
            folder: Where a file can be written.
        """
        handle, path = tempfile.mkstemp(dir=folder)
        with open(handle, "rb") as file:
            (done,) = self.run(settings, [_LOOK, path])
            assert done.code == 0, done
            return pickle.load(file), json.loads(done.out)


@contextmanager
def forked_commands() -> Iterator[Commands]:
    """Have another process, from which commands are forked until the context ends."""
    # What others have left among the system's temporary files is no affair of these.
    with tempfile.TemporaryDirectory() as temporary, _started(temporary) as process:
        yield Commands(process, temporary)


def _started(temporary: str) -> subprocess.Popen[str]:
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # threads and forks
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | one_thread | {"TMPDIR": temporary},
        cwd=Path(__file__).parents[1],
        text=True,
    )


def processes_of(settings: Settings) -> list[psutil.Process]:
    """Return the processes that commands of an installation have started."""
    return _processes_of(str(settings.home))


def _processes_of(home: str) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get("IMAGERAG_HOME") == home and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def _stored(settings: Settings) -> Any:
    """Return shards by path, rows with their vectors by collection, and aliases."""
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.stores.milvus_filter import EVERYTHING
    from imagerag_assets.stores.milvus_schema import output_fields
    from imagerag_assets.stores.shards import list_shards, read_shard

    with Platform(settings) as platform:
        shards = {ref.path: read_shard(platform.store, ref.path) for ref in list_shards(platform.store)}
        vectors = platform.vectors
        rows = {}
        for each in vectors.list_collections():
            fields = [*output_fields(each.kind), "embedding"]
            rows[each.name] = sorted(repr(sorted(row.items())) for row in vectors.query(each.name, EVERYTHING, fields))
        return shards, rows, vectors.aliases()


def _look(path: str) -> int:
    from imagerag_assets.cli import main
    from imagerag_assets.stores.milvus_connection import lite_path
    from imagerag_assets.stores.milvus_lite_share import LiteShare

    settings = load_settings(_env_file=None)
    with closing(LiteShare(lite_path(settings))):  # one server for both
        with open(path, "wb") as file:
            pickle.dump(_stored(settings), file)
        return main(["doctor", "--deep", "--json"]) and 0  # what it finds is in the document


def _count_changes(folder: str, stop_at: int, among: str) -> list[int]:
    """Count changes from now on, and stop this process at one of them. Returns a list of one item, the count."""
    count = [0]

    def changed(what: str = "") -> None:
        if among not in what:
            return
        count[0] += 1
        if count[0] == stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, str | bytes) and os.fsdecode(path).startswith(folder):
                changed(os.fsdecode(path))
        elif event in _CHANGES and str(arguments[0]).startswith(folder):
            changed(str(arguments[0]))

    sys.addaudithook(watch)
    from imagerag_assets.isolation import pool
    from imagerag_assets.stores.milvus_connection import MilvusConnection

    repeated, receive = MilvusConnection.repeated, pool.receive

    def counted(self: MilvusConnection, *arguments: Any) -> Any:
        changed()
        return repeated(self, *arguments)

    def received(*arguments: Any) -> Any:
        changed()
        return receive(*arguments)

    MilvusConnection.repeated = counted  # type: ignore[method-assign]
    pool.receive = received
    return count


def _import(names: Iterable[str]) -> None:
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):  # some exist only within a library
                importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()  # a fork has one thread only


def _file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


@dataclass
class _Child:
    pid: int
    out: IO[str]
    err: IO[str]
    about: IO[str]

    def ended(self, code: int) -> dict[str, Any]:
        texts = []
        for file in (self.out, self.err, self.about):
            file.seek(0)
            texts.append(file.read())
            file.close()
        changes, modules = json.loads(texts[2] or "[0, []]")
        _import(modules)
        return asdict(Ended(code, texts[0], texts[1], changes, self.pid))


def _in_child(child: _Child, environment: dict[str, str], command: list[str], kill: dict[str, Any] | None) -> NoReturn:
    """Run a command in this process, which was forked for it, and exit."""
    os.setsid()
    signal.alarm(_TOO_LONG_S)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(child.out.fileno(), 1)
    os.dup2(child.err.fileno(), 2)
    count = _count_changes(environment["IMAGERAG_HOME"], *(kill["at"], kill["among"]) if kill else (0, ""))
    if command[0] == _LOOK:
        code = _look(command[1])
    else:
        from imagerag_assets.cli import main

        code = main(command)
    child.about.write(json.dumps([count[0], list(sys.modules)]))
    child.about.flush()
    sys.exit(code)


def _kill(child: int, home: str, *, readers: bool, server: bool) -> None:
    for each in _processes_of(home):
        with suppress(psutil.Error):
            serves = any(part.endswith("milvus_lite_server.py") for part in each.cmdline())
            if server if serves else readers:
                each.kill()
    os.kill(child, signal.SIGKILL)


def main() -> None:
    """Run what is asked for, one request a line."""
    _import(["imagerag_assets._torchvision_ops", "imagerag_assets.cli.app", "imagerag_assets.orchestration.build"])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        kill = request["kill"]
        children = []
        for command in request["commands"]:
            child = _Child(0, _file(), _file(), _file())
            child.pid = os.fork()
            if not child.pid:
                _in_child(child, request["environment"], command, kill)
            children.append(child)
        ended = []
        for child in children:
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                home = request["environment"]["IMAGERAG_HOME"]
                _kill(child.pid, home, readers=kill["readers"], server=kill["server"])
                _, status = os.waitpid(child.pid, 0)
            ended.append(child.ended(os.waitstatus_to_exitcode(status)))
        answers.write(json.dumps(ended) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
