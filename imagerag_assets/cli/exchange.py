"""`imagerag export` and `imagerag import`: copy embeddings from one installation to another.

Only the options and the look of results are here; the work is in `exchange.exporting` and `exchange.importing`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of, plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add `export` and `import`."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix to write to.")],
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="Export only the scene with this scene key; repeatable; default: all scenes.",
            autocompletion=completion.scenes,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Export the embeddings of this encoder; default: the chosen encoder.",
            autocompletion=completion.encoders,
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete outdated copies in OUT, and copies of scenes that are not exported now."),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write embeddings as GeoParquet with a STAC collection, for another installation to import."""
    command = command_of(ctx, as_json, debug)
    with command.progress("exporting") as progress, command.changing() as platform:
        from imagerag_assets.exchange.exporting import export as export_embeddings

        report = export_embeddings(platform, out, scenes=scene or (), encoder=encoder, prune=prune, progress=progress)
        done = report.to_dict()
    command.finish(done, exported, code=cli_run.SOME_FAILED if done["totals"]["failed"] else cli_run.DONE)


def import_(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix that `imagerag export` wrote.")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Import exported embeddings of the chosen encoder and index them; embed nothing again."""
    command = command_of(ctx, as_json, debug)
    started = time.perf_counter()
    with command.progress("importing") as progress, command.runner(progress) as runner:
        from imagerag_assets.orchestration.import_events import import_source

        results = [result.to_dict() for result in import_source(runner, source)]
    totals: dict[str, Any] = {
        status: sum(each["status"] == status for each in results) for status in ("imported", "skipped", "failed")
    }
    totals |= {
        "patches": sum(each["patches"] for each in results),
        "seconds": round(time.perf_counter() - started, 3),
    }
    code = cli_run.SOME_FAILED if totals["failed"] else cli_run.DONE
    command.finish({"source": source, "scenes": results, "totals": totals}, imported, code=code)


def exported(document: render.Document) -> RenderableType:
    """Show each scene, the totals, and where the collection is."""
    where = document["collection"]
    line = f"collection: [bold]{plain(where)}[/]" if where else "[red]nothing was written[/]"
    return render.stacked(_scenes(document, ("scene", "status", "patches", "bytes", "seconds")), line)


def imported(document: render.Document) -> RenderableType:
    """Show each scene and the totals."""
    return _scenes(document, ("scene", "status", "patches", "seconds"))


def _scenes(document: render.Document, columns: tuple[str, ...]) -> RenderableType:
    scenes, totals = document["scenes"], document["totals"]
    rows = [[each[column] for column in columns] for each in scenes]
    line = ", ".join(f"{value:,} {name}" for name, value in totals.items())
    failed = [f"[red]{plain(each['scene'])}[/]: {plain(each['error'])}" for each in scenes if each["error"]]
    return render.stacked(render.table_of(columns, rows), f"[bold]{line}[/]", *failed)
