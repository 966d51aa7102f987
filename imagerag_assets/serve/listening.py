"""What our web servers have in common: a port of their own, limits on connections, and an end when they are told to.

See https://www.uvicorn.org/settings
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import uvicorn

from imagerag_assets.errors import SettingsError
from imagerag_assets.serve.guard import refusal
from imagerag_assets.web_connections import ConnectionLimits, bounded

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from imagerag_assets.settings import Settings

STOP_SECONDS = 30
"""Longest time for requests to end once a server was told to stop."""


class WebServer(uvicorn.Server):
    """A server that leaves signals to :func:`on_signals`."""

    def capture_signals(self) -> Any:
        """Capture none."""
        return nullcontext()


def web_server(app: ASGIApp, settings: Settings, *, lifespan: Literal["on", "off"]) -> WebServer:
    """Return a server of an application, which listens on nothing yet.

    Args:
        app: The application, behind its guard.
        settings: The limits on connections.
        lifespan: Whether the application is told of start and end.
    """
    limits = ConnectionLimits(settings.limit_connections, settings.limit_request_s, refusal)
    return WebServer(
        uvicorn.Config(
            app, http=bounded(limits), lifespan=lifespan, log_level="error", access_log=False, server_header=False,
            date_header=False, timeout_graceful_shutdown=STOP_SECONDS, proxy_headers=False, ws="none",
        )
    )  # fmt: skip


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Hold a socket that is bound to an address.

    Args:
        host: Name or number.
        port: 0 takes a free one.

    Raises:
        SettingsError: the port is taken, or the address is not of this machine.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{host}:{port} cannot be listened on: {error.strerror}", fix="Give another --port, or 0 for a free one"
        ) from None
    try:
        yield listener
    finally:
        listener.close()


def say_where(listener: socket.socket, path: str = "") -> None:
    """Print the address that a server listens on."""
    where = listener.getsockname()
    shown = f"[{where[0]}]" if ":" in where[0] else where[0]
    print(f"imagerag: http://{shown}:{where[1]}{path} (Ctrl-C stops it)", file=sys.stderr, flush=True)


def on_signals(stop: Callable[[], None]) -> None:
    """Have the running loop call `stop` at Ctrl-C and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
