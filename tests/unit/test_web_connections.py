"""Connections to a web server are bounded in number and time, whatever a client sends, leaves out or does not read."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from imagerag_assets.web_connections import ConnectionLimits, bounded

MOST = 8
_LARGE = 8 * 2**20  # more than the system keeps for a client that does not read
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


class Served:
    """A server on a socket, which says how long a request's body was; `/large` gives a large answer."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.gone = path, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        limits = ConnectionLimits(MOST, seconds, lambda status, why, fix: PlainTextResponse(f"{why}. {fix}", status))
        config = uvicorn.Config(
            self.answer, http=bounded(limits), interface="asgi3", lifespan="off", log_level="critical", ws="none"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.listener])), daemon=True)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            self.gone += 1
            return
        large = request.url.path == "/large"
        await (Response(bytes(_LARGE)) if large else PlainTextResponse(f"{len(body)}"))(scope, receive, send)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.path))
        return connection

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for a state that the server brings about."""
        while not reached():
            self.thread.join(0.01)
            assert self.thread.is_alive()

    @property
    def open(self) -> int:
        return len(self.server.server_state.connections)


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A server with the limit of time that the test gives."""
    found = Served(tmp_path / "socket", request.param)
    found.thread.start()
    found.until(lambda: found.server.started)
    yield found
    found.server.should_exit = True
    found.thread.join()


def read(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("served", [0.5], indirect=True)
def test_what_does_not_come_in_time_is_closed_with_a_sentence(served: Served) -> None:
    sent = {
        b"": b"408 ",  # nothing
        HEAD: b"408 ",  # half a head
        POST + b"Content-Length: 9\r\n\r\n1234": b"408 ",  # half a body
        HEAD + b"\r\n": b"200 OK",  # one request, and then nothing
        HEAD + b"\r\n" + HEAD: b"200 OK",  # one request and half of another
    }
    connections = {part: served.connect() for part in sent}
    lazy = served.connect()  # does not read
    lazy.sendall(HEAD.replace(b"/", b"/large", 1) + b"\r\n")
    for part, connection in connections.items():
        connection.sendall(part)
    for part, said in sent.items():
        answer = read(connections[part])
        assert answer.startswith(b"HTTP/1.1 " + said), (part, answer)
        too_late = b"0.5 s. Send it again, or raise IMAGERAG_LIMIT_REQUEST_S" in answer
        assert too_late == (part != HEAD + b"\r\n")
    served.until(lambda: served.gone == 1)
    served.until(lambda: served.open == 0)
    lazy.close()


@pytest.mark.parametrize("served", [600.0], indirect=True)
def test_more_than_it_may_have_open_are_refused_and_what_is_no_request_is_too(served: Served) -> None:
    held = [served.connect() for _ in range(MOST)]
    served.until(lambda: served.open == MOST)
    refused = read(served.connect())
    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n")
    assert refused.endswith(b"or raise IMAGERAG_LIMIT_CONNECTIONS")
    held.pop().close()
    served.until(lambda: served.open == MOST - 1)
    for garbage in (
        b"\x16\x03\x01\x02\x00" * 30 + b"\r\n\r\n",  # TLS
        HEAD + b"X: " + b"x" * 65_530,  # a head without an end
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
    ):
        connection = served.connect()
        connection.sendall(garbage)
        answer = read(connection)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request"), answer
        assert b"at most 64 KiB" in answer
    for each in held:
        each.sendall(POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert read(each).endswith(b"3")
