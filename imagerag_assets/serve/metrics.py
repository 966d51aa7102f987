"""What a server does, in numbers for Prometheus: requests, questions, tiles, and how long they took.

See https://prometheus.github.io/client_python
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from imagerag_assets import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_STAGES = ("phrases", "encode", "search", "verify", "answer", "total")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The numbers of one server.

    Args:
        in_flight: Returns the number of questions in flight.
    """

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "imagerag_http_requests", "Requests by path and status", ("method", "path", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "imagerag_http_seconds", "Seconds until an answer has gone out", ("path",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._questions = Counter(
            "imagerag_questions", "Questions by what came of them", ("outcome",), registry=self._registry
        )
        self._stages = Histogram(
            "imagerag_question_seconds", "Seconds of a question by stage", ("stage",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        Gauge("imagerag_questions_in_flight", "Questions in flight", registry=self._registry).set_function(in_flight)
        Gauge("imagerag_build", "1, with the version", ("version",), registry=self._registry).labels(__version__).set(1)

    def text(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        return bytes(generate_latest(self._registry))

    def answered(self, outcome: str, timings_ms: dict[str, float]) -> None:
        """Count a question; `timings_ms` is that of its record."""
        self._questions.labels(outcome).inc()
        for stage in _STAGES:
            if stage in timings_ms:
                self._stages.labels(stage).observe(timings_ms[stage] / 1000)

    def failed(self, kind: str) -> None:
        """Count a question without an answer, by the class of its error."""
        self._questions.labels(kind).inc()

    def counting(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose requests are counted, by the path that took them and not by what was asked."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status, started = 499, time.perf_counter()  # its client has gone before there was an answer

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, sending)
            finally:
                route: Any = scope.get("route")
                path = getattr(route, "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._requests.labels(method, path, str(status)).inc()
                self._seconds.labels(path).observe(time.perf_counter() - started)

        return counted
