"""What a process of the pool runs: one call after the other, until the process that started it is gone."""

from __future__ import annotations

import fcntl
import logging
import os
import pickle  # nosec B403 # see below
import resource
import signal
import socket
import traceback
from typing import Any

from imagerag_assets.isolation.messages import receive, send
from imagerag_assets.signatures import without_signatures

DONE, RAISED, NO_MEMORY = "done", "raised", "no memory"
_own: int | None = None
"""Bytes that this process has by itself."""
_is_worker = False


def is_worker() -> bool:
    """Return whether this process is one of a pool."""
    return _is_worker


def main(requests: int, alive: int) -> None:
    """Answer calls.

    Args:
        requests: Descriptor of the socket over which they come.
        alive: Descriptor of a pipe that ends with the process that started this one.
    """
    global _is_worker
    _is_worker = True
    _end_with(alive)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who called decides
    logging.getLogger().addHandler(logging.NullHandler())
    with socket.socket(fileno=requests) as there:
        send(there, (DONE, None))
        while True:
            try:
                environment, memory, function, arguments = receive(there)
            except (EOFError, OSError):
                os._exit(0)  # at once: there is nothing to tidy up
            if environment is not None:
                os.environ.clear()
                os.environ.update(environment)
            result = _result(function, arguments, memory)
            try:
                send(there, result, shared=True)
            except MemoryError:
                send(there, (NO_MEMORY, None))
            del result, arguments


def _result(function: Any, arguments: tuple[Any, ...], memory: int | None) -> tuple[str, Any]:
    try:
        _allow(memory)
        return DONE, function(*arguments)
    except MemoryError:
        return NO_MEMORY, None
    except Exception as error:
        return RAISED, _sendable(error)
    finally:
        _allow(None)


def _sendable(error: Exception) -> Exception:
    """Return an error as it is, if it can be sent, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # nosec B301 # of here
    except Exception:
        return RuntimeError(without_signatures("".join(traceback.format_exception(error))))
    return error


def _end_with(alive: int) -> None:
    """Let the kernel end this process when the other end of a pipe closes, whatever the process is doing then."""
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_blocking(alive, False)
    try:
        gone = os.read(alive, 1) == b""  # it was, before we asked to be told
    except BlockingIOError:
        gone = False
    if gone:
        os._exit(0)


def _allow(memory: int | None) -> None:
    """Let this process take `memory` bytes more than it has by itself; None: any number.  Linux counts them so."""
    global _own
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if memory is None:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        return
    if _own is None:
        _own = _taken()
    most = _own + memory
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _taken() -> int:
    """Return the bytes of this process's data; 0 where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    except (OSError, StopIteration):
        return 0
