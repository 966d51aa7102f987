"""The webhook: a real server takes what is sent, or does not."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagerag_assets.pipelines import notify as module
from imagerag_assets.pipelines.notify import notify
from imagerag_assets.settings import Settings


class Hook:
    """A server that answers with the given statuses, the last one for ever."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.statuses = [200]
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.received.append(json.loads(body) | {"type": self.headers["Content-Type"]})
                self.send_response(hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(module, "_WAITS_S", (0.0, 0.0))
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


def test_an_event_arrives(hook: Hook, settings: Settings) -> None:
    notify(settings.model_copy(update={"webhook_url": hook.url}), "run_failed", {"scene": "S", "path": object})
    (event,) = hook.received
    assert (event["event"], event["detail"]["scene"], event["type"]) == ("run_failed", "S", "application/json")
    assert event["at"].endswith("+00:00")
    notify(settings, "run_failed", {})  # no webhook is set
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("statuses", "tries"), [([503, 429, 200], 3), ([500], 3), ([404], 1), ([302], 1)]
)  # fmt: skip
def test_only_what_may_pass_is_tried_again(
    hook: Hook, settings: Settings, statuses: list[int], tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.statuses = statuses
    with caplog.at_level(logging.WARNING):
        notify(settings.model_copy(update={"webhook_url": hook.url}), "x", {})
    assert len(hook.received) == tries
    assert bool(caplog.records) == (statuses[-1] != 200)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "no address", "ftp://x/secret"])
def test_it_never_raises(hook: Hook, settings: Settings, url: str, caplog: pytest.LogCaptureFixture) -> None:
    notify(settings.model_copy(update={"webhook_url": url}), "x", {"loop": (loop := [])})
    loop.append(loop)
    notify(settings.model_copy(update={"webhook_url": hook.url}), "x", {"loop": loop})
    assert len(caplog.records) == 2
    assert "secret" not in caplog.text
