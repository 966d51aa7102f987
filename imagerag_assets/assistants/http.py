"""Serve clients over streamable HTTP, behind the guard of the HTTP API and with its limits.

Requests stand alone, without sessions: there is nothing to keep for clients that have gone.
See https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.server import make_server
from imagerag_assets.errors import SettingsError
from imagerag_assets.serve.guard import ApiGuard, access_from, refusal
from imagerag_assets.web_connections import ConnectionLimits, bounded

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

PATH = "/mcp"
_END_SECONDS = 30


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve_http`."""

    def capture_signals(self) -> Any:
        return nullcontext()


def serve_http(settings: Settings, *, host: str, port: int, allow_ingest: bool = False) -> None:
    """Serve until a signal.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: 0 takes a free one.
        allow_ingest: Whether to offer tools that ingest and backfill.

    Raises:
        SettingsError: Other machines can connect and there is no token, or the port is taken.
    """
    access_from(settings, host)  # before anything is opened
    listener = _listening(host, port)
    installation = Installation(settings)
    try:
        server = http_server(installation, host, allow_ingest=allow_ingest)
        where = listener.getsockname()
        shown = f"[{where[0]}]" if ":" in where[0] else where[0]
        print(f"imagerag: http://{shown}:{where[1]}{PATH} (Ctrl-C stops it)", file=sys.stderr, flush=True)
        asyncio.run(_serve(server, listener))
    finally:
        listener.close()
        installation.close()


def http_server(installation: Installation, host: str, *, allow_ingest: bool = False) -> uvicorn.Server:
    """Return the web server of an installation, which listens on nothing yet.

    Raises:
        SettingsError: Other machines can connect, and there is no token.
    """
    settings = installation.settings
    app = make_server(installation, allow_ingest=allow_ingest).streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=settings.limit_request_bytes,
        # The guard in front knows the host names and origins of the settings, and is stricter.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    limits = ConnectionLimits(settings.limit_connections, settings.limit_request_s, refusal)
    return _Server(
        uvicorn.Config(
            ApiGuard(app, access_from(settings, host)), http=bounded(limits), lifespan="on", log_level="error",
            access_log=False, server_header=False, date_header=False, timeout_graceful_shutdown=_END_SECONDS,
            proxy_headers=False, ws="none",
        )
    )  # fmt: skip


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
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
    return listener
