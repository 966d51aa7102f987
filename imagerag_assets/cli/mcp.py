"""`imagerag mcp`: the operations as tools for assistants."""

from __future__ import annotations

from typing import Annotated

import typer

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of


def register(app: typer.Typer) -> None:
    """Add `mcp`."""
    app.command("mcp")(mcp)


def mcp(
    ctx: typer.Context,
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP instead of standard input and output.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --http: port to listen on; 0 picks a free one.")
    ] = 8001,
    host: Annotated[str, typer.Option(help="With --http: address to listen on.")] = "127.0.0.1",
    allow_ingest: Annotated[
        bool, typer.Option("--allow-ingest", help="Also offer to ingest and backfill, after an estimate and consent.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Let an assistant use the scenes, over the Model Context Protocol.

    An assistant's program starts this command and speaks with it; docs/assistants.md says how to set it up.
    """
    command = command_of(ctx, as_json, debug)
    if http:
        with command.working():
            from imagerag_assets.assistants.http import serve_http

            serve_http(command.settings, host=host, port=port, allow_ingest=allow_ingest)
        command.finish({"stopped": True}, render.nothing)
    else:  # standard output is the client's
        from imagerag_assets.assistants.stdio import serve_stdio

        serve_stdio(command.settings, allow_ingest=allow_ingest)
