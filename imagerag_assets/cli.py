"""The `imagerag` command: what can be typed.  Each command is a thin call into the package.

How a command reports (JSON, tables, errors, exit codes) is in `cli_run`, what results look like in `cli_render`, how
options are read in `cli_options`.  Nothing heavy is imported before a command needs it, so that `--help` is quick.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from imagerag_assets import (
    __version__,
    cli_backfill,
    cli_encoders,
    cli_evaluate,
    cli_export,
    cli_knowledge,
    cli_lineage,
    cli_options,
    cli_retry,
    cli_run,
    cli_sources,
    cli_train,
    cli_watch,
)
from imagerag_assets import cli_render as render
from imagerag_assets.cli_options import Mode, PaperDivision, Retrieval, SearchPath
from imagerag_assets.cli_run import (
    Collections,
    Debug,
    Json,
    Limit,
    Scenes,
    Source,
    command_of,
    need_subcommand,
)
from imagerag_assets.errors import InputError

try:  # newer typers carry click inside
    from typer._click.exceptions import ClickException
except ImportError:
    from click.exceptions import ClickException  # type: ignore[assignment]

HELP = "Find scenes, ask questions about them in plain words, and see the evidence."
_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(name="imagerag", help=HELP, add_completion=False, context_settings=_SETTINGS)
cli_backfill.register(app)
cli_encoders.register(app)
cli_evaluate.register(app)
cli_export.register(app)
cli_knowledge.register(app)
cli_sources.register(app)
cli_train.register(app)
cli_retry.register(app)
cli_watch.register(app)
cli_lineage.register(app)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    as_json: Json = False,
    debug: Debug = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Find scenes, ask questions about them in plain words, and see the evidence."""
    ctx.obj = (as_json, debug)
    if version:
        print(cli_run.dump({"version": __version__}) if as_json else __version__)
        raise typer.Exit
    need_subcommand(ctx)


