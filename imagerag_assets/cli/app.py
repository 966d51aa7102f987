"""The `imagerag` command: the application with its commands, and its entry point.

Output, errors and exit codes are in `_command`, the look of results is in `_render`, and options are read in
`_options`.  Nothing heavy is imported before a command needs it, and of the modules of commands only the one whose
command was typed: the list of all commands is in `_commands`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any

import typer

from imagerag_assets import __version__
from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli._command import (
    Debug,
    Json,
    need_subcommand,
)
from imagerag_assets.cli._commands import COMMANDS
from imagerag_assets.cli._help import HELP_OPTIONS, Group, arrange
from imagerag_assets.cli._interrupts import is_interrupt, report_interrupt
from imagerag_assets.cli._logs import quiet_libraries
from imagerag_assets.escaping import json_document

HELP = """Ask questions in plain words about large satellite and aerial scenes, and see the evidence.

To try it, run `imagerag demo`.
For your own scenes, run `imagerag ingest SOURCE`, then `imagerag ask QUESTION`.
"""
_COMPLETING = "_IMAGERAG_COMPLETE"
"""Variable with which a shell asks what it can offer."""


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _whole()


@cache
def _whole() -> typer.Typer:
    """Return the application with all its commands, as `app`."""
    return _made({each.module for each in COMMANDS.values()})


def _made(modules: Iterable[str]) -> typer.Typer:
    """Return the application with the commands of some modules of `cli`."""
    made = _empty()
    for module in sorted(modules):
        importlib.import_module(f"imagerag_assets.cli.{module}").register(made)
    arrange(made)
    return made


def _listed() -> typer.Typer:
    """Return the application with all commands as its help lists them; none of them can be run."""
    made = _empty()
    for name, each in COMMANDS.items():
        made.command(name, help=each.summary)(_nothing)
    arrange(made)
    return made


def _nothing() -> None:
    """Stand for a command in a list."""


def _empty() -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"]}
    made = typer.Typer(name="imagerag", help=HELP, cls=Group, context_settings=settings)
    made.callback(invoke_without_command=True, help=HELP)(root)
    return made


def _for(typed: Sequence[str]) -> typer.Typer:
    """Return the application as far as a command needs it; all of it to complete a line, or to say what is near."""
    if _COMPLETING in os.environ:
        return _whole()
    for word in typed:
        if word in HELP_OPTIONS:
            break
        if not word.startswith("-"):
            return _made({COMMANDS[word].module}) if word in COMMANDS else _whole()
    return _listed()


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
            code = _for(typed)(typed, standalone_mode=False, prog_name="imagerag")
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
