"""The `imagerag` command: the application with all its commands, and its entry point.

Output, errors and exit codes are in `_command`, the look of results is in `_render`, and options are read in
`_options`.  Nothing heavy is imported before a command needs it, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from imagerag_assets import __version__
from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import (
    ask,
    backup,
    calibrate,
    concepts,
    encoders,
    evaluate,
    exchange,
    index,
    ingest,
    knowledge,
    lineage,
    mcp,
    scenes,
    serve,
    show,
    sources,
    system,
    train,
    watch,
    words,
)
from imagerag_assets.cli._command import (
    Debug,
    Json,
    need_subcommand,
)
from imagerag_assets.cli._help import Group, arrange
from imagerag_assets.cli._interrupts import is_interrupt, report_interrupt
from imagerag_assets.cli._logs import quiet_libraries
from imagerag_assets.escaping import json_document

HELP = """Ask questions in plain words about large satellite and aerial scenes, and see the evidence.

To try it, run `imagerag demo`.
For your own scenes, run `imagerag ingest SOURCE`, then `imagerag ask QUESTION`.
"""
_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(name="imagerag", help=HELP, cls=Group, context_settings=_SETTINGS)
for group in (
    ingest,
    ask,
    system,
    serve,
    mcp,
    index,
    encoders,
    calibrate,
    evaluate,
    exchange,
    knowledge,
    concepts,
    scenes,
    sources,
    train,
    watch,
    lineage,
    show,
    backup,
    words,
):
    group.register(app)
arrange(app)


@app.callback(invoke_without_command=True, help=HELP)
def root(
    ctx: typer.Context,
    as_json: Json = False,
    debug: Debug = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version or the help, and keep the common options for the command that follows."""
    ctx.obj = (as_json, debug)
    if version:
        print(json_document({"version": __version__}) if as_json else __version__)
        raise typer.Exit
    need_subcommand(ctx)


def run(typed: Sequence[str]) -> int:
    """Run one command and return its exit code; report every error and raise none but an interrupt of a library."""
    as_json, debug = "--json" in typed, "--debug" in typed
    with quiet_libraries(debug):
        try:
            code = app(typed, standalone_mode=False, prog_name="imagerag")
        except cli_run.parser_error() as error:
            return cli_run.report_failure(cli_run.usage_error(error), as_json=as_json, debug=debug)
        except (KeyboardInterrupt, typer.Abort):
            return report_interrupt(as_json=as_json)
        except BrokenPipeError:  # the reader of our output has left
            sys.stdout = None
            return cli_run.FAILED
        except Exception as error:  # the last line of defence: one line, no traceback
            if is_interrupt(error):
                return report_interrupt(as_json=as_json)
            return cli_run.report_failure(error, as_json=as_json, debug=debug)
    if code == cli_run.INTERRUPTED:  # typer turns an interrupt into an exit code
        return report_interrupt(as_json=as_json)
    return code if isinstance(code, int) else cli_run.DONE
