"""`imagerag evaluate`: measure answers and cues with files of questions whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli._command import Command, Debug, Json, command_of, plain
from imagerag_assets.cli._layout import Table
from imagerag_assets.cli._options import question_options, read_options
from imagerag_assets.cli._render import stacked

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.evaluation.loaders import Loaded


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(evaluate)


@question_options(only=("mode", "path", "top_k", "retrieval", "division", "answer"))
def evaluate(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Files of questions: imagerag's JSONL, MME-RealWorld, LRS-VQA or XLRS-Bench.")
    ],
    images: Annotated[
        Path | None, typer.Option(help="Folder of a benchmark's pictures, which are ingested first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; an interrupted run continues; default: a new folder in IMAGERAG_HOME."),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Folder of another run to compare with, question by question.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Ask files of questions whose answers are known, and measure the answers and cues.

    Print each figure with its 95 % interval, and write a table and a plot.
    """
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("reading questions") as progress:
        from imagerag_assets.evaluation.evaluate import evaluate as run
        from imagerag_assets.evaluation.evaluate import new_folder
        from imagerag_assets.evaluation.loaders import load_cases

        loaded = load_cases(files, images=images)
        folder = out or new_folder(command.settings)
        if images is not None:
            _ingest(command, loaded, images, folder, progress)
        with command.changing() as platform:
            done = run(platform, loaded, folder, options=read_options(typed), compare=compare, progress=progress)
    complete = not done["failed"] and not done["left_out"]
    command.finish(done, render, code=cli_run.DONE if complete else cli_run.SOME_FAILED)


def _ingest(command: Command, loaded: list[Loaded], images: Path, folder: Path, progress: Any) -> None:
    """Ingest a benchmark's pictures.  One that fails is listed as missing, and the store keeps the reason."""
    from imagerag_assets.evaluation.images import find_images, write_catalog
    from imagerag_assets.orchestration.build import open_runner

    found = find_images([case for each in loaded for case in each.cases], images)
    if found:
        with open_runner(command.settings, progress=progress) as runner:
            list(runner.ingest_source(str(write_catalog(found, folder / "pictures"))))


def render(document: Mapping[str, Any]) -> RenderableType:
    """Show the figures, the comparison, and what was not asked."""
    from imagerag_assets.evaluation.report import comparison_rows, figure_rows, interval, told

    rows = [
        [plain(name), told(figure), interval(figure), str(figure["n"])]
        for name, figure in figure_rows(document["metrics"])
    ]
    figures = Table(("figure", "value", "95 % interval", "n"), rows, frozenset({1, 2, 3}))
    parts: list[RenderableType] = [figures]
    parts += [f"[dim]{plain(each['protocol'])}[/]" for each in document.get("files", ()) if each.get("protocol")]
    if "comparison" in document:
        columns, changed = comparison_rows(document["comparison"])
        changes = Table(columns, changed, title="compared with the other run")
        parts.append(changes)
    for scene, image in document["run"]["missing"].items():
        parts.append(f"[yellow]missing[/] {plain(image)}{'' if image == scene else f' ({plain(scene)})'}")
    left_out, failed = document["left_out"], document["failed"]
    if left_out or failed:
        parts.append(f"[yellow]{left_out} questions were not asked, {failed} could not be answered[/]")
    return stacked(
        *parts, f"[bold]{document['questions']} questions[/]; table and plot: {plain(document['report']['table'])}"
    )
