"""`imagerag backup` and `imagerag restore`: copies of what cannot be made again.

Only the options and the look of results are here; the work is in `maintenance.backup` and `maintenance.restore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of, plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add `backup` and `restore`."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="New folder or s3://bucket/prefix to write to.")],
    with_shards: Annotated[
        bool, typer.Option("--with-shards", help="Copy the embeddings, too; otherwise they are made again.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Back up what cannot be made again: answers, standing questions, records, settings and Dagster's history.

    Models, imagery and secrets are not in a backup: keep `.env` elsewhere.
    """
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("backing up") as progress:
        from imagerag_assets.maintenance.backup import back_up
        from imagerag_assets.maintenance.restore import refuse_unfinished

        refuse_unfinished(command.settings)
        made = back_up(command.settings, target, with_shards=with_shards, progress=progress)
    command.finish(made.to_dict(), backed_up)


def restore(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix that `imagerag backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Restore to an installation that is not empty; move what differs aside.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Restore a backup, after checking all of it; then `imagerag doctor --deep --repair` makes the rest again."""
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("restoring") as progress:
        from imagerag_assets.maintenance.restore import restore as restore_backup
        from imagerag_assets.orchestration.dead_runs import close_restored_runs

        done = restore_backup(command.settings, source, replace=replace, progress=progress).to_dict()
        done["closed_runs"] = close_restored_runs(command.settings)
    command.finish(done, restored)


def backed_up(document: render.Document) -> RenderableType:
    """Show where the backup is, and what is not in it."""
    facts = {
        "backup": document["backup"],
        "files": f"{document['files']:,} ({render.size(document['bytes'])})",
        "embeddings": "in it" if document["with_shards"] else "not in it",
        "left out": "; ".join(document["left_out"]),
    }
    return render.stacked(render.facts_of(facts), *(f"[yellow]{plain(note)}[/]" for note in document["notes"]))


def restored(document: render.Document) -> RenderableType:
    """Show what was restored, and what to run next."""
    facts = {
        "backup": f"{document['backup']} of {document['made']}",
        "files": f"{document['files']:,} ({render.size(document['bytes'])})",
        "moved aside": document["aside"],
        "next": document["next"],
    }
    return render.facts_of(facts)
