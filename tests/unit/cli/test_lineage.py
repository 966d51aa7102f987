"""`imagerag answers`, `trace` and `replay`: how results look; what they hold is tested where it is made."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.cli import lineage as cli_lineage
from imagerag_assets.cli._command import console


def show(capsys: pytest.CaptureFixture[str], rendered: Any) -> str:
    console().print(rendered)
    return " ".join(capsys.readouterr().out.split())


NEWER = {"reason": "newer-acquisition", "detail": "A [b]scene[/b] covers it", "scene": "june"}


def test_a_lineage_is_a_tree_of_data_that_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    leaf = {"kind": "item", "label": "i[/]", "detail": {"etag": "0a", "empty": None}, "children": []}
    tree = {"kind": "answer", "label": "x", "detail": {}, "children": [leaf], "outdated": [NEWER]}
    text = show(capsys, cli_lineage.lineage(tree))
    assert "answer x" in text
    assert "item i[/] etag 0a" in text
    assert "outdated: A [b]scene[/b] covers it (june)" in text


def test_answers_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no answers" in show(capsys, cli_lineage.answer_list({"answers": [], "notes": []}))
    one = {"answer_id": "id-1", "question": "Wo[/]?", "answer": None, "path": "fast", "outdated": [NEWER]}
    text = show(capsys, cli_lineage.answer_list({"answers": [one], "notes": []}))
    assert all(part in text for part in ("id-1", "Wo[/]?", "fast", "(june)"))


def test_a_replay_says_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    differs = {"what": "scene", "recorded": "e1", "now": "e2", "detail": "one [changed]"}
    document = {"same_cues": False, "same_answer": True, "differences": [differs]}
    text = show(capsys, cli_lineage.replayed(document))
    assert "cues: different, answer: the same" in text
    assert "one [changed]" in text
