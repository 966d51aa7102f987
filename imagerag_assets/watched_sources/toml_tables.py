"""Remove a table from a TOML file and keep the rest as it was written, comments and blank lines included."""

from __future__ import annotations

from typing import Any

import tomlkit
from tomlkit.items import Comment, Table, Whitespace

_Body = list[Any]  # pairs of key and item, as tomlkit keeps them; comments and blank lines have no key


def without_table(text: str, parent: str, name: str) -> str | None:
    """Return the text without `[PARENT.NAME]` and the comment above it, or None if it has no such header.

    To tomlkit, the lines between two tables belong to the upper one.  To a reader, a comment above a header is about
    the table below.  So the lines after the last value of the table stay, and a comment right above its header goes.
    """
    document = tomlkit.parse(text)
    outer = _find_table(document.body, parent)
    if outer is None:
        return None
    tables: _Body = document.body[outer][1].value.body
    place = _find_table(tables, name)
    if place is None:
        return None
    rest = _without_key(tables.pop(place)[1].value.body)
    upper = next((item.value.body for key, item in reversed(tables[:place]) if key is not None), None)
    if upper is None:
        _replace_comment(document.body, outer, rest)
    else:
        _replace_comment(upper, len(upper), rest)
    left = tomlkit.dumps(document).rstrip("\n")
    return f"{left}\n" if left else ""


def _find_table(body: _Body, name: str) -> int | None:
    for number, (key, item) in enumerate(body):
        if key is not None and key.key == name:
            return number if isinstance(item, Table) else None
    return None


def _without_key(body: _Body) -> _Body:
    """Return the comments and blank lines after the last value."""
    start = len(body)
    while start and body[start - 1][0] is None:
        start -= 1
    return body[start:]


def _replace_comment(body: _Body, end: int, by: _Body) -> None:
    """Replace the comment that ends at `end` with `by`, if a blank line is above the comment.

    Without a blank line, the comment is at the top of the file or below a value, and may be about something else: keep
    it, and add `by` after it.
    """
    start = end
    while start and isinstance(body[start - 1][1], Comment):
        start -= 1
    if not (start and isinstance(body[start - 1][1], Whitespace)):
        start = end
    elif by and isinstance(by[0][1], Whitespace):
        by = by[1:]  # one blank line is enough
    body[start:end] = by
