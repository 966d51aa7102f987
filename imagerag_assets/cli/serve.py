"""`imagerag serve`: answer questions over HTTP, and those of commands, in one process that has everything loaded."""

from __future__ import annotations

from typing import Annotated

import typer

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of


def register(app: typer.Typer) -> None:
    """Add `serve`."""
    app.command("serve")(serve)


def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    no_port: Annotated[
        bool, typer.Option("--no-port", help="Serve commands of this machine only, and end when there are none.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the process that serves commands.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer questions over HTTP and on a page, until you interrupt the command, with models loaded once.

    While it runs, `imagerag ask` and question runs of Dagster on this machine use it, too.
    """
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.serve.server import serve as run_server
        from imagerag_assets.serve.server import stop_resident

        if stop:
            stopped = stop_resident(command.settings)
        else:
            run_server(command.settings, host=host, port=None if no_port else port)
            stopped = True
    command.finish({"stopped": stopped}, render.nothing)
