"""`imagerag answers`, `trace`, `replay` and `retry`: list answers, show their lineage, and ask again."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of, plain
from imagerag_assets.cli._layout import Tree

if TYPE_CHECKING:
    from rich.console import RenderableType

AnswerId = Annotated[
    str,
    typer.Argument(
        help="Id of an answer, as `imagerag ask` and `imagerag answers` print it.", autocompletion=completion.answers
    ),
]


class Format(StrEnum):
    """Output formats of a lineage."""

    TREE = "tree"
    PROV = "prov"


def register(app: typer.Typer) -> None:
    """Add `answers`, `trace`, `replay` and `retry`."""
    app.command("answers")(answers)
    app.command("trace")(trace)
    app.command("replay")(replay)
    app.command("retry")(retry)


def answers(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="List at most this many answers.")] = 20,
    outdated: Annotated[bool, typer.Option("--outdated", help="List only outdated answers.")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="List only questions that the model failed to answer.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the latest answers, newest first, and say which of them are outdated.

    An answer is outdated if a newer acquisition covers its cues,
    if a scene that it used has changed or is gone, or if its encoder was replaced.
    """
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.lineage.outdated import answer_heads

        found = answer_heads(platform, limit=limit, only_outdated=outdated, only_failed=failed)
    command.finish(found, answer_list)


def trace(
    ctx: typer.Context,
    answer_id: AnswerId,
    form: Annotated[
        Format, typer.Option("--format", help="Print a tree, or only the W3C PROV-JSON document (prov).")
    ] = Format.TREE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show where an answer came from: cues, patches, shards, scenes, items, models and versions.

    With --json, the document also holds the same in W3C PROV.
    """
    command = command_of(ctx, as_json or form is Format.PROV, debug)
    with command.platform() as platform:
        from imagerag_assets.lineage.trace import trace as find_lineage

        found = find_lineage(platform, answer_id)
    command.finish(found["prov"] if form is Format.PROV else found, lineage)


def replay(ctx: typer.Context, answer_id: AnswerId, as_json: Json = False, debug: Debug = False) -> None:
    """Ask a question again with the versions that its answer used, and say what differs."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.lineage.replay import replay as ask_again

        found = ask_again(platform, answer_id).to_dict()
    command.finish(found, replayed)


def answer_list(document: render.Document) -> RenderableType:
    """Show one line for each answer."""
    rows = [
        (each["answer_id"], each["question"], _said(each), each["path"], _reasons(each["outdated"]))
        for each in document["answers"]
    ]
    table = render.table_of(("answer", "question", "said", "path", "outdated"), rows) if rows else "no answers"
    return render.stacked(table, *(f"[yellow]{plain(note)}[/]" for note in document["notes"]))


def lineage(document: render.Document) -> RenderableType:
    """Show the lineage of an answer as a tree, and why the answer is outdated."""
    tree = Tree(_node(document))
    _grow(tree, document)
    outdated = [f"[yellow]outdated: {plain(_reasons([each]))}[/]" for each in document.get("outdated", ())]
    return render.stacked(tree, *outdated)


def replayed(document: render.Document) -> RenderableType:
    """Show whether cues and answer are the same, and each difference."""
    same = {True: "[green]the same[/]", False: "[red]different[/]"}
    line = f"cues: {same[document['same_cues']]}, answer: {same[document['same_answer']]}"
    rows = [(each["what"], each["recorded"], each["now"], each["detail"]) for each in document["differences"]]
    return render.stacked(line, render.table_of(("differs", "recorded", "now", ""), rows) if rows else None)


def _said(record: render.Document) -> str | None:
    return f"failed: {record['error']['message']}" if record.get("error") else record["answer"]


def _reasons(outdated: list[dict[str, Any]]) -> str:
    return "; ".join(each["detail"] + (f" ({each['scene']})" if each["scene"] else "") for each in outdated)


def _grow(tree: Tree, node: render.Document) -> None:
    for child in node["children"]:
        _grow(tree.add(_node(child)), child)


def _node(node: render.Document) -> str:
    facts = [f"{name} {_value(value)}" for name, value in node["detail"].items() if value not in (None, "", [], {})]
    return f"[bold]{plain(node['kind'])}[/] {plain(node['label'])}" + (
        f"  [dim]{plain(', '.join(facts))}[/]" if facts else ""
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_value(each) for each in value)
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def retry(
    ctx: typer.Context,
    answer_id: Annotated[
        list[str] | None,
        typer.Argument(
            help="Id of a failed question; default: all failed questions.", autocompletion=completion.answers
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask the questions again that the multimodal LLM failed to answer.

    Each new answer replaces the failed one and takes its id.
    """
    command = command_of(ctx, as_json, debug)
    found = []
    with command.changing() as platform, command.progress("asking again") as progress:
        from imagerag_assets.errors import ImageRAGError
        from imagerag_assets.questions import retry as pipeline

        notes: list[str] = []
        ids = list(dict.fromkeys(answer_id or pipeline.failed_questions(platform, notes)))
        for number, (each, made) in enumerate(zip(ids, pipeline.retry(platform, ids), strict=True), 1):
            error = str(made) if isinstance(made, ImageRAGError) else None
            answer = None if isinstance(made, ImageRAGError) else made.to_dict()
            found.append({"answer_id": each, "answer": answer, "error": error})
            if progress is not None:
                progress(number, len(ids), each)
    failed = sum(each["error"] is not None for each in found)
    document = {"answers": found, "answered": len(found) - failed, "failed": failed}
    if notes:
        document["notes"] = notes
    command.finish(document, retried, code=cli_run.SOME_FAILED if failed else cli_run.DONE)


def retried(document: render.Document) -> RenderableType:
    """Show one line for each question that was asked again."""
    rows = [
        (each["answer_id"], each["answer"]["question"] if each["answer"] else "", _retried(each))
        for each in document["answers"]
    ]
    table = render.table_of(("question", "", "said"), rows) if rows else "no failed questions"
    return render.stacked(table, *(f"[yellow]{plain(note)}[/]" for note in document.get("notes", ())))


def _retried(each: render.Document) -> str:
    return f"failed again: {each['error']}" if each["error"] else str(each["answer"]["answer"])
