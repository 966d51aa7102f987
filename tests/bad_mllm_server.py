"""A server of OpenAI's chat API that misbehaves as it is told.  Import the fixture :func:`bad_server` to use it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Token = tuple[str, dict[str, float]]
MODEL = "Qwen2.5-VL-bad"


def chat(content: str | None = "A", **extra: Any) -> dict[str, Any]:
    """The body of an ordinary reply; `extra` goes into its message, or into its choice (finish_reason, logprobs)."""
    choice = {name: extra.pop(name) for name in ("finish_reason", "logprobs") if name in extra}
    message = {"role": "assistant", "content": content, **extra}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "system_fingerprint": "bad-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": {"prompt_tokens": 77, "completion_tokens": 1, "total_tokens": 78},
    }


def probabilities(tokens: list[Token]) -> dict[str, Any]:
    """`logprobs` of a reply: each token with its alternatives' log-probabilities, its own among them."""
    return {
        "content": [
            {
                "token": token,
                "logprob": others[token],
                "bytes": None,
                "top_logprobs": [{"token": t, "logprob": p, "bytes": None} for t, p in others.items()],
            }
            for token, others in tokens
        ]
    }


class BadServer:
    """Answers each request for a completion with the next behaviour of the list, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests so far."""
        self.keys: list[str | None] = []
        self.behaviours: list[Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]] = [say(chat())]
        self.models: list[dict[str, Any]] = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "me"}]
        self.released = threading.Event()
        """Set at the end, so that requests that hang end as well."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                send(self, 200, json.dumps({"object": "list", "data": server.models}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(body)
                server.keys.append(self.headers.get("Authorization"))
                behave = server.behaviours.pop(0) if len(server.behaviours) > 1 else server.behaviours[0]
                behave(self, body)

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that left is no news."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hang(self, handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        """Say nothing until the test is over."""
        self.released.wait(60)

    def trickle(self, handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        """Send a byte now and then, and never an end."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        while not self.released.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    def close(self) -> None:
        """Stop, and let go of what hangs."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


def say(body: dict[str, Any] | bytes, status: int = 200) -> Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]:
    """A behaviour: reply with this body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda handler, _: send(handler, status, data)


def fail(status: int, message: str = "no", **error: Any) -> Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]:
    """A behaviour: reply with an error as OpenAI's servers write it."""
    return say({"error": {"message": message, "type": "x", **error}}, status)


def rejecting(name: str) -> Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]:
    """A behaviour: reject requests with a parameter, answer others."""

    def behave(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        wrong = fail(400, f"{name} is not supported by this model", param=name)
        (wrong if name in body else say(chat()))(handler, body)

    return behave


def send(handler: BaseHTTPRequestHandler, status: int, data: bytes) -> None:
    """Send one reply."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture
def bad_server() -> Iterator[BadServer]:
    """A server on a real port."""
    server = BadServer()
    yield server
    server.close()
