"""Serve clients over streamable HTTP, behind the guard of the HTTP API and with its limits.

Requests stand alone, without sessions: there is nothing to keep for clients that have gone.
See https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings

from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.server import make_server
from imagerag_assets.serve.guard import ApiGuard, access_from
from imagerag_assets.serve.listening import WebServer, bound, on_signals, say_where, web_server

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

PATH = "/mcp"


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
    with bound(host, port) as listener, closing(Installation(settings)) as installation:
        server = http_server(installation, host, allow_ingest=allow_ingest)
        say_where(listener, PATH)
        asyncio.run(_serve(server, listener))


def http_server(installation: Installation, host: str, *, allow_ingest: bool = False) -> WebServer:
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
    return web_server(ApiGuard(app, access_from(settings, host)), settings, lifespan="on")


async def _serve(server: WebServer, listener: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    on_signals(stop)
    await server.serve(sockets=[listener])
