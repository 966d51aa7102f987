"""What the tables of docs/results.md are written with, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

SIGNS = {">=": "at least", "<=": "at most"}
"""How a target bounds a figure, in words."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows)]


def met(reached: bool | None) -> str:
    """Return whether a target is met, in a word; None: it was not measured."""
    return "-" if reached is None else "yes" if reached else "no"
