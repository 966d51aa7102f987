"""Paths of questions and answers: ask, list and read answers, their evidence and lineage, and examples for concepts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from imagerag_assets.concepts.store import add_examples, list_concepts
from imagerag_assets.errors import InputError, StoreError
from imagerag_assets.lineage.outdated import answer_heads, why_outdated
from imagerag_assets.lineage.trace import trace
from imagerag_assets.pages.answer_page import answer_page
from imagerag_assets.pages.components import content_security_policy
from imagerag_assets.questions.answer_records import answer_folder, load_answer
from imagerag_assets.questions.concept_examples import crop_of_patch, crops_of_cues
from imagerag_assets.questions.question import Question
from imagerag_assets.serve.answer_words import answer_in_words
from imagerag_assets.serve.described import gives, gives_file, takes
from imagerag_assets.serve.documents import NotThereError, read_object, result
from imagerag_assets.serve.events import MEDIA_TYPE, stream
from imagerag_assets.serve.rights import may

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.serve.asking import Asking

_EVIDENCE = re.compile(r"overview\.jpg|cue-[1-9][0-9]{0,5}\.jpg")
_GEOJSON = "cues.geojson"
_PAGE_HEADERS = {
    "Content-Security-Policy": f"{content_security_policy()}; frame-ancestors 'none'",
}


class ExampleRequest(BaseModel):
    """An opinion of a person about what was found: it becomes an example of a concept."""

    model_config = ConfigDict(extra="forbid")

    concept: str = Field(min_length=1, max_length=60, description="Name of the concept; a new one is made")
    good: bool = Field(default=True, strict=True, description="Whether this is one, or what it is not")
    answer: str | None = Field(default=None, max_length=60, description="Id of an answer whose cues are examples")
    cue: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None, description="Rank of one cue of the answer; default: all of them"
    )
    patch: str | None = Field(default=None, max_length=400, description="Id of a patch, in place of an answer")


def question_router(asking: Asking, *, free_paths: bool) -> APIRouter:
    """Return the paths.

    Args:
        asking: Answers the questions.
        free_paths: Whether a question may name any file, as a person's command may.
    """
    router = APIRouter(prefix="/api", tags=["questions"])
    most = asking.settings.limit_request_bytes

    @router.post(
        "/questions",
        summary="Ask a question",
        description=f"With `Accept: {MEDIA_TYPE}` the answer comes in events: `understood`, `found`, `answered`, or"
        " `failed`.",
        responses=gives("The answer, as `imagerag ask --json` prints it", 400, 404, 408, 413, 415, 422, 500, 502),
        openapi_extra=takes(Question.model_json_schema()),
        dependencies=[Depends(may("ask"))],
    )
    async def ask(request: Request) -> Response:
        question = question_of(await read_object(request, most))
        if MEDIA_TYPE in request.headers.get("accept", "") and not free_paths:
            return await stream(asking, question)
        record = await asking.ask(question, free_paths=free_paths)
        return result(record.to_dict())

    @router.get(
        "/answers",
        summary="List answers, newest first",
        responses=gives("As `imagerag answers --json` prints them", 422),
        dependencies=[Depends(may("read"))],
    )
    async def answers(
        limit: Annotated[int, Query(ge=1, le=1000)] = 20, outdated: bool = False, failed: bool = False
    ) -> Response:
        found = await asking.read(
            lambda platform: answer_heads(platform, limit=limit, only_outdated=outdated, only_failed=failed)
        )
        return result(found)

    @router.get(
        "/answers/{answer_id}",
        summary="Return an answer",
        responses=gives("The answer, as `imagerag ask --json` printed it", 404),
        dependencies=[Depends(may("read"))],
    )
    async def answer(answer_id: str) -> Response:
        return result(await asking.read(lambda platform: load_answer(platform, answer_id).to_dict()))

    @router.get(
        "/answers/{answer_id}/view",
        summary="Return an answer in words, as a page shows it",
        responses=gives(
            "The sentence, what was understood, each cue with its place, notes, and the lineage drawn", 404
        ),
        dependencies=[Depends(may("read"))],
    )
    async def view(answer_id: str) -> Response:
        return result(await asking.read(lambda platform: answer_in_words(platform, load_answer(platform, answer_id))))

    @router.get(
        "/answers/{answer_id}/page.html",
        summary="Return the page of an answer: one file that shows everything offline",
        responses=gives_file("HTML", "text/html", 404),
        dependencies=[Depends(may("read"))],
    )
    async def page(answer_id: str) -> Response:
        text = await asking.read(lambda platform: _page_of(platform, answer_id))
        return Response(text, media_type="text/html", headers=_PAGE_HEADERS)

    @router.get(
        "/answers/{answer_id}/lineage",
        summary="Say what an answer was made from",
        responses=gives("As `imagerag trace --json` prints it", 404),
        dependencies=[Depends(may("read"))],
    )
    async def lineage(answer_id: str) -> Response:
        return result(await asking.read(lambda platform: trace(platform, answer_id)))

    @router.get(
        "/answers/{answer_id}/cues.geojson",
        summary="Return the cues of an answer as GeoJSON",
        responses=gives_file("A FeatureCollection in degrees", "application/geo+json", 404),
        dependencies=[Depends(may("read"))],
    )
    async def cues(answer_id: str) -> Response:
        data = await asking.read(lambda platform: _stored(platform, answer_id, _GEOJSON))
        return Response(data, media_type="application/geo+json")

    @router.get(
        "/answers/{answer_id}/evidence/{name}",
        summary="Return a picture of an answer's evidence",
        description="`overview.jpg`, with the cues outlined, or `cue-1.jpg`, `cue-2.jpg`, ... by rank.",
        responses=gives_file("The picture", "image/jpeg", 404),
        dependencies=[Depends(may("read"))],
    )
    async def evidence(answer_id: str, name: str) -> Response:
        data = await asking.read(lambda platform: _picture(platform, answer_id, name))
        # A failed question that is asked again keeps its id and gets other pictures.
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-cache"})

    @router.get(
        "/concepts",
        summary="List the concepts that were shown by examples",
        responses=gives("As `imagerag concepts list --json` prints them"),
        dependencies=[Depends(may("read"))],
    )
    async def concepts() -> Response:
        found = await asking.read(lambda platform: [each.to_dict() for each in list_concepts(platform)])
        return result({"concepts": found})

    @router.post(
        "/examples",
        summary="Show a cue, all cues of an answer, or a patch as an example of a concept",
        responses=gives("The concept, as `imagerag concepts add --json` prints it", 400, 404, 408, 413, 415, 422, 500),
        openapi_extra=takes(ExampleRequest.model_json_schema()),
        dependencies=[Depends(may("write"))],
    )
    async def examples(request: Request) -> Response:
        asked = _example_of(await read_object(request, most))
        return result({"concept": await asking.read(lambda platform: _shown(platform, asked))})

    return router


def question_of(given: Mapping[str, Any]) -> Question:
    """Return the question that a JSON object holds.

    Raises:
        QuestionError: It cannot be used.
    """
    return Question(**{"question": "", **given})


def _example_of(given: Mapping[str, Any]) -> ExampleRequest:
    try:
        asked = ExampleRequest.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "the request"
        known = ", ".join(ExampleRequest.model_fields)
        what = f"{name[:60]} is not valid: {first['msg']}"
        raise InputError(what, fix=f"Give {known}, as /openapi.json says") from None
    if (asked.answer is None) == (asked.patch is None):
        raise InputError("An example needs an answer or a patch", fix="Give one of them")
    if asked.cue is not None and asked.answer is None:
        raise InputError("A cue needs its answer", fix="Give the id of the answer, too")
    return asked


def _shown(platform: Platform, asked: ExampleRequest) -> dict[str, Any]:
    sign: Literal["positive", "negative"] = "positive" if asked.good else "negative"
    if asked.answer is not None:
        crops = crops_of_cues(platform, asked.answer, () if asked.cue is None else (asked.cue,))
    else:
        crops = [crop_of_patch(platform, asked.patch or "")]
    return add_examples(platform, asked.concept, [(sign, crop) for crop in crops]).to_dict()


def _page_of(platform: Platform, answer_id: str) -> str:
    record = load_answer(platform, answer_id)
    return answer_page(platform, record, why_outdated(platform, record))


def _picture(platform: Platform, answer_id: str, name: str) -> bytes:
    if not _EVIDENCE.fullmatch(name):
        raise NotThereError("There is no such picture", fix="Take overview.jpg or cue-RANK.jpg", answer=answer_id[:60])
    return _stored(platform, answer_id, f"evidence/{name}")


def _stored(platform: Platform, answer_id: str, name: str) -> bytes:
    key = f"{answer_folder(answer_id)}/{name}"
    if not platform.store.exists(key):
        load_answer(platform, answer_id)  # an unknown answer is said to be one
        raise NotThereError("The answer has no such file", fix="A question without cues has none", answer=answer_id)
    try:
        return bytes(platform.store.read_bytes(key))
    except FileNotFoundError:  # removed meanwhile
        raise StoreError("The file was just removed", fix="Ask again", transient=True, answer=answer_id) from None
