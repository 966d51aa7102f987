"""The path on the socket of the resident process by which commands and runs ask: the answer, and on request its stages.

With ``Accept: application/x-ndjson`` each stage is a line ``{"stage": "reading the question"}`` as it begins, and the
last line is ``{"status", "said"}``: what the response would have been otherwise.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from imagerag_assets.errors import ImageRAGError, disk_error
from imagerag_assets.questions.answer_records import evidence_files
from imagerag_assets.resident.client import PATH, STAGES
from imagerag_assets.serve.documents import SEE_LOG, UNEXPECTED, error_response, read_object, response_to, result
from imagerag_assets.serve.question_paths import question_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from imagerag_assets.serve.asking import Asking

_log = logging.getLogger(__name__)
_at_work: set[asyncio.Task[None]] = set()
Stage = Callable[[str], None]


def take_commands(app: FastAPI, asking: Asking, identity: str) -> None:
    """Add the path to the application of a socket; `identity` is that of this process (`resident.identity`)."""
    most = asking.settings.limit_request_bytes

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
        if STAGES in request.headers.get("accept", ""):
            return StreamingResponse(_lines(asking, given), media_type=STAGES)
        return await _answer(asking, given)


async def _answer(asking: Asking, given: dict[str, Any], stage: Stage | None = None) -> Response:
    asked = given.get("question")
    question = question_of(asked if isinstance(asked, dict) else {})
    record_run = given.get("record_run") is not False
    record = await asking.ask(question, record_run=record_run, free_paths=True, stage=stage)
    files = await asking.read(lambda platform: evidence_files(platform, record))
    return result({"answer": record.to_dict(), "files": files})


async def _lines(asking: Asking, given: dict[str, Any]) -> AsyncIterator[bytes]:
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def stage(what: str) -> None:  # in the thread that answers
        with suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(lines.put_nowait, {"stage": what})

    async def answer() -> None:
        try:
            response = await _answer(asking, given, stage)
        except ImageRAGError as error:
            response = response_to(error)
        except Exception as error:  # as for a request without stages
            known = disk_error(error)
            if known is None:
                _log.error("A question failed", exc_info=error)
            unexpected = error_response(500, kind=type(error).__name__, message=UNEXPECTED, fix=SEE_LOG)
            response = unexpected if known is None else response_to(known)
        await lines.put({"status": response.status_code, "said": json.loads(bytes(response.body))})

    task = asyncio.create_task(answer())
    _at_work.add(task)  # the loop itself forgets tasks that nobody holds
    task.add_done_callback(_at_work.discard)
    while True:
        line = await lines.get()
        yield json.dumps(line).encode() + b"\n"
        if "status" in line:
            return
