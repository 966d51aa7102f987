"""The stages of a question as server-sent events: what it was understood to ask, the cues, and the answer.

See https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from imagerag_assets.errors import ImageRAGError, disk_error
from imagerag_assets.escaping import json_document
from imagerag_assets.pages.plan_words import plan_words
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.find import Found
from imagerag_assets.questions.resolve import Resolved
from imagerag_assets.serve.documents import SEE_LOG, UNEXPECTED
from imagerag_assets.serve.places import geometry_of

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.questions.question import Question
    from imagerag_assets.serve.asking import Asking

_log = logging.getLogger(__name__)
MEDIA_TYPE = "text/event-stream"
_ALIVE_S = 10.0
"""Seconds after which a comment says that a question is still at work: proxies end what is silent."""
_at_work: set[asyncio.Task[None]] = set()
Event = tuple[str, dict[str, Any]]


async def stream(asking: Asking, question: Question) -> Response:
    """Return the events of a question: `understood`, `found`, `answered`, or `failed`.

    What is wrong before the first event is raised, and so has a status of its own.  A question whose client has gone is
    answered and recorded all the same.

    Raises:
        ImageRAGError: The question cannot be answered.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event | ImageRAGError | None] = asyncio.Queue()

    def tell(step: Resolved | Found | AnswerRecord) -> None:
        with suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(events.put_nowait, event_of(asking.platform, step))

    async def answer() -> None:
        try:
            await asking.ask(question, tell=tell)
        except ImageRAGError as error:
            await events.put(error)
        except Exception as error:  # the client gets a sentence, whatever it was
            _log.error("A question failed", exc_info=error)
            known = disk_error(error)
            await events.put(known or ImageRAGError(UNEXPECTED, fix=SEE_LOG))
        finally:
            await events.put(None)

    task = asyncio.create_task(answer())
    _at_work.add(task)  # the loop itself forgets tasks that nobody holds
    task.add_done_callback(_at_work.discard)
    first = await events.get()
    if isinstance(first, ImageRAGError):
        raise first
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_written(first, events), media_type=MEDIA_TYPE, headers=headers)


async def _written(first: Event | None, events: asyncio.Queue[Event | ImageRAGError | None]) -> AsyncIterator[bytes]:
    each: Event | ImageRAGError | None = first
    while each is not None:
        name, document = ("failed", {"error": each.to_document()}) if isinstance(each, ImageRAGError) else each
        # One line each: JSON has no line break outside its strings, and there they are escaped.
        data = " ".join(line.strip() for line in json_document(document).split("\n"))
        yield f"event: {name}\ndata: {data}\n\n".encode()
        if name == "answered":  # its run is recorded afterwards: who asks again need not break off the stream
            return
        while True:
            try:
                each = await asyncio.wait_for(events.get(), _ALIVE_S)
                break
            except TimeoutError:
                yield b": at work\n\n"


def event_of(platform: Platform, step: Resolved | Found | AnswerRecord) -> Event:
    """Return the name and the JSON of a step."""
    if isinstance(step, AnswerRecord):
        return "answered", step.to_dict()
    if isinstance(step, Resolved):
        plan, steps = step.plan, step.plan.steps()
        return "understood", {
            "question": step.analysis.question,
            "plan": steps,
            "words": list(plan_words(steps)),
            "phrases": list(step.analysis.phrases),
            "notes": list(plan.notes),
            "unplanned": plan.unplanned,
        }
    cues = [cue.to_dict() | {"geometry": geometry_of(platform, cue.scene, cue.window)} for cue in step.cues]
    retrieval = step.retrieval
    return "found", {"path": retrieval.path, "abstained": retrieval.abstained, "scene": step.scene, "cues": cues}
