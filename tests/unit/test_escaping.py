"""Text of strangers does nothing, wherever it is shown, and can be read back from JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagerag_assets.escaping import json_text, markdown, one_line
from tests.mutations import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_stranger_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()
    assert markdown(text).isprintable()
    assert all(line.isprintable() for line in json_text({text: [text]}).splitlines())
    assert json.loads(json_text({text: [text]})) == {text: [text]}


@given(st.text())
def test_json_reads_back_the_same(text: str) -> None:
    assert json.loads(json_text([text])) == [text]
    json_text([text]).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>|x|</b>\n# `y`", "&lt;b&gt;\\|x\\|&lt;/b&gt; \\# \\`y\\`"),
        ("![a](http://x)", "\\!\\[a\\]\\(http://x\\)"),
        ("- a", "\\- a"),
        ("10. a", "10\\. a"),
        ("3) a", "3\\) a"),
        ("1.5", "1.5"),
        ("-7", "-7"),
        ("&lt;", "&amp;lt;"),
        ("a\x1b[1m", "a\\\\x1b\\[1m"),
    ],
)
def test_text_means_nothing_to_markdown_or_html(text: str, shown: str) -> None:
    assert markdown(text) == shown
