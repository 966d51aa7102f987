"""`imagerag retry`: what can be typed, and how its result looks; the work is in `pipelines.retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets import cli_render as render
from imagerag_assets import cli_run
from imagerag_assets.cli_run import Debug, Json, command_of

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add `retry`."""
    app.command("retry")(retry)


def retry(
    ctx: typer.Context,
    answer_id: Annotated[list[str] | None, typer.Argument(help="Ids of failed questions; default: all.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask questions again that the multimodal LLM failed at; each answer takes its question's id."""
    command = command_of(ctx, as_json, debug)
    found = []
    with command.platform() as platform, command.progress("asking again") as progress:
        from imagerag_assets.errors import ImageRAGError
        from imagerag_assets.pipelines import retry as pipeline

        ids = list(dict.fromkeys(answer_id or pipeline.failed_questions(platform)))
        for number, (each, made) in enumerate(zip(ids, pipeline.retry(platform, ids), strict=True), 1):
            error = str(made) if isinstance(made, ImageRAGError) else None
            answer = None if isinstance(made, ImageRAGError) else made
            found.append({"answer_id": each, "answer": answer, "error": error})
            if progress is not None:
                progress(number, len(ids), each)
    failed = sum(each["error"] is not None for each in found)
    document = {"answers": found, "answered": len(found) - failed, "failed": failed}
    command.finish(document, retried, code=cli_run.SOME_FAILED if failed else cli_run.DONE)


def retried(document: render.Document) -> RenderableType:
    """A line for each question that was asked again."""
    rows = [
        (each["answer_id"], each["answer"]["question"] if each["answer"] else "", _said(each))
        for each in document["answers"]
    ]
    return render.table_of(("question", "", "said"), rows) if rows else "no failed questions"


def _said(each: render.Document) -> str:
    return f"failed again: {each['error']}" if each["error"] else str(each["answer"]["answer"])
