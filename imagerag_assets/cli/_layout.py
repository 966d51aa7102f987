"""Tables, facts and trees whose words are never broken: an id, key or path can be copied from any terminal.

Lines break between words only.  A table that does not fit becomes a list of facts for each row.  What goes into a pipe
or a file is not broken at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

_GAP = "  "
_READABLE = 14  # columns that a text keeps
_RULE = "─"


@dataclass(frozen=True)
class Table:
    """Rows of a table, in markup."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    """Columns that are aligned right."""
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield the lines of the table, or of the lists that stand for it."""
        heads = [console.render_str(f"[bold]{name}[/]") for name in self.columns]
        rows = [[console.render_str(cell) for cell in row] for row in self.rows]
        widths = _fit([heads, *rows], options.max_width)
        yield _line("")
        if self.title is not None:
            yield _line(console.render_str(f"[italic]{self.title}[/]"))
        if widths is None:
            for row in rows:
                yield from _facts(_named(heads, row), options.max_width)
                yield _line("")
            return
        yield from self._row(heads, widths)
        yield _line(" " + _RULE * (sum(widths) + len(_GAP) * (len(widths) - 1) + 2))
        for row in rows:
            yield from self._row(row, widths)
        yield _line("")

    def _row(self, cells: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
        wrapped = [_wrap(cell, width) for cell, width in zip(cells, widths, strict=False)]
        for number in range(max(map(len, wrapped))):
            line = _line("  ")
            for column, (lines, width) in enumerate(zip(wrapped, widths, strict=False)):
                cell = lines[number] if number < len(lines) else _line("")
                space = " " * (width - cell.cell_len)
                line.append_text(_line(space) if column in self.right else cell)
                line.append_text(cell if column in self.right else _line(space))
                line.append(_GAP)
            line.rstrip()
            yield line


@dataclass(frozen=True)
class Paragraph:
    """A text in markup."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield the lines."""
        yield from _wrap(console.render_str(self.text), options.max_width)


@dataclass(frozen=True)
class Facts:
    """Names and values, in markup."""

    facts: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield the lines."""
        facts = [(console.render_str(f"[bold]{name}[/]"), console.render_str(value)) for name, value in self.facts]
        yield from _facts(facts, options.max_width)


@dataclass
class Tree:
    """A node with those below it, in markup."""

    text: str
    below: list[Tree] = field(default_factory=list)

    def add(self, text: str) -> Tree:
        """Add a node below this one, and return it."""
        self.below.append(Tree(text))
        return self.below[-1]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield the lines."""
        yield from self._lines(console, options.max_width, "", "")

    def _lines(self, console: Console, width: int, first: str, later: str) -> Iterator[Text]:
        rest = f"{later}{'│ ' if self.below else '  '}"
        for number, line in enumerate(_wrap(console.render_str(self.text), width - len(rest))):
            yield _line(first if number == 0 else rest).append_text(line)
        for each in self.below:
            last = each is self.below[-1]
            yield from each._lines(
                console, width, later + ("└── " if last else "├── "), later + ("    " if last else "│   ")
            )


def _fit(rows: Sequence[Sequence[Text]], width: int) -> list[int] | None:
    """Return the widths of columns with which all rows fit, or None."""
    columns = [[row[number] for row in rows if number < len(row)] for number in range(len(rows[0]))]
    widest = [max(cell.cell_len for cell in cells) for cells in columns]
    least = [
        max(_longest_word(cells), min(most, _READABLE)) for cells, most in zip(columns, widest, strict=True)
    ]  # fmt: skip
    room = width - 3 - len(_GAP) * (len(columns) - 1)
    if sum(least) > room:
        return widest if sum(widest) <= room else None
    widths = list(widest)
    while (over := sum(widths) - room) > 0:
        spare = [now - low for now, low in zip(widths, least, strict=True)]
        at = max((number for number, left in enumerate(spare) if left), key=lambda number: widths[number])
        others = [now for number, now in enumerate(widths) if spare[number] and number != at and now < widths[at]]
        widths[at] -= min(over, spare[at], max(1, widths[at] - max(others, default=0)))
    return widths


def _named(heads: Sequence[Text], row: Sequence[Text]) -> list[tuple[Text, Text]]:
    """Return the cells of a row that say something, each with its head; those without one stand beside the first."""
    named = [(head, cell) for head, cell in zip(heads, row, strict=False) if head.plain and cell.plain]
    for head, cell in zip(heads, row, strict=False):
        if named and cell.plain and not head.plain:
            named[0] = (named[0][0], _line("").append_text(named[0][1]).append(_GAP).append_text(cell))
    return named


def _longest_word(cells: Iterable[Text]) -> int:
    from rich.cells import cell_len

    return max((cell_len(word) for cell in cells for word in cell.plain.split()), default=0)


def _facts(facts: Sequence[tuple[Text, Text]], width: int) -> Iterator[Text]:
    names = max((name.cell_len for name, _ in facts), default=0) + len(_GAP)
    for name, value in facts:
        for number, line in enumerate(_wrap(value, max(width - names, _READABLE))):
            first = _line("").append_text(name) if number == 0 else _line("")
            yield first.append(" " * (names - first.cell_len)).append_text(line)


def _wrap(text: Text, width: int) -> list[Text]:
    """Return text in lines that break between words only; a longer word is a line of its own."""
    from rich.cells import cell_len
    from rich.text import Text

    lines = Text()
    for given in text.split("\n", allow_blank=True):
        breaks, used = [], 0
        for word in re.finditer(r"\S+\s*", given.plain):
            if used and used + cell_len(word[0].rstrip()) > width:
                breaks.append(word.start())
                used = 0
            used += cell_len(word[0])
        lines.append_text(Text("\n").join(given.divide(breaks)) if breaks else given).append("\n")
    wrapped = list(lines.split("\n"))
    for line in wrapped:
        line.rstrip()
        _line(line)
    return wrapped


def _line(text: str | Text) -> Text:
    from rich.text import Text

    made = Text(text) if isinstance(text, str) else text
    made.no_wrap, made.overflow = True, "ignore"
    return made
