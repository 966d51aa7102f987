"""A server that never comes to an end, in several ways; it also plays an S3 server, since it looks at no request."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PAGE = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true'
    b"</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>items/%d.json</Key>"
    b"<LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>e</ETag><Size>5</Size></Contents></ListBucketResult>"
)
_DRIP_S = 0.02


class EndlessServer:
    """A running server; the last name of a path says in which way it never ends."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.stopped = threading.Event()
        self.asked = threading.Semaphore(0)
        """Released by each request."""
        self.sent = 0
        """Bytes of bodies."""
        self._pages = 0

    def serve(self, connection: socket.socket) -> None:
        """Answer what comes over one connection."""
        with connection, suppress(OSError):
            while not self.stopped.is_set():
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    request += piece
                self.asked.release()
                target = request.split(b" ")[1].decode()
                if "list-type=2" in target:
                    self._pages += 1
                    page = PAGE % self._pages
                    connection.sendall(OK + b"Content-Length: %d\r\n\r\n%s" % (len(page), page))
                    continue
                if target.endswith("/good.json"):
                    connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")
                    continue
                self._never_end(connection, target.partition("?")[0].rsplit("/", 1)[-1].partition(".")[0])
                return

    def _never_end(self, connection: socket.socket, way: str) -> None:
        if way == "silent":
            self.stopped.wait()
        elif way == "drip-head":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            self._repeat(connection, b"X-More: 1\r\n", _DRIP_S)
        elif way == "drip":
            connection.sendall(OK + b"Content-Length: 100000000\r\n\r\n{")
            self._repeat(connection, b" ", _DRIP_S)
        elif way == "drip-to-the-end":
            connection.sendall(OK + b"\r\n{")
            self._repeat(connection, b" ", _DRIP_S)
        elif way == "large":
            connection.sendall(OK + b"Content-Length: 100000000000\r\n\r\n{")
            self._repeat(connection, b" " * 2**16)
        elif way == "large-chunked":
            connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
            self._repeat(connection, b"10000\r\n" + b" " * 2**16 + b"\r\n")
        elif way == "large-redirect":
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /silent\r\nContent-Length: 100000000000\r\n\r\n")
            self._repeat(connection, b" " * 2**16)
        elif way == "large-busy":
            connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 100000000000\r\n\r\n")
            self._repeat(connection, b" " * 2**16)
        elif way == "bomb":
            body = gzip.compress(b"{" + b" " * 50_000_000 + b"}", mtime=0)
            connection.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _repeat(self, connection: socket.socket, piece: bytes, every: float = 0.0) -> None:
        while not self.stopped.wait(every) if every else not self.stopped.is_set():
            connection.sendall(piece)
            self.sent += len(piece)


@contextmanager
def endless_server() -> Iterator[EndlessServer]:
    """Run the server until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = EndlessServer(listener)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=server.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            server.stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
