"""A time by which requests of a thread must be done, however slowly a server answers.

Timeouts of sockets hold for each piece: a server that sends a byte a minute never meets one.  Here, connections are
shut down when the time is up, whatever they wait for.  What has no connection, such as a look at a disk, waits in a
thread of its own.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar


class TooSlowError(TimeoutError):
    """Something did not come in the time that it may take.

    Args:
        seconds: That time.
        limit: The setting that says so, without ``IMAGERAG_LIMIT_`` and ``_S``.
        what: What did not come.
    """

    def __init__(self, seconds: float, limit: str = "DOCUMENT", what: str = "No whole answer") -> None:
        self.seconds, self.limit, self.what = seconds, limit, what
        super().__init__(f"{what} in {seconds:g} s")


class TooLargeError(ValueError):
    """Something has more bytes than it may have."""

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        super().__init__(f"more than {at_most:,} bytes")


class TooManyError(ValueError):
    """A listing has more entries than it may have."""

    def __init__(self, at_most: int) -> None:
        super().__init__(f"more than {at_most:,} entries")


_of_thread = threading.local()
_MOST_LEFT = 256
_left = threading.BoundedSemaphore(_MOST_LEFT)
T = TypeVar("T")


def in_time(error: TooSlowError, act: Callable[..., T], *arguments: Any) -> T:
    """Return what a call returns that the system may never end, such as looking up a name, or a look at a disk.

    Its thread is left behind where it hangs, as nothing ends it.  While very many hang, further calls fail as well.

    Args:
        error: What is raised when the time is up.
        act: What to call.
        arguments: Its arguments.

    Raises:
        TooSlowError: `error`, after its time.
        Exception: as the call.
    """
    found: list[T] = []
    raised: list[BaseException] = []
    done = threading.Event()

    def call() -> None:
        try:
            found.append(act(*arguments))
        except BaseException as other:  # raised below
            raised.append(other)
        finally:
            done.set()
            _left.release()

    if not _left.acquire(timeout=error.seconds):
        raise error
    threading.Thread(target=call, daemon=True, name="in_time").start()
    if not done.wait(error.seconds):
        raise error
    if raised:
        raise raised[0]
    return found[0]


class Deadline:
    """Ends what the thread waits for inside the context; within another one, that one holds.

    Args:
        seconds: From when the context is entered.

    Raises:
        TooSlowError: at its end, if the time was up before; whatever else was raised follows from that.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._up = threading.Event()
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._is_inner = False

    def __enter__(self) -> Deadline:
        self._is_inner = current() is not None
        if not self._is_inner:
            _of_thread.deadline = self
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_inner:
            return
        _of_thread.deadline = None
        self._timer.cancel()
        with self._lock:
            watched, self._watched = self._watched, []
        for each in watched:
            each.close()
        if self._up.is_set() and (error is None or isinstance(error, Exception)):
            raise TooSlowError(self._seconds) from None

    @property
    def is_up(self) -> bool:
        """Return whether the time is up."""
        return self._up.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        self._up.wait(seconds)

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection down when the time is up."""
        with self._lock:
            if not self._up.is_set():
                # A descriptor of our own: the other may be closed, or wrapped for TLS, in the meantime.
                self._watched.append(socket.fromfd(connection.fileno(), connection.family, connection.type))
                return
        raise TooSlowError(self._seconds)

    def _end(self) -> None:
        with self._lock:
            self._up.set()
            for each in self._watched:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def current() -> Deadline | None:
    """Return the deadline that holds for this thread."""
    found: Deadline | None = getattr(_of_thread, "deadline", None)
    return found


def pause(seconds: float) -> None:
    """Wait, but not beyond the deadline of this thread."""
    deadline = current()
    if deadline is None:
        time.sleep(seconds)
    else:
        deadline.wait(seconds)
