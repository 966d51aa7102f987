"""What a process does at the moment, in a few words, for whoever waits for it.

A stage is named where it begins, and heard by whoever listens in the same context; nobody may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def begin_stage(what: str) -> None:
    """Say what begins now, e.g. ``loading the encoder``."""
    listener = _listener.get()
    if listener is not None:
        listener(what)


def is_heard() -> bool:
    """Return whether anybody listens."""
    return _listener.get() is not None


@contextmanager
def listening(listener: Callable[[str], None] | None) -> Iterator[None]:
    """Call `listener` with each stage that begins meanwhile; None: nobody listens."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
