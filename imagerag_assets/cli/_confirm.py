"""Ask a person before something is taken away."""

from __future__ import annotations

import typer

from imagerag_assets.cli._command import Command
from imagerag_assets.errors import InputError
from imagerag_assets.escaping import one_line


def confirmed(command: Command, what: str, *, yes: bool) -> bool:
    """Return whether to go on: with --yes, or after a person said so on the terminal.

    Raises:
        InputError: nobody can be asked, because the output is JSON or there is no input.
    """
    if yes:
        return True
    if command.as_json:
        raise InputError(f"{what} needs a yes", fix="Add --yes")
    try:
        return typer.confirm(f"{one_line(what)}?", err=True)
    except typer.Abort:
        raise InputError("Nobody answered, and nothing was changed", fix="Add --yes") from None
