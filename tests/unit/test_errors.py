"""What an error says is one line, whatever it is about."""

from __future__ import annotations

import json

import pytest

from imagerag_assets.cli._command import dump, plain
from imagerag_assets.errors import ItemError
from imagerag_assets.escaping import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("São Paulo", "São Paulo"),
        ("two\nlines", "two lines"),
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("衛星\u200d", "衛星\u200d"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_its_code(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert shown in str(ItemError("This is wrong", id=text))
    assert plain(text).replace("\\[", "[") == shown.replace("\\[", "[")
    assert json.loads(dump({"id": text})) == {"id": text}
    dump({"id": text}).encode()
