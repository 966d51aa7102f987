"""The API: paths, what they take and give.  `guard` says who may use it, `asking` how questions are answered.

See https://fastapi.tiangolo.com
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from imagerag_assets import __version__
from imagerag_assets.errors import ImageRAGError, InputError, disk_error
from imagerag_assets.ingestion.inventory import SceneFilter, list_scenes
from imagerag_assets.lineage.outdated import answer_heads
from imagerag_assets.questions.answer_records import evidence_files, load_answer
from imagerag_assets.questions.question import Question
from imagerag_assets.resident.client import PATH
from imagerag_assets.serve.asking import Asking, ready
from imagerag_assets.serve.documents import error_response, read_object, response_to, result

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "fix"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string", "description": "What is wrong, in one sentence"},
                "fix": {"type": "string", "description": "What to do about it"},
                "about": {"type": "object", "description": "What it is about, e.g. a scene"},
                "transient": {"type": "boolean", "description": "Whether the same request may succeed later"},
            },
        }
    },
}
_PAGE = 50


def _gives(what: str, *errors: int) -> dict[int | str, dict[str, Any]]:
    def described(text: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": text, "content": {"application/json": {"schema": schema}}}

    found: dict[int | str, dict[str, Any]] = {status: described("An error", _ERROR) for status in (*errors, 503)}
    return {200: described(what, {"type": "object"})} | found


def make_app(asking: Asking, *, identity: str | None = None) -> FastAPI:
    """Return the application.

    Args:
        asking: Answers the questions.
        identity: Of the resident process (`resident.identity`): the application then listens on its socket, and takes
            questions of commands and runs, which may name any file.  None: it listens on a port.
    """
    # Its pages of documentation would load scripts from elsewhere.
    app = FastAPI(title="imagerag", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(ImageRAGError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    most = asking.settings.limit_request_bytes
    asked = {"content": {"application/json": {"schema": Question.model_json_schema()}}, "required": True}

    @app.post(
        "/api/questions",
        summary="Ask a question",
        responses=_gives("The answer, as `imagerag ask --json` prints it", 408, 413, 415, 422, 500, 502),
        openapi_extra={"requestBody": asked},
    )
    async def ask(request: Request) -> Response:
        question = question_of(await read_object(request, most))
        record = await asking.ask(question, free_paths=identity is not None)
        return result(record.to_dict())

    @app.get(
        "/api/answers",
        summary="List answers, newest first",
        responses=_gives("As `imagerag answers --json` prints them", 422),
    )
    async def answers(
        limit: Annotated[int, Query(ge=1, le=1000)] = 20, outdated: bool = False, failed: bool = False
    ) -> Response:
        found = await asking.read(
            lambda platform: answer_heads(platform, limit=limit, only_outdated=outdated, only_failed=failed)
        )
        return result(found)

    @app.get(
        "/api/answers/{answer_id}",
        summary="Return an answer",
        responses=_gives("The answer, as `imagerag ask --json` printed it", 404),
    )
    async def answer(answer_id: str) -> Response:
        return result(await asking.read(lambda platform: load_answer(platform, answer_id).to_dict()))

    @app.get(
        "/api/scenes",
        summary="List the ingested scenes",
        responses=_gives("As `imagerag scenes --json` prints them", 422),
    )
    async def scenes(
        limit: Annotated[int, Query(ge=1, le=1000)] = _PAGE,
        page: Annotated[int, Query(ge=1)] = 1,
        collection: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        wanted = SceneFilter(collections=tuple(collection or ()))
        return result(await asking.read(lambda platform: list_scenes(platform, wanted, limit=limit, page=page)))

    @app.get(
        "/health", summary="Say that the server is there", responses=_gives("Its version, and questions in flight")
    )
    async def health() -> Response:
        return result({"status": "ok", "version": __version__, "in_flight": asking.in_flight})

    @app.get("/ready", summary="Say whether questions can be answered", responses=_gives("What they are answered from"))
    async def is_ready() -> Response:
        try:
            return result(await asking.read(ready))
        except ImageRAGError as error:
            document = error.to_document()
            return error_response(503, kind=document.pop("type"), **document)

    if identity is not None:
        _take_commands(app, asking, identity, most)
    return app


def _take_commands(app: FastAPI, asking: Asking, identity: str, most: int) -> None:
    @app.post(PATH, include_in_schema=False)
    async def ask_for_a_command(request: Request) -> Response:
        given = await read_object(request, most)
        if given.get("identity") != identity:
            return error_response(
                409,
                kind="OtherSettings",
                message="The resident process works with other settings or another version of the code",
                fix="Stop it: imagerag serve --stop",
            )
        asked = given.get("question")
        question = question_of(asked if isinstance(asked, dict) else {})
        record = await asking.ask(question, record_run=given.get("record_run") is not False, free_paths=True)
        files = await asking.read(lambda platform: evidence_files(platform, record))
        return result({"answer": record.to_dict(), "files": files})


def question_of(given: Mapping[str, Any]) -> Question:
    """Return the question that a JSON object holds.

    Raises:
        QuestionError: It cannot be used.
    """
    return Question(**{"question": "", **given})


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
    return error_response(
        error.status_code, kind="RefusedRequest", message=str(error.detail), fix=fix.get(error.status_code, "")
    )


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _unexpected(_: Request, error: Exception) -> Response:
    known = disk_error(error)
    if known is not None:
        return response_to(known)
    _log.error("A request failed", exc_info=error)
    return error_response(
        500, kind=type(error).__name__, message="The request failed unexpectedly", fix="See the log of the server"
    )
