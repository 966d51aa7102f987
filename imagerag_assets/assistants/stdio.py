"""Serve the one client that started this process, over standard input and output.

The SDK reads standard input in a thread that nothing can interrupt, so that Ctrl-C on a terminal would wait for a line.
Here a thread that ends with the process reads it.
See https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from anyio import from_thread, lowlevel, to_thread

from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.server import make_server

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

_PART = 2**16


def serve_stdio(settings: Settings, *, allow_ingest: bool = False) -> None:
    """Serve until the client closes standard input or ends, or a signal."""
    try:
        anyio.run(_serve, settings, allow_ingest)
    except* BrokenPipeError:  # the client ended without reading what it asked for
        pass


async def _serve(settings: Settings, allow_ingest: bool) -> None:
    installation = Installation(settings)
    try:
        server = make_server(installation, allow_ingest=allow_ingest)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_signal, tasks.cancel_scope)
            await server.run_over(_Lines(_own_stdin()))
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(installation.close)


async def _until_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


class _Lines:
    """The lines of a file, read in a thread that does not keep the process alive."""

    def __init__(self, file: int) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[str](math.inf)
        token = lowlevel.current_token()
        threading.Thread(target=self._read, args=(file, token), name="stdin", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        async with self._receive:
            async for line in self._receive:
                yield line

    def _read(self, file: int, token: lowlevel.EventLoopToken) -> None:
        left = b""
        with suppress(OSError, RuntimeError):  # the server has ended
            while part := os.read(file, _PART):
                *lines, left = (left + part).split(b"\n")
                for line in lines:
                    from_thread.run_sync(self._send.send_nowait, line.decode("utf-8", "replace"), token=token)
            from_thread.run_sync(self._send.close, token=token)


def _own_stdin() -> int:
    """Return standard input under a number of its own; what else reads from it finds its end."""
    own = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return own
