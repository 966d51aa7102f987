"""The application: its paths from their modules, and what becomes of errors.

`guard` says who may use it, `rates` how often, and `asking` how questions are answered.
See https://fastapi.tiangolo.com
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from imagerag_assets import __version__
from imagerag_assets.errors import ImageRAGError, InputError, disk_error
from imagerag_assets.serve.command_path import take_commands
from imagerag_assets.serve.documents import SEE_LOG, UNEXPECTED, error_response, response_to
from imagerag_assets.serve.installation_paths import installation_router
from imagerag_assets.serve.page import page_router
from imagerag_assets.serve.question_paths import question_router
from imagerag_assets.serve.rates import RateLimit
from imagerag_assets.serve.scene_paths import scene_router

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from imagerag_assets.serve.asking import Asking
    from imagerag_assets.web_guard import Access

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_log = logging.getLogger(__name__)


def make_app(asking: Asking, *, access: Access | None = None, identity: str | None = None) -> ASGIApp:
    """Return the application.

    Args:
        asking: Answers the questions.
        access: What requests must have; for those who log in with a token.  None: there are no tokens.
        identity: Of the resident process (`resident.identity`): the application then listens on its socket, and takes
            questions of commands and runs, which may name any file.  None: it listens on a port.
    """
    # Its pages of documentation would load scripts from elsewhere.
    app = FastAPI(title="imagerag", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(ImageRAGError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    app.include_router(question_router(asking, free_paths=identity is not None))
    app.include_router(scene_router(asking))
    app.include_router(installation_router(asking))
    if identity is not None:
        take_commands(app, asking, identity)
        return app
    app.include_router(page_router(asking, access))
    _describe_tokens(app)
    return asking.metrics.counting(RateLimit(_with_headers(app), asking.settings))


def _with_headers(app: ASGIApp) -> ASGIApp:
    """Let a browser take each answer for what it says it is, and run nothing in it; a page has a policy of its own."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, sending)

    return answering


def _describe_tokens(app: FastAPI) -> None:
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{}, {"token": []}]
        return document

    app.openapi = described  # type: ignore[method-assign]


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, ImageRAGError)
    return response_to(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return response_to(InputError(f"{name} is not valid: {first['msg']}", fix=f"Correct {name}, or leave it out"))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fix = {404: "See /openapi.json for the paths", 405: "See /openapi.json for the methods"}
    response = error_response(
        error.status_code, kind="RefusedRequest", message=str(error.detail), fix=fix.get(error.status_code, "")
    )
    response.headers.update(error.headers or {})
    return response


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _unexpected(_: Request, error: Exception) -> Response:
    known = disk_error(error)
    if known is not None:
        return response_to(known)
    _log.error("A request failed", exc_info=error)
    return error_response(500, kind=type(error).__name__, message=UNEXPECTED, fix=SEE_LOG)
