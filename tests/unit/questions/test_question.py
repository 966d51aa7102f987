"""Questions: every option is checked before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.questions.question import Question, interval

DAY = 86_400_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"question": "  \n"}, "empty"),
        ({"choices": {"A": "red"}}, "at least two choices"),
        ({"choices": {"A": "", "B": "blue"}}, "'A'"),
        ({"choices": {"A B": "x", "C": "y"}}, "'A B'"),
        ({"path": "quick"}, "quick"),
        ({"mode": "guess"}, "guess"),
        ({"mode": "oracle"}, "roi"),
        ({"mode": "oracle", "scenes": ("a",), "roi": [(5, 5, 1, 9)]}, "[5, 5, 1, 9]"),
        ({"top_k": 0}, "top_k 0"),
        ({"datetime": "yesterday/.."}, "yesterday"),
        ({"datetime": "2026-02-01/2026-01-01"}, "ends before"),
        ({"datetime": "a/b/c"}, "START/END"),
        ({"bbox": (1.0, 2.0, 3.0)}, "four numbers"),
        ({"retrieval": "other"}, "other"),
        ({"retrieval": "paper", "division": "pyramid"}, "pyramid"),
        ({"division": "cc"}, "cc"),
        ({"top_k": "many"}, "top_k 'many' is not a whole number"),
        ({"answer": "no"}, "answer 'no' is not true or false"),
        ({"scenes": "abc"}, "scenes 'abc' is not a list"),
        ({"bbox": (0.0, 0.0, 400.0, 10.0)}, "not on the globe"),
        ({"cloud_at_most": 101}, "cloud_at_most 101 is not a percentage"),
        ({"clouds": 5}, "no option 'clouds'"),
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


def test_the_papers_retrieval_has_a_division_of_its_own() -> None:
    assert Question("Where is it?", retrieval="paper").division == "cc"
    assert Question("Where is it?", retrieval="paper", division="vit").division == "vit"
    assert Question("Where is it?").division is None


def test_clouds_are_part_of_the_scope() -> None:
    expression = Question("?", cloud_at_most=20).scope.expression
    assert "cloud_fraction <= 0.2" in expression
    assert "cloud_fraction >= 0.0" in expression  # unknown cover is not clear sky


def test_a_question_can_be_changed_and_is_checked_again() -> None:
    question = Question("Where?", scenes=("a",), top_k=3)
    assert question.but(scenes=["b"]) == Question("Where?", scenes=("b",), top_k=3)
    with pytest.raises(QuestionError, match="top_k 0"):
        question.but(top_k=0)


def test_a_record_of_a_later_version_with_an_unknown_option_is_not_asked_otherwise() -> None:
    record = {"question": "Where?", "options": {"path": "fast", "moon": None}}
    assert Question.from_record(record) == Question("Where?", path="fast")
    with pytest.raises(QuestionError, match="no option 'moon'"):
        Question.from_record({"question": "Where?", "options": {"moon": "full"}})


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-05-04", 1_714_780_800_000, 1_714_867_199_999),
        ("20240504", 1_714_780_800_000, 1_714_867_199_999),
        ("2024-05-04T00:00Z", 1_714_780_800_000, 1_714_780_800_000),
        ("../2024-05-04", None, 1_714_867_199_999),
        ("0001-01-01/9999-12-31", -62_135_596_800_000, 253_402_300_799_999),
    ],
)
def test_a_day_without_a_time_is_the_whole_day(text: str, start: int | None, end: int) -> None:
    assert interval(text) == (start, end)
