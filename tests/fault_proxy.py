"""A real HTTP proxy for tests, before a real server: it answers 503, resets, hangs, cuts answers short or drips.

Faults are of the answers to the n-th matching requests; everything else passes through unchanged.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["status", "reset", "hang", "cut", "short", "drip", "stall", "swap"]
"""``cut``: fewer bytes come than were announced; ``short``: fewer are announced than were asked for; ``stall``: half of
the bytes come, and then nothing more; ``swap``: another file takes the place of the one that is asked for."""
_EVER = threading.Event()
_DRIP_BYTES, _DRIP_SECONDS = 4096, 0.002


@dataclass
class Fault:
    """What happens to some requests."""

    kind: Kind
    path: str = ".*"
    """Pattern of the whole path, with the query."""
    after: int = 0
    """Matching requests that pass first."""
    times: int | None = 1
    """How often it happens; None: from then on always."""
    then_all: bool = False
    """From the first matching request on, requests for any part match."""
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    part: str = ".*"
    """Pattern of the whole ``Range``, which is empty where all of a file is asked for."""
    swapped: tuple[str, str] = ("", "")
    """Path of the file that takes the other's place, and of the other."""
    seen: int = 0
    """Matching requests so far."""

    def strikes(self, path: str, wanted: str | None) -> bool:
        """Count a request, and return whether the fault is of it."""
        if not re.fullmatch(self.path, path) or not (
            re.fullmatch(self.part, wanted or "") or (self.then_all and self.seen)
        ):
            return False
        number, self.seen = self.seen, self.seen + 1
        return self.after <= number and (self.times is None or number < self.after + self.times)


@dataclass
class _State:
    target: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, method: str, path: str, wanted: str | None) -> Fault | None:
        """Note a request and return the fault that it meets."""
        with self.lock:
            self.asked.append((method, path, wanted))
            met = [fault for fault in self.faults if fault.strikes(path, wanted)]
            if met:
                self.struck.append(met[0].kind)
            return met[0] if met else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: _State

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client went
            super().handle()

    def do_HEAD(self) -> None:
        self._pass_on()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD  # noqa: N815 - names of http.server

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.strike(self.command, self.path, self.headers.get("Range"))
        if fault is not None and fault.kind == "reset":
            # Without waiting for what is unsent: the other side sees a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if fault is not None and fault.kind == "hang":
            _EVER.wait()
            self.close_connection = True
            return
        if fault is not None and fault.kind == "status":
            self._answer(fault.status, {"Content-Length": "5", **fault.headers}, b"busy\n")
            return
        if fault is not None and fault.kind == "swap":
            os.replace(fault.swapped[0], fault.swapped[1])
        server = http.client.HTTPConnection(urlsplit(self.proxy.target).netloc, timeout=30)
        try:
            # With the client's own Host, which a signature covers.
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    server.putheader(name, value)
            server.endheaders(body or None)
            found = server.getresponse()
            data = found.read()
        finally:
            server.close()
        unsaid = {"connection", "transfer-encoding", "keep-alive"}
        headers = {name: value for name, value in found.getheaders() if name.lower() not in unsaid}
        if "Content-Length" not in headers:
            headers["Content-Length"] = str(len(data))
        self._answer(found.status, headers, data, fault)

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes, fault: Fault | None = None) -> None:
        kind = "" if fault is None or self.command == "HEAD" else fault.kind
        if kind == "short":
            data = data[: len(data) // 2]
            headers = {**headers, "Content-Length": str(len(data))}
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind in ("cut", "stall"):
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            if kind == "stall":
                _EVER.wait()
            self.close_connection = True
        elif kind == "drip":
            for start in range(0, len(data), _DRIP_BYTES):
                self.wfile.write(data[start : start + _DRIP_BYTES])
                _EVER.wait(_DRIP_SECONDS)
        else:
            self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went."""


class FaultProxy:
    """A proxy in a process of its own; see :func:`fault_proxy`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url: str = self._said()["url"]
        """The address of the proxy."""

    def meet(self, *faults: Fault) -> None:
        """Forget what was asked and which faults there were; have `faults` from now on."""
        self._ask({"faults": [asdict(fault) for fault in faults]})

    @property
    def asked(self) -> list[tuple[str, str, str | None]]:
        """Method, path and range of each request, in order."""
        return [(method, path, wanted) for method, path, wanted in self._ask({})["asked"]]

    @property
    def struck(self) -> list[str]:
        """Kinds of the faults that happened."""
        return [str(kind) for kind in self._ask({})["struck"]]

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._said()

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Pass requests on to the server at `target`, ``http://HOST:PORT``, until the context ends.

    It is another process: GDAL may keep Python from running while it waits for an answer.
    """
    command = [sys.executable, __file__, target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield FaultProxy(process)
        finally:
            process.kill()


def _serve(target: str) -> None:
    state = _State(target)
    handler = type("_OfProxy", (_Handler,), {"proxy": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            with state.lock:
                if "faults" in command:
                    state.faults = [Fault(**each) for each in command["faults"]]
                    state.asked.clear()
                    state.struck.clear()
                print(json.dumps({"asked": state.asked, "struck": state.struck}), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
