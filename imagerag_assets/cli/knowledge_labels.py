"""`imagerag knowledge labels`: list, rename and remove the labels of the knowledge base.

Only the options and the look of results are here; the work is in `knowledge.relabel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli._command import Command, Debug, Json, command_of, plain, remember
from imagerag_assets.cli._confirm import confirmed
from imagerag_assets.cli._render import Document, facts_of, stacked, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.knowledge.edits import Edit

_SHOWN = 3  # texts and sources of a label in a table

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]

labels_app = typer.Typer(invoke_without_command=True)


@labels_app.callback()
def labels(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List, rename or remove the labels of the knowledge base."""
    remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is None:
        list_(ctx, as_json, debug)


@labels_app.command("list")
def list_(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the labels with their exemplars, their texts, and what was renamed or removed."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.knowledge.relabel import list_labels, open_labels

        platform = _serving(platform)
        live = open_labels(platform)
        found = [each.to_dict() for each in list_labels(platform, live)]
    about = {"source": live.source, "version": live.version, "edits": list(live.edits)}
    command.finish({**about, "labels": found}, listed)


@labels_app.command()
def rename(
    ctx: typer.Context,
    label: Annotated[str, typer.Argument(help="Label, as `imagerag knowledge labels` lists it.")],
    to: Annotated[str, typer.Argument(help="New name; that of another label merges the two.")],
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Rename a label; no picture is embedded again.

    The new name also holds for later builds from the same source.
    """
    from imagerag_assets.knowledge.edits import Edit
    from imagerag_assets.knowledge.relabel import new_name

    _edit(command_of(ctx, as_json, debug), Edit.now("rename", label, new_name(to)), yes=yes)


@labels_app.command()
def remove(
    ctx: typer.Context,
    label: Annotated[str, typer.Argument(help="Label, as `imagerag knowledge labels` lists it.")],
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove a label with its exemplars.

    Later builds from the same source leave it out, too, unless they are made with --as-in-source.
    """
    from imagerag_assets.knowledge.edits import Edit

    _edit(command_of(ctx, as_json, debug), Edit.now("remove", label), yes=yes)


def _edit(command: Command, edit: Edit, *, yes: bool) -> None:
    with command.platform() as platform:
        from imagerag_assets.knowledge.relabel import check_edit

        merges = check_edit(_serving(platform), edit)
    what = ""
    if edit.to is None:
        what = f"Remove the label {edit.label!r} with its exemplars"
    elif merges:
        what = f"There is a label {edit.to!r}: merge {edit.label!r} into it"
    if what and not confirmed(command, what, yes=yes):
        command.finish({"changed": False, "label": edit.label}, done, code=cli_run.FAILED)
        return
    with command.runner() as runner:
        from imagerag_assets.orchestration.relabelling import relabel_reported

        made = relabel_reported(_serving(runner.platform), runner.instance, edit)
    command.finish({"changed": True, **made}, done)


def _serving(platform: Platform) -> Platform:
    """Return the installation with the encoder that questions are answered with, whose knowledge base they use."""
    from imagerag_assets.installation.serving import UNKNOWN, find_serving

    serving = find_serving(platform, orphaned=True) if platform.has_vectors else None
    return serving.platform if serving is not None and serving.target.encoder != UNKNOWN else platform


def listed(document: Document) -> RenderableType:
    """Show a line for each label, and what was changed about them."""
    rows = [
        (each["label"], each["exemplars"], _some(each["texts"][1:]), _some(each["sources"]))
        for each in document["labels"]
    ]
    edits = [f"[dim]{plain(_said(each))}[/]" for each in document["edits"]]
    return stacked(
        table_of(("label", "exemplars", "also", "from"), rows),
        facts_of({"source": document["source"], "version": document["version"][:12]}),
        *edits,
    )


def done(document: Document) -> RenderableType:
    """Show what was done to a label."""
    if not document["changed"]:
        return "nothing was changed"
    merged = ", merged with the label of that name" if document["merged"] else ""
    line = f"{_said(document)}{merged}; {document['exemplars']:,} exemplars; {document['labels']:,} labels are left"
    return plain(line)


def _said(edit: Document) -> str:
    to = f" to {edit['to']!r}" if edit["to"] else ""
    return f"{edit['action']} {edit['label']!r}{to} ({edit['at'][:10]})"


def _some(texts: Any) -> str:
    listed = list(texts)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "; ".join(listed[:_SHOWN]) + more
