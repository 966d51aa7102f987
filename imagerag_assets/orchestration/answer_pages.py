"""Pages of answers beside Dagster's UI, so that an answer's metadata can link to its page.

Only pages that are kept are served; `imagerag show` makes them anew.  They come without an origin (`sandbox`), so that
nothing in a page could use the UI as the person who looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.escaping import one_line

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from imagerag_assets.objects.store import ObjectStore

PREFIX = "/imagerag/answers/"
_PATH = re.compile(re.escape(PREFIX) + r"([^/]{1,100})")
_HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-downloads",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class AnswerPages:
    """The layer that serves them; whatever else is asked for goes on to the application."""

    def __init__(self, app: ASGIApp, store: Callable[[], ObjectStore]) -> None:
        """Serve the pages of a store, which is opened with the first one."""
        self._app, self._store = app, cache(store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if asked is None or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        response = await run_in_threadpool(self._page, asked[1])
        await response(scope, receive, send)

    def _page(self, answer_id: str) -> Response:
        from imagerag_assets.questions.answer_records import page_key  # takes long to load

        try:
            store, key = self._store(), page_key(answer_id)
            if store.exists(key):
                return HTMLResponse(store.read_bytes(key), headers=_HEADERS)
        except ImageRAGError as error:
            return PlainTextResponse(f"{one_line(str(error))}\n", 404, headers=_HEADERS)
        return PlainTextResponse(
            f"There is no page of this answer. Make it with: imagerag show {answer_id}\n", 404, headers=_HEADERS
        )
