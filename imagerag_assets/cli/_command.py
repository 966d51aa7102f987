"""What all commands share: output, errors and exit codes.

A result goes to standard output as JSON or tables; everything else goes to standard error.  What a command does and
what its result looks like is in the other `cli` modules.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._interrupts import INTERRUPTED as INTERRUPTED
from imagerag_assets.cli._interrupts import print_result
from imagerag_assets.cli._layout import Paragraph
from imagerag_assets.cli._logs import configure, say
from imagerag_assets.cli._pace import Pace
from imagerag_assets.errors import ImageRAGError, InputError, disk_error
from imagerag_assets.escaping import json_document as dump
from imagerag_assets.escaping import one_line, visible
from imagerag_assets.masking import masked
from imagerag_assets.stages import listening

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.orchestration.runner import Runner
    from imagerag_assets.settings import Settings

_ENDLESS = 1_000_000  # columns of a pipe or a file
DONE, FAILED, USAGE, SOME_FAILED = 0, 1, 2, 3

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the messages of libraries.")]
Source = Annotated[
    str,
    typer.Argument(
        help="STAC catalog, collection, item, folder, s3:// prefix, or STAC API; a raster file or a folder of them; or"
        " the address of an online layer (XYZ, WMS, WMTS)."
    ),
]
LayerBox = Annotated[
    str | None, typer.Option(help="Of an online layer: the box to fetch, in degrees.", metavar="W,S,E,N")
]
LayerZoom = Annotated[int | None, typer.Option(min=0, max=24, help="Of an online layer: the zoom of web maps.")]
LayerDate = Annotated[
    str | None, typer.Option(help="Of an online layer: when its imagery was taken, e.g. 2024-06-30; fills {date}.")
]
Scenes = Annotated[
    list[str] | None,
    typer.Option(
        help="Take only the scene with this scene key or item id; repeatable.", autocompletion=completion.scenes
    ),
]
Collections = Annotated[list[str] | None, typer.Option(help="Take only items of this collection; repeatable.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after this many scenes.")]
Progress = Callable[[int, int, str], None]
Render = Callable[[dict[str, Any]], "RenderableType"]


@dataclass
class Command:
    """One invocation of a command: its output options, its settings, and its exit code."""

    as_json: bool = False
    debug: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The settings.  Unknown names are reported once, on standard error.

        Raises:
            SettingsError: a variable has no valid value.
        """
        from imagerag_assets.settings import load_settings, unknown_names

        settings = load_settings()
        configure(settings)
        if unknown := unknown_names():
            shown = (f"{name} (did you mean {close}?)" if close else name for name, close in unknown.items())
            say("warning", f"no such setting: {one_line(', '.join(shown))}")
        return settings

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep everything but the result off standard output while a command works."""
        with redirect_stdout(sys.stderr) if self.as_json else ExitStack():
            yield

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """Open the installation for a command that works on it directly; close it afterwards."""
        with self.working():
            from imagerag_assets.installation.platform import Platform

            with Platform(self.settings) as platform:
                yield platform

    @contextmanager
    def changing(self, *, close: bool = True) -> Iterator[Platform]:
        """Open the installation as :meth:`platform` does, for a command that writes in it.

        The process is known as one at work before anything is written (`objects.owners`), so that whatever a kill
        leaves is known to be of a killed process, and the next command closes it.

        Args:
            close: Close what earlier processes left, first.
        """
        with self.working():
            from imagerag_assets.installation.left_over import owners_folder, was_killed
            from imagerag_assets.objects.owners import at_work

            with at_work(owners_folder(self.settings), "commands"):
                if close and was_killed(self.settings):
                    from imagerag_assets.orchestration.dead_runs import close_at_start

                    close_at_start(self.settings)
                with self.platform() as platform:
                    yield platform

    @contextmanager
    def runner(self, progress: Progress | None = None) -> Iterator[Runner]:
        """Open the runner of Dagster's jobs in this process, which records the work; close it afterwards."""
        with self.working():
            from imagerag_assets.maintenance.restore import refuse_unfinished

            refuse_unfinished(self.settings)
            from imagerag_assets.orchestration.build import open_runner

            with open_runner(self.settings, progress=progress) as runner:
                yield runner

    def finish(self, document: dict[str, Any], render: Render, *, code: int = DONE) -> None:
        """Print the result and exit with `code`."""
        print_result()
        if self.as_json:
            print(dump(document))
        else:
            made = render(document)
            console().print(Paragraph(made) if isinstance(made, str) else made, crop=False)
        if code:
            raise typer.Exit(code)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Progress | None]:
        """Do as :meth:`progress`, and name the stages of the work there."""
        with self.progress(what) as report, listening(report and (lambda stage: report(0, 0, stage))):
            yield report

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress | None]:
        """Show a progress bar on standard error if that is a terminal and the output is not JSON; else yield None."""
        if self.as_json or not sys.stderr.isatty():
            yield None
            return
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        count = TextColumn("{task.fields[count]}")
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), count, TimeElapsedColumn())
        with Bars(*columns, console=console(stderr=True), transient=True) as bars:
            task, pace = bars.add_task(what, total=None, count=""), Pace()

            def report(done: int, total: int, doing: str) -> None:
                count = f"{done:,}/{total:,}" if total else ""
                if speed := pace.said(done, total, doing):
                    count += f", {speed}"
                bars.update(task, completed=done, total=total or None, description=plain(doing), count=count)

            yield report