@app.command()
def ingest(
    ctx: typer.Context,
    source: Source,
    scene: Scenes = None,
    collection: Collections = None,
    limit: Limit = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the scenes of a source; register, divide, embed and index the new and changed ones."""
    command = command_of(ctx, as_json, debug)
    started = time.perf_counter()
    results: list[dict[str, Any]] = []
    with command.progress("looking for scenes") as progress, command.runner(progress) as runner:
        for result in runner.ingest_source(source, collections=collection or (), scenes=scene or (), limit=limit):
            results.append(result.to_dict())
            if progress is not None:
                progress(0, 0, f"{len(results)} scenes; {result.scene} {result.status}")
    counts = {status: sum(r["status"] == status for r in results) for status in ("ingested", "skipped", "failed")}
    patches = sum(result["patches"] for result in results)
    totals = {**counts, "patches": patches, "seconds": round(time.perf_counter() - started, 3)}
    code = cli_run.SOME_FAILED if counts["failed"] else cli_run.DONE
    command.finish({"scenes": results, "totals": totals}, render.ingest, code=code)


@app.command()
def ask(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(help="The question, in plain words.")] = None,
    choice: Annotated[list[str] | None, typer.Option(help="A choice, LETTER=TEXT; repeatable.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Only this scene; repeatable.")] = None,
    bbox: Annotated[str | None, typer.Option(help="Only this area: W,S,E,N in degrees.")] = None,
    datetime: Annotated[str | None, typer.Option(help="Only scenes acquired in START/END (either may be ..).")] = None,
    path: Annotated[SearchPath, typer.Option(help="How cues are looked for.")] = SearchPath.AUTO,
    top_k: Annotated[int | None, typer.Option(min=1, max=50, help="Cues given at most; default: the setting.")] = None,
    retrieval: Annotated[Retrieval, typer.Option(help="Ours, or the published algorithm.")] = Retrieval.DEFAULT,
    division: Annotated[PaperDivision | None, typer.Option(help="For --retrieval paper.")] = None,
    like: Annotated[str | None, typer.Option(help="Find what looks like this picture file or patch id.")] = None,
    after: Annotated[str | None, typer.Option(help="Id of an answer that this question follows up.")] = None,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="Only look for cues.")] = False,
    batch: Annotated[Path | None, typer.Option(help="JSONL file of questions.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSONL file for the answers, one a line.")] = None,
    mode: Annotated[Mode, typer.Option(help="What questions are answered from.")] = Mode.IMAGERAG,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask a question, or a file of questions with --batch IN --out OUT."""
    command = command_of(ctx, as_json, debug)
    for name, value in (("like", like), ("after", after)):
        if batch is not None and value is not None:
            raise InputError(f"--{name} does not go with --batch", fix="Ask such questions one at a time")
    cli_options.check_one_of(question if like is None else question or "", batch, out)
    options = cli_options.ask_options(
        scenes=scene or (),
        bbox=bbox,
        datetime=datetime,
        path=path.value,
        top_k=top_k,
        retrieval=retrieval.value,
        division=division.value if division else None,
        answer=not no_answer,
        mode=mode.value,
    )
    choices = cli_options.parse_choices(choice or ())
    if batch is not None and choices:
        raise InputError("--choice does not go with --batch", fix="Give the choices in the lines of the file")
    with command.progress("asking") as progress, command.runner(progress) as runner:
        from imagerag_assets.pipelines.ask import Question

        if batch is not None and out is not None:
            done = runner.ask_batch(batch, out, **options)
        else:
            done = runner.ask(Question(question=question or "", choices=choices, like=like, after=after, **options))
    code = cli_run.SOME_FAILED if done.get("failed") else cli_run.DONE
    command.finish(done, render.answer if batch is None else render.batch, code=code)


@app.command()
def status(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """What is stored: scenes, collections, the encoder, failures."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.pipelines.status import status as read_status

        found = read_status(platform)
    command.finish(found, render.status)


@app.command()
def demo(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default: HOME/demo-report.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw scenes, ingest them, ask questions about them and write a report."""
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("drawing scenes") as progress:
        from imagerag_assets.demo.run import run_demo

        found = run_demo(command.settings, out or command.settings.home / "demo-report", progress)
    command.finish(found, render.demo)


@app.command()
def dev(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the Dagster UI; 0: a free one.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run the Dagster UI, its daemon and a local Milvus, until interrupted."""
    command = command_of(ctx, as_json, debug)
    from imagerag_assets.orchestration.dev import run_dev

    code = run_dev(command.settings, host=host, port=port)
    command.finish({"stopped": True, "exit_code": code}, render.nothing, code=code)


@app.command()
def doctor(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """What is configured, reachable and missing, and the fix for each."""
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.pipelines.doctor import examine

        checks = [check.to_dict() for check in examine(command.settings)]
    failed = any(check["status"] == "fail" for check in checks)
    command.finish({"checks": checks}, render.doctor, code=cli_run.FAILED if failed else cli_run.DONE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises for what a person did or met."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    as_json, debug = "--json" in typed, "--debug" in typed
    with cli_run.quiet_libraries(debug):
        try:
            code = app(typed, standalone_mode=False, prog_name="imagerag")
        except ClickException as error:
            return cli_run.report_failure(cli_run.usage_error(error), as_json=as_json, debug=debug)
        except (KeyboardInterrupt, typer.Abort):
            return cli_run.report_interrupt(as_json=as_json)
        except BrokenPipeError:  # the reader of our output has left
            sys.stdout = None
            return cli_run.FAILED
        except Exception as error:  # the last line of defence: one line, no traceback
            return cli_run.report_failure(error, as_json=as_json, debug=debug)
    if code == cli_run.INTERRUPTED:  # typer turns an interrupt into an exit code
        return cli_run.report_interrupt(as_json=as_json)
    return code if isinstance(code, int) else cli_run.DONE


if __name__ == "__main__":
    sys.exit(main())
