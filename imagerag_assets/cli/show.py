"""`imagerag show`: make the page of an answer, and open it."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Command, Debug, Json, command_of
from imagerag_assets.errors import StoreError
from imagerag_assets.escaping import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.installation.platform import Platform


def register(app: typer.Typer) -> None:
    """Add `show`."""
    app.command("show")(show)


def show(
    ctx: typer.Context,
    answer_id: Annotated[
        str, typer.Argument(help="Id of an answer, as `imagerag ask` and `imagerag answers` print it.")
    ],
    out: Annotated[Path | None, typer.Option(help="File to write the page to; default: beside the answer.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make the page of an answer: one HTML file with imagery, cues, downloads and lineage, to look at and to send.

    The page holds everything it shows and loads nothing from elsewhere.
    """
    command = command_of(ctx, as_json, debug)
    page, size = make_page(command, answer_id, out, local=open_it)
    command.finish({"answer_id": answer_id, "page": page, "bytes": size}, shown)
    if open_it:
        open_page(page)


def make_page(command: Command, answer_id: str, out: Path | None = None, *, local: bool = False) -> tuple[str, int]:
    """Make the page of an answer and return where it is, and its size in bytes.

    Args:
        command: The invocation.
        answer_id: Of the answer.
        out: A file to write it to as well.
        local: Whether it is to be a file of this machine, which that of a bucket is not.

    Raises:
        UnknownAnswerError: There is no such answer.
        StoreError: The store or the file cannot be written.
    """
    with command.platform() as platform:
        from imagerag_assets.pages.answer_page import write_answer_page

        key = write_answer_page(platform, answer_id)
        held, place = platform.store.read_bytes(key), platform.store.url(key)
        if out is None and local and "://" in place:
            out = _kept(platform, answer_id)
        if out is not None:
            place = _write(out, held)
        return place, len(held)


def open_page(page: str) -> None:
    """Open a page in the browser; where there is none, say which file to open."""
    if not webbrowser.open(Path(page).absolute().as_uri()):
        typer.echo(f"No browser could be started. Open this file: {one_line(page)}", err=True)


def shown(document: render.Document) -> RenderableType:
    """Show where the page is."""
    return render.facts_of({"page": document["page"], "size": render.size(document["bytes"])})


def _kept(platform: Platform, answer_id: str) -> Path:
    return platform.settings.home / "pages" / f"{answer_id}.html"


def _write(file: Path, held: bytes) -> str:
    from imagerag_assets.objects.aside import replace_text

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, held.decode())
    except OSError as error:
        raise StoreError(
            f"The page cannot be written: {error}", fix="Give another file with --out", path=file
        ) from None
    return str(file)
