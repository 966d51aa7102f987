"""The `imagerag` command, with one module for each group of commands."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; report every error and raise none.

    Args:
        arguments: What was typed; default: what this process was started with, which then ends at Ctrl-C.
    """
    # Here, as interrupts are to be noticed before the commands are imported.
    from imagerag_assets.cli._interrupts import run_interruptible

    return run_interruptible(arguments)
