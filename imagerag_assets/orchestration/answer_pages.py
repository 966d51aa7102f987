"""Pages and pictures of answers, and overviews of scenes, beside Dagster's UI, so that metadata can show them.

The UI shows Markdown of at most `SHOWN` characters where it stands, and longer one behind a button: a picture inside it
would always be behind one.

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
from imagerag_assets.escaping import markdown, one_line
from imagerag_assets.orchestration.previews import thumbnail
from imagerag_assets.scenes.records import overview_key
from imagerag_assets.stac.keys import is_scene_key

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from imagerag_assets.objects.store import ObjectStore

PREFIX = "/imagerag/answers/"
SCENES_PREFIX = "/imagerag/scenes/"
SHOWN = 999
_PAGE = re.compile(re.escape(PREFIX) + r"([^/]{1,100})")
_PICTURE = re.compile(re.escape(PREFIX) + r"([^/]{1,100})/(overview|cue-[1-9][0-9]{0,5})\.jpg")
_OVERVIEW = re.compile(re.escape(SCENES_PREFIX) + r"([^/]{1,250})/overview\.jpg")
_WHOLE_PX, _CUE_PX = 512, 168
_HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-downloads",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def answer_pictures(answer_id: str, names: list[str]) -> str:
    """Return Markdown that shows pictures of an answer's evidence (`overview`, `cue-1`, ...), as many as are shown."""
    text = ""
    for name in names:
        longer = f"{text} ![{name.replace('-', ' ')}]({PREFIX}{answer_id}/{name}.jpg)".strip()
        if len(longer) > SHOWN:
            break
        text = longer
    return text


def scene_picture(scene_key: str) -> str:
    """Return Markdown that shows the overview of a scene."""
    return f"![{markdown(f'Overview of {scene_key}')}]({SCENES_PREFIX}{scene_key}/overview.jpg)"


class AnswerPages:
    """The layer that serves them; whatever else is asked for goes on to the application."""

    def __init__(self, app: ASGIApp, store: Callable[[], ObjectStore]) -> None:
        """Serve what is in a store, which is opened with the first request."""
        self._app, self._store = app, cache(store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        looks: tuple[tuple[re.Pattern[str], Callable[..., Response]], ...] = (
            (_PAGE, self._page), (_PICTURE, self._picture), (_OVERVIEW, self._overview),
        )  # fmt: skip
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            for pattern, look in looks:
                asked = pattern.fullmatch(scope["path"])
                if asked is not None:
                    response = await run_in_threadpool(look, *asked.groups())
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _page(self, answer_id: str) -> Response:
        from imagerag_assets.questions.answer_records import page_key  # takes long to load

        try:
            store, key = self._store(), page_key(answer_id)
            if store.exists(key):
                return HTMLResponse(store.read_bytes(key), headers=_HEADERS)
        except ImageRAGError as error:
            return _missing(str(error))
        return _missing(f"There is no page of this answer. Make it with: imagerag show {answer_id}")

    def _picture(self, answer_id: str, name: str) -> Response:
        from imagerag_assets.questions.answer_records import answer_folder  # takes long to load

        try:
            key = f"{answer_folder(answer_id)}/evidence/{name}.jpg"
        except ImageRAGError as error:
            return _missing(str(error))
        return self._small(key, _WHOLE_PX if name == "overview" else _CUE_PX)

    def _overview(self, scene_key: str) -> Response:
        known = is_scene_key(scene_key)
        return self._small(overview_key(scene_key), _WHOLE_PX) if known else _missing("This is not a scene key")

    def _small(self, key: str, side: int) -> Response:
        try:
            data = thumbnail(self._store().read_bytes(key), side)
        except (ImageRAGError, OSError):
            return _missing("There is no such picture")
        return Response(data, media_type="image/jpeg", headers=_HEADERS)


def _missing(text: str) -> Response:
    return PlainTextResponse(f"{one_line(text)}\n", 404, headers=_HEADERS)
