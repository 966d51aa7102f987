"""Words are never broken, whatever the width; a table that does not fit becomes lists."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from imagerag_assets.cli import _render as render
from imagerag_assets.cli._layout import Paragraph, Tree

PATCH = "S2B_MSIL2A_20240630T101559_N0510_R065_T32TMT_20240630T134556:pyramid:0:12:34"
LONG = f"{PATCH}/embeddings/37006922477ab01f"


def shown(made: RenderableType, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(made, crop=False)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 1_000_000])
def test_a_word_is_whole_in_every_form(width: int) -> None:
    tree = Tree("answer")
    tree.add(f"cue {LONG}").add(f"shard {LONG} that was made [bold]long[/] ago")
    rows = [(PATCH, "ingested", 12, f"a note about {LONG} and its imagery"), ("b", "failed", 0, "")]
    forms: list[RenderableType] = [
        render.table_of(("scene", "status", "patches", "notes"), rows),
        render.facts_of({"question": "Where is it?", "patch": f"lies at {LONG}", "empty": ""}),
        tree,
        render.stacked(f"[red]{LONG}[/]: the file cannot be read", None),
        Paragraph(f"imagerag trace {LONG}"),
    ]
    for form in forms:
        lines = shown(form, width)
        assert any(LONG in line or PATCH in line for line in lines)
        words = [word for line in lines for word in line.split()]
        assert all(LONG in word for word in words if "embeddings" in word)
        assert all(len(line) <= width for line in lines if LONG not in line and PATCH not in line and "─" not in line)


def test_a_table_uses_the_width_and_wraps_text_between_words() -> None:
    rows = [("harbour", "alive", "The file cannot be read because it is no raster, and that is all we know of it")]
    table = render.table_of(("scene", "", "why it was not ingested"), rows)
    wide, narrow, slim = shown(table, 200), shown(table, 60), shown(table, 30)
    assert [line.split() for line in wide if "harbour" in line] == [["harbour", "alive", *rows[0][2].split()]]
    assert max(map(len, narrow)) <= 60
    assert " ".join(" ".join(narrow[3:]).split()).startswith("harbour alive The file cannot be read")
    assert "scene" in slim[1] and "harbour  alive" in slim[1]  # what has no head stands beside the first
    assert render.extent((9.0, 48.0, 9.001, 48.001)) == "74 x 111 m"
    assert render.place((179.0, -20.0, -179.0, -18.0), 2) == "19.00°S 180.00°W"
