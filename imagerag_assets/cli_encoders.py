"""`imagerag encoders` and `imagerag encoders use`: which encoders there are, and which one is wanted.

The registry itself, and loading, are in `encoders`; moving to the chosen one is `cli_backfill`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli_render import Document, stacked, table_of
from imagerag_assets.cli_run import Debug, Json, command_of, plain, remember

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.settings import Settings

encoders_app = typer.Typer(help="List the encoders, or choose the one in use.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add `encoders`."""
    app.add_typer(encoders_app, name="encoders")


@encoders_app.callback()
def encoders(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the encoders, or choose the one in use."""
    command = remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is not None:
        return
    with command.working():
        found = describe_encoders(command.settings)
    command.finish(found, listed)


@encoders_app.command()
def use(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Registry name of an encoder.")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Choose the encoder in use; what it has not embedded yet becomes stale, and `imagerag backfill` moves to it."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        found = use_encoder(name, command.settings)
    command.finish(found, chosen)


def describe_encoders(settings: Settings) -> dict[str, Any]:
    """The registry and the active encoder; loads none and downloads nothing.

    Raises:
        SettingsError: the user's registry file is not valid.
    """
    from imagerag_assets.encoders.registry import list_encoders

    active = settings.active_encoder
    return {
        "active": active,
        "encoders": [
            {
                "name": spec.name,
                "active": spec.name == active,
                "architecture": spec.architecture,
                "checkpoint": spec.checkpoint,
                "parameters": spec.parameters,
                "licence": spec.licence,
                "description": spec.description,
            }
            for spec in list_encoders(settings)
        ],
    }


def use_encoder(name: str, settings: Settings) -> dict[str, Any]:
    """Make `name` the wanted encoder, once it has shown that it loads; Dagster is told, so that what is stale shows.

    Returns:
        ``encoder`` and ``before``; ``scenes``, and how many of them are ``stale``: not embedded by it; ``next``: what
        to run, or empty; and ``note``: empty, or why something else goes first.

    Raises:
        UnknownEncoderError: there is no such encoder.
        EncoderError: it cannot be loaded; nothing was chosen.
        StoreError: the choice cannot be written.
    """
    from imagerag_assets.encoders.registry import choose_encoder, load_encoder
    from imagerag_assets.orchestration.run import Runner
    from imagerag_assets.pipelines.scenes import list_records
    from imagerag_assets.pipelines.status import stale_scenes

    fingerprint = load_encoder(name, settings).fingerprint
    before = settings.active_encoder
    choose_encoder(name, settings)
    with Runner(settings) as runner:
        runner.observe_encoder()
        scenes = list_records(runner.platform)
        stale = stale_scenes(runner.platform, scenes, fingerprint, [])
    overridden = settings.encoder is not None and settings.encoder != name
    return {
        "encoder": name,
        "before": before,
        "scenes": len(scenes),
        "stale": len(stale),
        "next": "imagerag backfill" if scenes else "",
        "note": f"IMAGERAG_ENCODER={settings.encoder} is set and goes first: unset it" if overridden else "",
    }


def listed(document: Document) -> RenderableType:
    """The registry, the active one marked."""
    rows = [
        ("*" if each["active"] else "", each["name"], each["parameters"], each["licence"], each["description"])
        for each in document["encoders"]
    ]
    return table_of(("", "encoder", "parameters", "licence", "description"), rows)


def chosen(document: Document) -> RenderableType:
    """Which encoder is in use now, and what that leaves to do."""
    line = f"encoder in use: [bold]{plain(document['encoder'])}[/] (before: {plain(document['before'])})"
    stale, total = document["stale"], document["scenes"]
    left = f"{stale:,} of {total:,} scenes are stale; questions use the one before until: [bold]imagerag backfill[/]"
    note = f"[yellow]{plain(document['note'])}[/]" if document["note"] else None
    return stacked(line, left if stale else None, note)
