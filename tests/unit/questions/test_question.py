"""Questions: every option is checked before anything is loaded, and a batch line says its number when it is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.questions.question import Question, parse_line

DAY = 86_400_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"question": "  \n"}, "empty"),
        ({"choices": {"A": "red"}}, "One choice"),
        ({"choices": {"A": "", "B": "blue"}}, "'A'"),
        ({"choices": {"A B": "x", "C": "y"}}, "'A B'"),
        ({"path": "quick"}, "quick"),
        ({"mode": "guess"}, "guess"),
        ({"mode": "oracle"}, "roi"),
        ({"mode": "oracle", "scenes": ("a",), "roi": [(5, 5, 1, 9)]}, "[5, 5, 1, 9]"),
        ({"top_k": 0}, "0 cues"),
        ({"datetime": "yesterday/.."}, "yesterday"),
        ({"datetime": "2026-02-01/2026-01-01"}, "ends before"),
        ({"datetime": "a/b/c"}, "START/END"),
        ({"bbox": (1.0, 2.0, 3.0)}, "four numbers"),
        ({"retrieval": "other"}, "other"),
        ({"retrieval": "paper", "division": "pyramid"}, "pyramid"),
        ({"division": "cc"}, "cc"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(QuestionError) as caught:
        Question(**{"question": "Where?"} | options)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_scope_joins_scenes_area_and_time() -> None:
    scope = Question("?", scenes=("a", 'b"c'), bbox=(1, 2, 3, 4), datetime="2026-01-01/2026-01-02").scope
    assert '"b\\"c"' in scope.expression
    assert "west <= 3.0" in scope.expression
    assert scope.expression.count(" and ") >= 4


def test_a_day_counts_whole_and_open_ends_are_open() -> None:
    day = Question("?", datetime="1970-01-02").scope.expression
    assert f"acquired_at >= {DAY}" in day
    assert f"acquired_at <= {2 * DAY - 1}" in day
    assert "<=" not in Question("?", datetime="1970-01-02/..").scope.expression
    assert not Question("?", datetime="../..").scope
    assert f"acquired_at >= {DAY + 3_600_000}" in Question("?", datetime="1970-01-02T01:00:00Z/..").scope.expression


def test_an_area_off_the_globe_is_refused() -> None:
    with pytest.raises(InputError):
        _ = Question("?", bbox=(0, 0, 400, 10)).scope


def test_a_line_overrides_the_common_options() -> None:
    line = {"id": 7, "question": "How many?", "scene": "valley", "choices": {"A": "1", "B": "2"}, "roi": [[0, 0, 9, 9]]}
    parsed = parse_line(json.dumps(line), 1, Question("?", top_k=5, path="fast"))
    assert (parsed.id, parsed.scenes, parsed.top_k, parsed.path) == ("7", ("valley",), 5, "fast")
    assert parsed.roi is None  # read only by mode oracle
    oracle = parse_line(json.dumps(line), 1, Question("?"), "oracle")
    assert oracle.roi == [(0, 0, 9, 9)]


def test_oracle_shows_nothing_for_what_is_absent() -> None:
    parsed = parse_line(json.dumps({"question": "Where?", "scene": "valley", "roi": []}), 1, Question("?"), "oracle")
    assert (parsed.mode, parsed.roi) == ("oracle", [])
    unknown = parse_line(json.dumps({"question": "Where?", "scene": "valley"}), 1, Question("?"), "oracle")
    assert unknown.mode == "global"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Line 4 is not JSON"),
        ("[]", "Line 4"),
        ('{"id": 1}', "Line 4"),
        ('{"question": ""}', "Line 4"),
        ('{"question": "q", "choices": ["a"]}', "Line 4"),
    ],
)
def test_a_broken_line_is_named(line: str, says: str) -> None:
    with pytest.raises(QuestionError, match=says):
        parse_line(line, 4, Question("?"))


def test_the_papers_retrieval_has_a_division_of_its_own() -> None:
    assert Question("Where is it?", retrieval="paper").division == "cc"
    assert Question("Where is it?", retrieval="paper", division="vit").division == "vit"
    assert Question("Where is it?").division is None
