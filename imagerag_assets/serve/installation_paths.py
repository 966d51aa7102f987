"""Paths of an installation: standing questions, what is at work, encoders and their switches, the cost of an ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from imagerag_assets import __version__
from imagerag_assets.encoder_switch.backfill import make_plan
from imagerag_assets.encoder_switch.switching import list_switches
from imagerag_assets.encoders.registry import describe_encoders
from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.ingestion.explain import explain
from imagerag_assets.installation.status import status
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.serve.asking import ready
from imagerag_assets.serve.described import gives, gives_file, takes
from imagerag_assets.serve.documents import error_response, read_object, result
from imagerag_assets.serve.metrics import CONTENT_TYPE
from imagerag_assets.serve.rights import may
from imagerag_assets.serve.worker import Task
from imagerag_assets.standing_questions.asking import describe_watches
from imagerag_assets.standing_questions.store import load_watch, series

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.serve.asking import Asking

_EXPLAINED = 1000
_TO_DO = ("new", "changed", "incomplete")
_CONFIRM = "with `confirm`, by which it can be started"
_YES = {
    "type": "object",
    "required": ["confirm"],
    "properties": {"confirm": {"type": "string", "maxLength": 100, "description": "That of an estimate"}},
}


class ExplainRequest(BaseModel):
    """A source whose ingest is to be estimated."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=2000, description="Catalog, item, folder, bucket prefix or API")
    limit: int = Field(default=20, ge=1, le=_EXPLAINED, strict=True, description="Look at this many scenes at most")


def installation_router(asking: Asking) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["installation"])
    most = asking.settings.limit_request_bytes
    read = [Depends(may("read"))]

    @router.get(
        "/api/watches",
        summary="List the standing questions",
        responses=gives("As `imagerag watch list --json` prints them"),
        dependencies=read,
    )
    async def watches() -> Response:
        return result({"watches": await asking.read(describe_watches)})

    @router.get(
        "/api/watches/{watch_id}",
        summary="Return a standing question with all its answers",
        responses=gives("As `imagerag watch show --json` prints it", 404),
        dependencies=read,
    )
    async def watch(watch_id: Annotated[str, Path(max_length=200)]) -> Response:
        return result(await asking.read(lambda platform: _watch(platform, watch_id)))

    @router.get(
        "/api/status",
        summary="Say what is there, what is at work, and what failed",
        responses=gives("As `imagerag status --json` prints it"),
        dependencies=read,
    )
    async def status_() -> Response:
        return result(await asking.read(status))

    @router.get(
        "/api/encoders",
        summary="List the encoders, and their switches with the checks of each",
        responses=gives("`encoders`, as `imagerag encoders --json` lists them, and `switches`, the latest first"),
        dependencies=read,
    )
    async def encoders() -> Response:
        return result(await asking.read(_encoders))

    @router.get(
        "/api/switch",
        summary="Estimate a switch to the chosen encoder",
        responses=gives(f"As `imagerag backfill --dry-run --json` prints it, {_CONFIRM}", 422, 500),
        dependencies=[Depends(may("ask"))],
    )
    async def switch() -> Response:
        plan = await asking.work(lambda platform: make_plan(platform).to_dict())
        return result(plan | {"confirm": asking.long_work.offer(Task("switch"))})

    @router.post(
        "/api/explain",
        summary="Estimate an ingest, without doing it",
        description="A path must be in a folder for jobs (IMAGERAG_JOB_ROOTS), and an address one that may be read.",
        responses=gives(f"As `imagerag explain --json` prints it, {_CONFIRM}", 400, 404, 408, 413, 415, 422, 500),
        openapi_extra=takes(ExplainRequest.model_json_schema()),
        dependencies=[Depends(may("write"))],
    )
    async def explain_(request: Request) -> Response:
        asked = _source_of(await read_object(request, most))
        JobPaths().check_address(asked.source, asking.settings)
        found = await asking.work(lambda platform: explain(platform, asked.source, limit=asked.limit).to_dict())
        to_do = tuple(each["scene"] for each in found["scenes"] if each["state"] in _TO_DO)
        confirm = asking.long_work.offer(Task("ingest", asked.source, to_do)) if to_do else None
        return result(found | {"confirm": confirm})

    @router.post(
        "/api/work",
        summary="Start an ingest or a switch that was estimated, in a process of its own",
        responses=gives("Its state, as GET returns it", 400, 404, 408, 409, 413, 415, 422),
        openapi_extra=takes(_YES),
        dependencies=[Depends(may("write"))],
    )
    async def start(request: Request) -> Response:
        confirm = (await read_object(request, most)).get("confirm")
        if not isinstance(confirm, str):
            raise InputError("confirm is missing", fix="Give the confirm of an estimate")
        return result(await asking.read(lambda _: asking.long_work.start(confirm)))

    @router.get(
        "/api/work",
        summary="Say how far the latest ingest or switch is that was started here",
        responses=gives(
            "`state` (none, running, done, stopped, failed), `what`, `done` of `total`, `results`, `error`"
        ),
        dependencies=read,
    )
    async def work() -> Response:
        return result(asking.long_work.state())

    @router.delete(
        "/api/work",
        summary="Stop what is at work; it goes on where it stopped when it is started again",
        responses=gives("Its state", 415),
        dependencies=[Depends(may("write"))],
    )
    async def stop() -> Response:
        return result(await asking.read(lambda _: asking.long_work.stop()))

    @router.get(
        "/health",
        summary="Say that the server is there",
        responses=gives("Its version, and questions in flight"),
        dependencies=read,
    )
    async def health() -> Response:
        return result({"status": "ok", "version": __version__, "in_flight": asking.in_flight})

    @router.get(
        "/ready",
        summary="Say whether questions can be answered",
        responses=gives("What they are answered from"),
        dependencies=read,
    )
    async def is_ready() -> Response:
        try:
            return result(await asking.read(ready))
        except ImageRAGError as error:
            document = error.to_document()
            return error_response(503, kind=document.pop("type"), **document)

    @router.get(
        "/metrics",
        summary="Return numbers for Prometheus",
        responses=gives_file("Prometheus' text format", "text/plain"),
        dependencies=read,
    )
    async def metrics() -> Response:
        return Response(asking.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return router


def _watch(platform: Platform, watch_id: str) -> dict[str, Any]:
    found = load_watch(platform, watch_id).to_dict()
    return {"watch": found, "answers": [each.to_dict() for each in series(platform, watch_id)]}


def _encoders(platform: Platform) -> dict[str, Any]:
    switches = [each.to_dict() for each in reversed(list_switches(platform))]
    return dict(describe_encoders(platform.settings)) | {"switches": switches}


def _source_of(given: dict[str, Any]) -> ExplainRequest:
    try:
        return ExplainRequest.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "the request"
        what = f"{name[:60]} is not valid: {first['msg']}"
        raise InputError(what, fix="Give source, and limit if you like") from None
