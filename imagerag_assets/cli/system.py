"""`imagerag status`, `demo`, `dev` and `doctor`: look at an installation, try it, run it and check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Command, Debug, Json, command_of
from imagerag_assets.errors import InputError


def register(app: typer.Typer) -> None:
    """Add `status`, `demo`, `dev` and `doctor`."""
    app.command("status")(status)
    app.command("demo")(demo)
    app.command("dev")(dev)
    app.command("doctor")(doctor)


def status(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Show what is stored: scenes, collections, the encoder, and failures."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.installation.status import status as read_status

        found = read_status(platform)
        killed = any(owner["state"] == "dead" for owner in found["owners"])
        found["dead_runs"] = _dead_runs(command) if killed else []
    command.finish(found, render.status)


def demo(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; default: IMAGERAG_HOME/demo-report.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw scenes, ingest them, ask questions about them, and write a report."""
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("drawing scenes") as progress:
        from imagerag_assets.demo.run import run_demo

        found = run_demo(command.settings, out or command.settings.home / "demo-report", progress)
    command.finish(found, render.demo)


def dev(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Dagster's UI; 0 picks a free one.")] = 3000,
    host: Annotated[str, typer.Option(help="Address that Dagster's UI listens on.")] = "127.0.0.1",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run Dagster's UI and daemon and a local Milvus, until you interrupt the command."""
    command = command_of(ctx, as_json, debug)
    from imagerag_assets.maintenance.restore import refuse_unfinished
    from imagerag_assets.orchestration.dev import run_dev

    refuse_unfinished(command.settings)
    code = run_dev(command.settings, host=host, port=port, verbose=debug)
    command.finish({"stopped": True, "exit_code": code}, render.nothing, code=code)


def doctor(
    ctx: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also compare all that is stored: shards, rows, partitions, answers, ...")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="With --deep: mend what can be mended; nothing that is needed is deleted.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check what is configured, reachable and missing, and say how to fix each problem.

    With --deep, also compare shards, rows, partitions, records, runs, locks and answers, and name each difference.
    """
    if repair and not deep:
        raise InputError("--repair mends what --deep finds", fix="Give both: imagerag doctor --deep --repair")
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.installation.doctor import examine
        from imagerag_assets.orchestration.run_check import check_runs

        checks = [check.to_dict() for check in [*examine(command.settings), check_runs(command.settings)]]
    found: dict[str, Any] = {"checks": checks}
    failed = any(check["status"] == "fail" for check in checks)
    code = cli_run.FAILED if failed else cli_run.DONE
    if deep:
        found |= _look_deep(command, repair)
        if found["totals"]["left"] and not failed:
            code = cli_run.SOME_FAILED if repair else cli_run.FAILED
    command.finish(found, render.doctor, code=code)


def _look_deep(command: Command, repair: bool) -> dict[str, Any]:
    opened = command.changing(close=False) if repair else command.platform()  # what is left is to be shown as mended
    with command.progress("looking") as progress, opened as platform:
        from imagerag_assets.orchestration.dagster_home import dagster_instance
        from imagerag_assets.orchestration.deep_looks import Looked, look_deep

        with dagster_instance(command.settings) as instance:
            return look_deep(Looked(platform, instance, progress), repair=repair)


def _dead_runs(command: Command) -> list[dict[str, Any]]:
    from imagerag_assets.orchestration.run_check import dead_runs  # loads Dagster

    return [run.to_dict() for run in dead_runs(command.settings)]
