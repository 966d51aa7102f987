"""Ctrl-C ends a command in every stage, with one line and exit code 130.

An interrupt that Python turns into an exception can be lost: libraries catch it, Dagster keeps it back while it writes
events, and what is raised in a callback, a destructor or while Python ends is dropped.  So the signal is also read from
where CPython writes it, whichever handler is set.  The command then has a moment to close what it has open, and the
process ends.
What it had in hand is as after a kill, which every part of an installation withstands.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from imagerag_assets.cli._logs import line_of, say

INTERRUPTED = 130
GRACE_S = 2.0
"""Longest time from an interrupt to the end of the process, in seconds; a second interrupt ends it at once."""
_SERVING = frozenset({"dev", "mcp", "serve"})
"""Commands that work until they are interrupted, and have an end of their own."""
_DOCUMENT = {"error": {"type": "KeyboardInterrupt", "message": "interrupted", "fix": ""}}
_watched: Interrupts | None = None


class Interrupts:
    """Notices interrupts of this process, reports the first one, and ends the process."""

    def __init__(self, *, as_json: bool, debug: bool) -> None:
        """Keep the arguments; with `debug`, what libraries print after an interrupt is shown."""
        self._as_json, self._debug = as_json, debug
        self._lock = threading.RLock()  # a handler runs between any two steps of the main thread
        self._printing = self.seen = False

    def watch(self) -> None:
        """Begin, in the main thread.  It never ends: what Python does at its own end can be interrupted as well."""
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
        threading.Thread(target=self._read, args=(reader,), name="interrupts", daemon=True).start()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._raise)
        atexit.register(self._end)

    def report(self) -> None:
        """Report the interrupt, once, and drop what libraries print to standard error from then on."""
        with self._lock:
            if self.seen:
                return
            self.seen = True
            with suppress(OSError):
                begin = "\r\x1b[2K\x1b[?25h" if os.isatty(2) and not self._debug else ""  # over ^C and the progress bar
                os.write(2, f"{begin}{line_of('error', 'interrupted')}\n".encode())
                if not self._debug:
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, 2)
                    os.close(nowhere)
            if self._as_json and not self._printing:
                with suppress(OSError):
                    os.write(1, f"{json.dumps(_DOCUMENT, indent=2)}\n".encode())

    def print_result(self) -> None:
        """Note that the result is printed now.

        Raises:
            KeyboardInterrupt: There was an interrupt, which is the result.
        """
        with self._lock:
            if self.seen:
                raise KeyboardInterrupt
            self._printing = True

    def _raise(self, *_: object) -> None:
        """Report the interrupt before anybody prints what it does to them."""
        self.report()
        raise KeyboardInterrupt

    def _end(self) -> None:
        """End as an interrupted process where Python ends by itself: it lost the exception."""
        if self.seen:
            end_process()

    def _read(self, reader: socket.socket) -> None:
        while signal.SIGINT not in (signals := reader.recv(64)):
            pass
        self.report()
        if signals.count(signal.SIGINT) == 1:
            reader.settimeout(GRACE_S)
            with suppress(TimeoutError):
                while signal.SIGINT not in reader.recv(64):
                    pass
        os._exit(INTERRUPTED)


def report_interrupt(*, as_json: bool) -> int:
    """Report that the user interrupted the command; return the exit code."""
    if _watched is not None:
        _watched.report()
        return INTERRUPTED
    say("error", "interrupted")
    if as_json:
        print(json.dumps(_DOCUMENT, indent=2))
    return INTERRUPTED


def print_result() -> None:
    """Note that the result is printed now, so that an interrupt prints no second document.

    Raises:
        KeyboardInterrupt: The command was interrupted, and the exception was lost.
    """
    if _watched is not None:
        _watched.print_result()


def is_interrupt(error: BaseException) -> bool:
    """Return whether an exception is an interrupt, stands for one in a library, or is what a library made of one."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        own = not isinstance(each, Exception) and type(each).__name__.endswith("InterruptedError")  # Dagster's
        if isinstance(each, KeyboardInterrupt) or own:
            return True
        seen.add(id(each))
        each = each.__cause__ or each.__context__
    return was_interrupted()


def watch(typed: Sequence[str], *, as_json: bool, debug: bool) -> None:
    """Watch for interrupts from now on, unless the command serves until there is one and has an end of its own."""
    global _watched
    command = next((word for word in typed if not word.startswith("-")), "")
    if command not in _SERVING and threading.current_thread() is threading.main_thread():
        _watched = Interrupts(as_json=as_json, debug=debug)
        _watched.watch()


def was_interrupted() -> bool:
    """Return whether the process was interrupted since it is watched."""
    return _watched is not None and _watched.seen


def end_process() -> None:
    """End this process now, as an interrupted one: threads that are still at work are not waited for."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(INTERRUPTED)