def command_of(ctx: typer.Context, as_json: bool, debug: bool) -> Command:
    """Return the invocation; the two common options may come before or after the command's name."""
    before_json, before_debug = ctx.find_root().obj or (False, False)
    return Command(as_json=as_json or before_json, debug=debug or before_debug)


def remember(ctx: typer.Context, as_json: bool, debug: bool) -> Command:
    """Keep the options of a group of commands for the command that follows."""
    command = command_of(ctx, as_json, debug)
    ctx.find_root().obj = (command.as_json, command.debug)
    return command


def need_subcommand(ctx: typer.Context) -> None:
    """Print the help and raise InputError if a group of commands was given without a command."""
    if ctx.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):  # typer prints the help itself
            print(ctx.get_help())
        raise InputError("No command was given", fix=f"Write: {ctx.command_path} COMMAND")


def console(*, stderr: bool = False) -> Console:
    """Return a console on the current standard output or error; only a terminal has a width."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _ENDLESS, highlight=False, emoji=False)


def plain(text: object) -> str:
    """Return text in one line without markup for rich, since item fields, questions and answers are data."""
    from rich.markup import escape

    return escape(one_line(str(text)))


def report_failure(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print an error in one line, with `as_json` also as a JSON document; return the exit code."""
    print_result()
    if not isinstance(error, ImageRAGError):
        error = disk_error(error) or error
    known = isinstance(error, ImageRAGError)
    if debug and not isinstance(error, InputError):
        for line in masked("".join(traceback.format_exception(error))).split("\n"):
            print(visible(line), file=sys.stderr)
    text = one_line(masked(str(error)))
    if not known:
        text = f"unexpected {type(error).__name__}: {text}" if text else f"unexpected {type(error).__name__}"
    hint = "" if known or debug else ". Run it again with --debug for the traceback"
    say("error", f"{text}{hint}")
    if as_json:
        fix = error.fix if isinstance(error, ImageRAGError) else ""
        message = error.message if isinstance(error, ImageRAGError) else text
        ids = {key: str(value) for key, value in error.ids.items()} if isinstance(error, ImageRAGError) else {}
        print(
            dump(
                {
                    "error": {
                        "type": type(error).__name__,
                        "message": message,
                        "fix": fix,
                        **({"about": ids} if ids else {}),
                    }
                }
            )
        )
    return error.exit_code if isinstance(error, ImageRAGError) else FAILED


def usage_error(error: Any) -> InputError:
    """Return an error of the command line parser as one of our errors."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "imagerag"
    message, _, suggestion = error.format_message().replace(": Value error, ", ": ").partition(" Did you mean")
    hint = f"Did you mean{suggestion} " if suggestion else _nearest_value(message)
    return InputError(message.rstrip("."), fix=f"{hint}See: {command} --help")


def _nearest_value(message: str) -> str:
    """Return which value was probably meant, of the parser's message about one that is none of a few."""
    found = re.search(r"'([^']*)' is not one of (.+)", message)
    if found is None:
        return ""
    close = get_close_matches(found[1], re.findall(r"'([^']*)'", found[2]), n=1, cutoff=0.4)
    return f"Did you mean '{close[0]}'? " if close else ""


def parser_error() -> type[Exception]:
    """Return the class of the errors that typer's command line parser raises.

    Newer versions of typer include click under a private name; only this function knows it.
    """
    try:
        from typer._click.exceptions import ClickException
    except ImportError:
        from click.exceptions import ClickException  # type: ignore[assignment]
    return ClickException
