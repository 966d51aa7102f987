"""`imagerag index`: make the rows of Milvus anew from what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Debug, Json, command_of, need_subcommand, plain, remember
from imagerag_assets.cli._render import Document, facts_of, stacked, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType

index_app = typer.Typer(invoke_without_command=True, help="Make the rows of Milvus anew from stored embeddings.")


def register(app: typer.Typer) -> None:
    """Add `index`."""
    app.add_typer(index_app, name="index")


@index_app.callback()
def index(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Make the rows of Milvus anew from stored embeddings."""
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


@index_app.command("rebuild")
def rebuild(
    ctx: typer.Context,
    scenes: Annotated[
        list[str] | None, typer.Argument(help="Scene key, as `imagerag scenes` lists it; default: all.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Registry name; default: the chosen encoder.", autocompletion=completion.encoders)
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the rows of Milvus from the shards, after its data was deleted or lost.

    No imagery is read and nothing is embedded. Scenes whose rows are complete are left as they are, so a rebuild that
    was stopped continues where it was.
    """
    command = command_of(ctx, as_json, debug)
    with command.progress("looking at scenes") as progress, command.changing() as platform:
        from imagerag_assets.ingestion.rebuild import rebuild as work

        done = work(platform, encoder, scenes or (), progress=progress)
    totals = done["totals"]
    code = cli_run.SOME_FAILED if totals["failed"] or totals["missing"] else cli_run.DONE
    command.finish(done, _render, code=code)


def _render(done: Document) -> RenderableType:
    wrong = [each for each in done["scenes"] if each["error"]]
    totals = done["totals"]
    facts = facts_of(
        {
            "collection": f"{done['collection']} ({done['encoder']})",
            "scenes": f"{totals['rebuilt']} rebuilt, {totals['complete']} complete,"
            f" {totals['missing']} without a shard, {totals['failed']} failed",
            "rows": f"{totals['rows']:,}",
            "in use": done["alias"] or "none",
            **({"note": "; ".join(done["notes"])} if done["notes"] else {}),
        }
    )
    if not wrong:
        return facts
    rows = [[plain(each["scene"]), plain(each["error"])] for each in wrong]
    return stacked(table_of(["scene", "why not"], rows), facts)
