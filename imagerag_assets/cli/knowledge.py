"""`imagerag knowledge`: build the knowledge bases, see what they cover, and change their labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli._command import Command, Debug, Json, command_of, need_subcommand, remember
from imagerag_assets.cli._render import Document, facts_of, stacked, table_of
from imagerag_assets.cli.knowledge_labels import labels_app

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 3  # sources of a label in a table
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be made, changed and left out; write nothing.")
]

knowledge_app = typer.Typer()
build_app = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the group of commands to an application."""
    app.add_typer(knowledge_app, name="knowledge")
    knowledge_app.add_typer(build_app, name="build")
    knowledge_app.add_typer(labels_app, name="labels")


@knowledge_app.callback(invoke_without_command=True)
def knowledge(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Build the knowledge bases, and see what they cover.

    A knowledge base shows with example pictures what a word means.
    Questions use it for words that the encoder does not know.
    """
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


@build_app.callback(invoke_without_command=True)
def build(ctx: typer.Context, dry_run: DryRun = False, as_json: Json = False, debug: Debug = False) -> None:
    """Build a knowledge base from labels or from captions."""
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


@build_app.command()
def labels(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Folder of chips with one sub-folder for each label, or STAC items with labels.")
    ],
    dry_run: DryRun = False,
    as_in_source: Annotated[
        bool, typer.Option("--as-in-source", help="Forget which labels of this source were renamed or removed.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed labels with their example images.

    A number is a code and no name; names come from the class lists of an item, or from `labels.json`.
    """
    _build(ctx, command_of(ctx, as_json, debug), "labels", source, dry_run=dry_run, as_in_source=as_in_source)


@build_app.command()
def captions(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="File of captioned images (JSONL); each line has `image` and `caption`.")
    ],
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed captions with their images."""
    _build(ctx, command_of(ctx, as_json, debug), "captions", source, dry_run=dry_run)


@knowledge_app.command()
def coverage(
    ctx: typer.Context,
    questions: Annotated[
        list[Path] | None, typer.Option(help="File of questions (JSONL) whose words are looked up; repeatable.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the examples of each label, similar labels, and which words of questions lead to which label."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.questions.knowledge_coverage import coverage as examine

        found = examine(platform, questions or ())
    command.finish(found, covered)


def _build(
    ctx: typer.Context, command: Command, kind: Any, source: str, *, dry_run: bool, as_in_source: bool = False
) -> None:
    if dry_run or (ctx.parent is not None and ctx.parent.params.get("dry_run")):
        with command.progress(f"reading {kind}") as progress, command.platform() as platform:
            from imagerag_assets.knowledge.preview import preview

            found = preview(platform, kind, source, as_in_source=as_in_source, progress=progress)
        command.finish(found, previewed)
        return
    if as_in_source:
        with command.changing() as platform:
            from imagerag_assets.knowledge.edits import forget_edits

            forget_edits(platform.store, "knowledge_labels", source)
    with command.progress(f"embedding {kind}") as progress, command.runner(progress) as runner:
        done = runner.build_knowledge(kind, source)
    command.finish({"knowledge": kind, **done}, built)


def previewed(document: Document) -> RenderableType:
    """Show each label that a build would make, what it would leave out, and the totals."""
    rows = [
        (each["label"], each["state"], each["exemplars"], each["before"], "; ".join(list(each["sources"])[:_SHOWN]))
        for each in document["labels"]
    ]
    left_out = [(each["name"], each["reason"]) for each in document["left_out"]]
    totals = document["totals"]
    counts = ", ".join(f"{totals[name]:,} {name}" for name in ("new", "changed", "same", "gone") if totals[name])
    line = (
        f"{totals['exemplars']:,} exemplars of {totals['labels']:,} {document['knowledge']}{counts and f': {counts}'}"
    )
    nothing = "" if document["changed"] else "; nothing would change"
    return stacked(
        table_of(("label", "", "exemplars", "now", "from"), rows) if rows else None,
        table_of(("left out", "why"), left_out) if left_out else None,
        f"[bold]{line}[/]{nothing}",
        "[dim]nothing was written[/]",
    )


def built(document: Document) -> RenderableType:
    """Show what was built."""
    hidden = ("knowledge", "left_out_pictures")
    return facts_of({name.removeprefix("dagster/"): value for name, value in document.items() if name not in hidden})


def covered(document: Document) -> RenderableType:
    """Show both knowledge bases, the labels, and the phrases, with those that lead to nothing first."""
    facts = {kind: _base(document[kind], kind) for kind in ("labels", "captions")}
    groups = [
        (
            each["label"],
            each["exemplars"],
            each["names"],
            each["coherence"],
            ", ".join(f"{other['label']} {other['similarity']:.2f}" for other in each["closest"]),
            "yes" if each["confusable"] else "",
        )
        for each in (document["labels"] or {"groups": ()})["groups"]
    ]
    columns = ("label", "exemplars", "texts", "coherence", "closest", "confusable")
    phrases = [
        (each["phrase"], each["questions"], each["label"] if each["matched"] else "(none)", each["text"],
         each["similarity"], "yes" if each["captions"] else "")
        for each in document["phrases"]
    ]  # fmt: skip
    return stacked(
        facts_of(facts),
        table_of(columns, groups) if groups else None,
        table_of(("phrase", "questions", "label", "nearest text", "similarity", "captions"), phrases)
        if phrases
        else None,
        f"[yellow]{document['unmatched']:,} of {len(phrases):,} phrases lead to nothing[/]"
        if document["unmatched"]
        else None,
    )


def _base(about: Document | None, kind: str) -> str:
    if about is None:
        return "not built"
    counts = f"{about['exemplars']:,} exemplars of {about['labels']:,} {kind}, {about['texts']:,} texts"
    return f"{counts}, {about['left_out']:,} left out; from {about['source']}"
