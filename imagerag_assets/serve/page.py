"""The page at `/`: its files, which are in the package, and the session of a browser that has given a token."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagerag_assets import __version__
from imagerag_assets.pages.components import stylesheet
from imagerag_assets.serve.described import gives, takes
from imagerag_assets.serve.documents import NotThereError, read_object, result
from imagerag_assets.serve.guard import COOKIE, GRANTED, RIGHTS, SESSION, ApiAccess, RightError
from imagerag_assets.web_guard import session_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagerag_assets.serve.asking import Asking
    from imagerag_assets.web_guard import Access

FILES = Path(__file__).parent / "static"
_KINDS = frozenset({".css", ".js", ".svg", ".png", ".json"})
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
        "connect-src 'self'", "manifest-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
"""Nothing comes from elsewhere, and no text of a record can become a script or a style."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SHARED = "shared.css"
"""The stylesheet of all pages."""
_TOKEN = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string", "maxLength": 1000}}}


def page_router(asking: Asking, access: Access | None) -> APIRouter:
    """Return the page, its files and its session."""
    router = APIRouter()
    most = asking.settings.limit_request_bytes

    @router.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _file(request, "index.html", _HEADERS)

    @router.get("/files/{name:path}", include_in_schema=False)
    async def file(request: Request, name: str) -> Response:
        if name != SHARED and name not in page_files():
            raise NotThereError("There is no such file", fix="Load the page again")
        return _file(request, name, {})

    @router.get(SESSION, summary="Say what this client may do", responses=gives("`right`: read, ask, write or null"))
    async def session(request: Request) -> Response:
        right = request.scope.get(GRANTED, RIGHTS[-1])
        return result({"right": right} | ({"version": __version__} if right else {}))

    @router.post(
        SESSION,
        summary="Give a token and get a cookie for a browser",
        responses=gives("What the token allows", 400, 408, 413, 415, 422),
        openapi_extra=takes(_TOKEN),
    )
    async def log_in(request: Request) -> Response:
        given: Any = (await read_object(request, most)).get("token")
        tokens = access.tokens if isinstance(access, ApiAccess) else ()
        if not tokens:
            return result({"right": RIGHTS[-1], "version": __version__})
        right = access.right_of(given) if isinstance(given, str) and isinstance(access, ApiAccess) else None
        if right is None:
            raise RightError("This is not a token of the server", fix="Use that of IMAGERAG_SERVE_TOKEN")
        response = result({"right": right, "version": __version__})
        secure = request.url.scheme == "https"
        # Cookies are sent to every port of a host: what is sent is made from the token, and is not the token.
        response.set_cookie(COOKIE, session_of(given), httponly=True, samesite="strict", secure=secure)
        return response

    @router.delete(SESSION, summary="Forget the cookie", responses=gives("Nothing is allowed any more", 415))
    async def log_out() -> Response:
        response = result({"right": None})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    return router


@lru_cache(maxsize=1)
def page_files() -> frozenset[str]:
    """Return the names of the page's files, with / between folders."""
    found = (each for each in FILES.rglob("*") if each.suffix in _KINDS and each.is_file())
    return frozenset(each.relative_to(FILES).as_posix() for each in found)


@lru_cache(maxsize=64)
def _content(name: str) -> tuple[bytes, str]:
    """Return a file and its ETag."""
    data = stylesheet().encode() if name == SHARED else (FILES / name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def _file(request: Request, name: str, headers: Mapping[str, str]) -> Response:
    """Return a file; a browser asks each time whether the one that it has is still right, so that all fit together."""
    data, tag = _content(name)
    about = {"Cache-Control": "no-cache", "ETag": tag, **headers}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=about)
    return Response(data, media_type=mimetypes.guess_type(name)[0] or "application/octet-stream", headers=about)
