"""Processes for calls, started when needed, used again, and ended when a call crashes, hangs or is interrupted.

One call runs in each at a time, so that what goes wrong with it concerns no other.
"""

from __future__ import annotations

import atexit
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from imagerag_assets.isolation import worker
from imagerag_assets.isolation.messages import receive, send

T = TypeVar("T")
_START_S = 120.0
_IDLE_S, _LOOK_EVERY_S = 120.0, 30.0
_MAIN = "import sys; sys.path[:] = {path!r}; from imagerag_assets.isolation.worker import main; main({at}, 0)"


class IsolationError(Exception):
    """A call in a process of its own gave no result."""


class CrashError(IsolationError):
    """The process ended during the call; the text says how."""


class TimeIsUpError(IsolationError):
    """The call took longer than it may, and its process was ended."""


class MemoryIsUpError(IsolationError):
    """The call would have taken more memory than it may."""


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    requests: socket.socket
    known: set[Hashable] = field(default_factory=set)
    """What it was called about, and may keep open."""
    imported: set[str] = field(default_factory=set)
    environment: dict[str, str] | None = None
    """The one that it was told last."""
    since: float = 0.0
    """When it was last used."""
    afterwards: list[partial[object]] = field(default_factory=list)
    """Calls to make as soon as the present one is done."""

    def prepare(self, modules: Iterable[str]) -> None:
        """Import modules that were not imported yet."""
        for name in modules:
            if name not in self.imported:
                self.call(_import, (name,), _START_S, None)
                self.imported.add(name)

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float, memory: int | None) -> Any:
        environment = dict(os.environ)
        changed = environment if environment != self.environment else None
        try:
            self.requests.settimeout(_START_S)
            send(self.requests, (changed, memory, function, arguments))
        except OSError:
            raise CrashError(self.end()) from None
        self.environment = environment
        return self.result(seconds)

    def result(self, seconds: float) -> Any:
        """Wait for the result of the call under way.

        Raises:
            IsolationError: there is none.
            Exception: as the function.
        """
        try:
            self.requests.settimeout(seconds)  # a reply comes in one piece, or not at all
            kind, value = receive(self.requests)
        except TimeoutError:
            self.end()
            raise TimeIsUpError from None
        except (EOFError, OSError):
            raise CrashError(self.end()) from None
        except BaseException:  # the caller was interrupted, and a late reply would be taken for another call's
            self.end()
            raise
        if kind == worker.NO_MEMORY:
            raise MemoryIsUpError
        if kind == worker.RAISED:
            raise value
        return value

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> str:
        """End the process, and return how it had ended if it had by itself."""
        self.requests.close()
        try:
            code = self.process.wait(0.5)  # one that crashed is about to be gone
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return _how_ended(code)


def _import(name: str) -> None:
    importlib.import_module(name)


def _how_ended(code: int | None) -> str:
    if code is None:
        return "was ended"
    if code >= 0:
        return f"ended with {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class Pool:
    """Some processes, as many as there are calls at a time."""

    def __init__(self) -> None:
        self._forget()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Have no processes: after a fork, they are those of another process."""
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: list[_Process] = []
        self._keeper: threading.Thread | None = None

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        seconds: float,
        memory: int | None = None,
        about: Hashable = None,
        modules: Iterable[str] = (),
    ) -> T:
        """Return what a function returns in another process.

        Args:
            function: A function of a module, or a `functools.partial` of one.
            arguments: Its arguments, which are pickled, as its result is.
            seconds: How long it may take.
            memory: Bytes that it may take besides what the process has by itself; None: any number.
            about: What it is about: a process that was called about the same before is preferred.
            modules: What to import before time and memory count.

        Raises:
            IsolationError: the process crashed, or the call took too long or too much memory.
            Exception: as the function.
        """
        process = self._take(about)
        try:
            process.prepare(modules)
            return process.call(function, arguments, seconds, memory)
        finally:
            self._give_back(process)

    def tell(self, about: Hashable, function: Callable[..., object], *arguments: Any) -> None:
        """Call a quick function in each process that was called about something, now or after its present call."""
        with self._lock:
            for each in self._busy:
                if about in each.known:
                    each.afterwards.append(partial(function, *arguments))
            told = [each for each in self._idle if about in each.known]
            self._idle = [each for each in self._idle if about not in each.known]
            self._busy += told
        for each in told:
            each.afterwards.append(partial(function, *arguments))
            self._give_back(each)

    def close(self) -> None:
        """End the processes that are not used."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.requests.close()
        for each in idle:
            each.end()

    def _take(self, about: Hashable) -> _Process:
        with self._lock:
            found = next((each for each in reversed(self._idle) if about in each.known), None)
            if found is None and self._idle:
                found = self._idle[-1]
            if found is not None:
                self._idle.remove(found)
                self._busy.append(found)
        if found is not None and not found.is_alive:  # ended by somebody while nobody used it
            found.end()
            with self._lock:
                self._busy.remove(found)
            return self._take(about)
        if found is None:
            found = _started()
            with self._lock:
                self._busy.append(found)
        found.known.add(about)
        return found

    def _give_back(self, process: _Process) -> None:
        while process.is_alive and process.requests.fileno() >= 0:
            with self._lock:
                if not process.afterwards:
                    self._busy.remove(process)
                    process.since = time.monotonic()
                    self._idle.append(process)
                    self._keep()
                    return
                after = process.afterwards.pop(0)
            try:
                process.call(after, (), _START_S, None)
            except Exception:
                process.end()
        with self._lock:
            if process in self._busy:
                self._busy.remove(process)
        if process.requests.fileno() >= 0:
            process.end()

    def _keep(self) -> None:
        """Start the thread that ends what was not used for a while."""
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._end_idle, name="imagerag-isolation", daemon=True)
            self._keeper.start()

    def _end_idle(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            with self._lock:
                old = [each for each in self._idle if each.since < time.monotonic() - _IDLE_S]
                self._idle = [each for each in self._idle if each not in old]
                if not self._idle and not self._busy:
                    self._keeper = None
            for each in old:
                each.end()
            if self._keeper is not threading.current_thread():
                return


def _started() -> _Process:
    here, there = socket.socketpair()
    with there:
        path = [os.path.abspath(each) for each in sys.path]
        code = _MAIN.format(path=path, at=there.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,  # ends when we do
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # what is typed at a terminal is for us
        )
    started = _Process(process, here)
    started.result(_START_S)
    return started
