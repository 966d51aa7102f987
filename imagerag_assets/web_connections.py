"""How many connections a web server of ours has open, and how long one may take to send a request or take an answer.

uvicorn alone lets any number stay open that send nothing, half a request, or do not read, and one of its two parsers
keeps a head of any size.
See https://www.uvicorn.org/settings/#implementation
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections to a web server are held to."""

    most: int
    """Connections that are open at the same time, WebSockets among them; further ones are closed with 503."""
    seconds: float
    """Longest time for a request to come as a whole, to wait for the next one, and without reading of an answer."""
    refusal: Callable[[int, str, str], Response]
    """Makes an answer of a status, what is wrong, and what to do about it."""


def bounded(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Return the ``http`` of uvicorn's configuration that holds connections to limits."""

    class Bounded(_BoundedProtocol):
        connection_limits = limits

    return Bounded


class _BoundedProtocol(H11Protocol):
    connection_limits: ConnectionLimits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits_for: object = self._waiting()
        self._since = self.loop.time()
        self._look: asyncio.TimerHandle | None = None
        self._look_again()
        most = self.connection_limits.most
        if len(self.connections) > most:
            what = f"{most} connections are open already, as many as the server has at the same time"
            self._refuse(503, what, "Try again later, close others, or raise IMAGERAG_LIMIT_CONNECTIONS")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has too large a head."""
        self._refuse(400, msg, "Send HTTP/1.1, with a head of at most 64 KiB")

    def _look_again(self) -> None:
        self._look = self.loop.call_later(min(_LOOK_SECONDS, self.connection_limits.seconds / 4), self._check)

    def _check(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # it is a WebSocket now
        now, waits_for = self.loop.time(), self._waiting()
        if waits_for is None or waits_for != self._waits_for:
            self._waits_for, self._since = waits_for, now
        elif now - self._since >= self.connection_limits.seconds:
            self._end()
        self._look_again()

    def _waiting(self) -> tuple[Any, ...] | None:
        """Return what the client has to do next, which stays equal while it does not; None: the application works."""
        cycle, left = self.cycle, self.transport.get_write_buffer_size()
        if cycle is None:
            return None, left
        if not cycle.response_complete and not left and (cycle.response_started or not cycle.more_body):
            return None
        return cycle, cycle.response_started, cycle.response_complete, left

    def _end(self) -> None:
        cycle = self.cycle
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()  # else it would wait until all is read
        elif cycle is None or not cycle.response_started or self.conn.trailing_data[0]:
            what = f"The request did not come within {self.connection_limits.seconds:g} s"
            self._refuse(408, what, "Send it again, or raise IMAGERAG_LIMIT_REQUEST_S")
        else:
            self.transport.close()

    def _refuse(self, status: int, why: str, fix: str) -> None:
        """Answer and close a connection, on which nothing else is answered."""
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            response = self.connection_limits.refusal(status, why, fix)
            head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), b"connection: close"]
            head += [b": ".join(each) for each in response.raw_headers]
            self.transport.write(b"\r\n".join([*head, b"", bytes(response.body)]))
        self.transport.close()
