"""`imagerag sources` and `imagerag purge`: which sources are watched, and getting rid of what has left them.

What can be typed and how results look; the work is in `watched_sources.sources` and `scenes.removed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli._command import Debug, Json, command_of, plain, remember
from imagerag_assets.cli._render import stacked, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_RELOAD = "Reload the definitions in the UI, or start `imagerag dev` again, for its sensor to follow"

sources_app = typer.Typer(help="List, add or remove the sources that are watched.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Register `sources` and `purge`."""
    app.add_typer(sources_app, name="sources")
    app.command("purge")(purge)


@sources_app.callback()
def sources(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List, add or remove the sources that are watched."""
    remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is None:
        list_(ctx, as_json, debug)


@sources_app.command("list")
def list_(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """The watched sources."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.watched_sources.sources import list_sources

        found = [source.to_dict() for source in list_sources(command.settings)]
    command.finish({"file": str(command.settings.watched_sources_file), "sources": found}, listed)


@sources_app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Short name: lower case letters, digits, underscores.")],
    source: Annotated[str, typer.Argument(help="STAC catalog, folder, s3:// prefix, or API.")],
    collection: Annotated[list[str] | None, typer.Option(help="Only items of this collection; repeatable.")] = None,
    max_new: Annotated[int | None, typer.Option(help="Scenes requested by one tick at most.")] = None,
    look_back: Annotated[str | None, typer.Option(help="How late an item may come, e.g. 3d.")] = None,
    every: Annotated[int | None, typer.Option(help="Seconds between ticks.")] = None,
    fresh_within: Annotated[str | None, typer.Option(help="A scene is expected at least so often, e.g. 2d.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Its sensor and schedule start switched off.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Watch a source: a sensor ingests what is new in it, and a daily scan finds what changed or left."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.watched_sources.sources import add_source

        done = add_source(
            command.settings,
            name,
            source,
            collections=collection,
            max_new=max_new,
            look_back=look_back,
            every=every,
            fresh_within=fresh_within,
            enabled=False if disabled else None,
        )
    command.finish({"added": done.to_dict(), "note": _RELOAD}, changed)


@sources_app.command()
def remove(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a watched source.")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Stop watching a source; its scenes stay."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.watched_sources.sources import remove_source

        done = remove_source(command.settings, name)
    command.finish({"removed": done.to_dict(), "note": _RELOAD}, changed)


def purge(
    ctx: typer.Context,
    scene: Annotated[list[str] | None, typer.Option(help="Only this marked scene; repeatable.")] = None,
    older_than: Annotated[str, typer.Option(help="Only ones marked at least so long ago, e.g. 0s, 7d.")] = "7d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be purged.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete scenes whose item has left its source (see status); answers are kept."""
    command = command_of(ctx, as_json, debug)
    with command.runner() as runner:
        from imagerag_assets.orchestration.purging import purge_marked

        done = purge_marked(
            runner.platform, runner.instance, scenes=scene or (), older_than=older_than, dry_run=dry_run
        )
    command.finish({"dry_run": dry_run, "scenes": done}, purged)


def listed(document: dict[str, Any]) -> RenderableType:
    """The watched sources."""
    columns = ("name", "source", "collections", "max_new", "every_s", "enabled")
    rows = [[each[column] for column in columns] for each in document["sources"]]
    return table_of(columns, rows) if rows else f"no source is watched ({plain(document['file'])})"


def changed(document: dict[str, Any]) -> RenderableType:
    """What was added or removed, and what to do now."""
    what, entry = next(iter(document.items()))
    return stacked(f"{what}: [bold]{plain(entry['name'])}[/] {plain(entry['source'])}", f"[dim]{document['note']}[/]")


def purged(document: dict[str, Any]) -> RenderableType:
    """Each scene that was, or would be, purged."""
    rows = [(each["scene"], each["rows"], each["objects"]) for each in document["scenes"]]
    return table_of(("scene", "rows", "objects"), rows) if rows else "nothing to purge"
