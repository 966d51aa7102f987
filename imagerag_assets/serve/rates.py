"""How many requests a minute a client may send: a bucket of tokens for each, one for questions and one for all else.

See https://en.wikipedia.org/wiki/Token_bucket
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagerag_assets.serve.documents import error_response
from imagerag_assets.serve.guard import CLIENT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from imagerag_assets.settings import Settings

_CLIENTS = 4096
"""Clients that are remembered; who asked longest ago is forgotten, and has a full bucket."""
_MINUTE_S = 60.0


class Buckets:
    """Counts down what each client may still send.

    Args:
        per_minute: What comes back in a minute, and what a bucket holds.
        now: A clock, in seconds.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = float(per_minute), now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one; return 0, or where there is none left the seconds until there is."""
        now = self._now()
        left, at = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - at) * self._most / _MINUTE_S)
        taken = left >= 1.0
        self._left[client] = (left - taken, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if taken else (1.0 - left) * _MINUTE_S / self._most


class RateLimit:
    """ASGI middleware that answers a client who sends too much with 429."""

    def __init__(self, app: ASGIApp, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._reading = Buckets(settings.serve_requests_per_minute, now)
        self._asking = Buckets(settings.serve_questions_per_minute, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            asks = scope["method"] not in ("GET", "HEAD")
            wait = (self._asking if asks else self._reading).take(scope.get(CLIENT, ""))
            if wait:
                kind = "QUESTIONS" if asks else "REQUESTS"
                refused = error_response(
                    429,
                    kind="TooManyRequests",
                    message=f"More {kind.lower()} came from this client than a minute allows",
                    fix=f"Try again in {wait:.0f} s, or raise IMAGERAG_SERVE_{kind}_PER_MINUTE",
                    transient=True,
                )
                refused.headers["Retry-After"] = str(max(1, round(wait)))
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)
