"""The `imagerag` command, with one module for each group of commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from imagerag_assets.cli import _interrupts as interrupts

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; report every error and raise none.

    Args:
        arguments: What was typed; default: what this process was started with, which then ends at Ctrl-C.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    as_json, debug = "--json" in typed, "--debug" in typed
    if arguments is None:
        interrupts.watch(typed, as_json=as_json, debug=debug)
    try:
        from imagerag_assets.cli.app import run  # takes long enough to be interrupted

        code = run(typed)
    except BaseException as error:
        if not interrupts.is_interrupt(error):
            raise
        code = interrupts.report_interrupt(as_json=as_json)
    if interrupts.was_interrupted():
        code = interrupts.INTERRUPTED
    if arguments is None and code == interrupts.INTERRUPTED:
        interrupts.end_process()
    return code
