"""`imagerag words`: the five words to know."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of
from imagerag_assets.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

WORDS = {
    "scene": "One image of the ground with its date and place, named by a scene key. Sources list scenes; `imagerag"
    " ingest` makes them findable.",
    "patch": "A square part of a scene, small enough to look at. Each scene is cut into patches of several sizes.",
    "encoder": "The model that turns patches and words into vectors, so that they can be compared. Changing it needs"
    " `imagerag backfill`.",
    "cue": "A patch that shows what a question asks about: the evidence of an answer, with its place and confidence.",
    "path": "How the cues were found: fast compares patches with the words, slow with examples from the knowledge"
    " bases; none means that there was nothing sure enough to show.",
}
"""The glossary."""


def register(app: typer.Typer) -> None:
    """Add `words`."""
    app.command("words")(words)


def words(
    ctx: typer.Context,
    word: Annotated[str | None, typer.Argument(help="One of the words; default: all.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Explain the five words that answers and commands use: scene, patch, encoder, cue, path.

    For the words that an encoder knows, see `imagerag encoders words`.
    """
    command = command_of(ctx, as_json, debug)
    chosen = WORDS
    if word is not None:
        name = word.strip().lower().removesuffix("s")
        if name not in WORDS:
            close = get_close_matches(name, WORDS, n=1, cutoff=0.6)
            fix = f"Did you mean {close[0]}?" if close else f"Words: {', '.join(WORDS)}"
            raise InputError(f"{word[:80]!r} is not in the glossary", fix=fix)
        chosen = {name: WORDS[name]}
    command.finish({"words": [{"word": name, "meaning": meaning} for name, meaning in chosen.items()]}, shown)


def shown(document: render.Document) -> RenderableType:
    """Show each word with its meaning."""
    return render.facts_of({each["word"]: each["meaning"] for each in document["words"]})
