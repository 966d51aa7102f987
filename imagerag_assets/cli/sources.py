"""`imagerag sources` and `imagerag purge`: watch sources, and delete scenes that have left them.

Only the options and the look of results are here; the work is in `watched_sources.sources` and `scenes.removed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Debug, Json, LayerBox, LayerDate, LayerZoom, command_of, plain, remember
from imagerag_assets.cli._render import stacked, table_of
from imagerag_assets.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

_RELOAD = "To apply this, reload the definitions in Dagster's UI, or restart `imagerag dev`"

sources_app = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Register `sources` and `purge`."""
    app.add_typer(sources_app, name="sources")
    app.command("purge")(purge)


@sources_app.callback()
def sources(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List, add or remove watched sources.

    Dagster's daemon ingests the new and changed scenes of a watched source.
    `imagerag dev` starts the daemon.
    """
    remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is None:
        list_(ctx, as_json, debug)


@sources_app.command("list")
def list_(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the watched sources."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.watched_sources.sources import list_sources

        found = [source.to_dict() for source in list_sources(command.settings)]
    command.finish({"file": str(command.settings.watched_sources_file), "sources": found}, listed)


@sources_app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Short name of lower-case letters, digits and underscores.")],
    source: Annotated[
        str,
        typer.Argument(
            help="STAC catalog, folder, s3:// prefix, or STAC API; a folder or prefix of rasters; or an online layer."
        ),
    ],
    collection: Annotated[
        list[str] | None, typer.Option(help="Take only items of this collection; repeatable.")
    ] = None,
    max_new: Annotated[
        int | None, typer.Option(help="Ingest at most this many scenes each time the source is read; default: 50.")
    ] = None,
    look_back: Annotated[
        str | None, typer.Option(help="How late an item may arrive, e.g. 12h or 3d; default: 3d.")
    ] = None,
    every: Annotated[
        int | None, typer.Option(help="Wait at least this many seconds before reading the source again; default: 60.")
    ] = None,
    fresh_within: Annotated[
        str | None, typer.Option(help="Expect a new scene at least this often, e.g. 2d; default: no expectation.")
    ] = None,
    bbox: LayerBox = None,
    zoom: LayerZoom = None,
    date: LayerDate = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Start with the sensor and the schedule of the source switched off.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Watch a source, so that its new scenes are ingested as they arrive.

    A Dagster sensor ingests new and changed items.
    A daily scan finds items that have changed or are gone.
    Both run in Dagster's daemon, which `imagerag dev` starts.
    """
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
            bbox=_box(bbox),
            zoom=zoom,
            date=date,
            enabled=False if disabled else None,
        )
    command.finish({"added": done.to_dict(), "note": _RELOAD}, changed)


def _box(text: str | None) -> list[float] | None:
    """Return the numbers of a box; whether they make one is checked where the entry is."""
    try:
        return None if text is None else [float(value) for value in text.split(",")]
    except ValueError:
        raise InputError(f"The bbox {text!r} is not four numbers", fix="Give W,S,E,N in degrees") from None


@sources_app.command()
def remove(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a watched source.", autocompletion=completion.sources)],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Stop watching a source; keep its scenes."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.watched_sources.sources import remove_source

        done = remove_source(command.settings, name)
    command.finish({"removed": done.to_dict(), "note": _RELOAD}, changed)


def purge(
    ctx: typer.Context,
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="Delete only this scene, whenever its item left; repeatable.", autocompletion=completion.scenes
        ),
    ] = None,
    older_than: Annotated[
        str, typer.Option(help="Delete only scenes whose item left at least this long ago, e.g. 0s.")
    ] = "7d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be deleted.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete scenes whose item has left its source; keep all answers.

    `imagerag status` lists these scenes.
    """
    command = command_of(ctx, as_json, debug)
    with command.runner() as runner:
        from imagerag_assets.orchestration.purging import purge_marked

        done = purge_marked(
            runner.platform, runner.instance, scenes=scene or (), older_than=older_than, dry_run=dry_run
        )
    command.finish({"dry_run": dry_run, "scenes": done}, purged)


def listed(document: dict[str, Any]) -> RenderableType:
    """Show the watched sources."""
    columns = ("name", "source", "collections", "max_new", "every_s", "enabled")
    rows = [[each[column] for column in columns] for each in document["sources"]]
    return table_of(columns, rows) if rows else f"no watched sources ({plain(document['file'])})"


def changed(document: dict[str, Any]) -> RenderableType:
    """Show what was added or removed, and what to do now."""
    what, entry = next(iter(document.items()))
    return stacked(f"{what}: [bold]{plain(entry['name'])}[/] {plain(entry['source'])}", f"[dim]{document['note']}[/]")


def purged(document: dict[str, Any]) -> RenderableType:
    """Show each scene that was or would be deleted."""
    rows = [(each["scene"], each["rows"], each["objects"]) for each in document["scenes"]]
    return table_of(("scene", "rows", "objects"), rows) if rows else "nothing to purge"
