"""Lines of a file of questions: what they may say, what comes from the command, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import KEYS, parse_line, read_lines
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT


def test_a_line_may_say_everything() -> None:
    line = {
        "id": 7, "question": "How many?", "scenes": ["a", "b"], "bbox": [1, 2, 3, 4], "datetime": "2024-01-01/..",
        "path": "slow", "top_k": 9, "after": "20260504T103000-1f2e3d4c", "choices": {"A": "1", "B": "2"},
        "cloud_at_most": 20,
    }  # fmt: skip
    common = Question("?", scenes=("c",), bbox=(5, 6, 7, 8), path="fast", top_k=1, answer=False)
    assert parse_line(json.dumps(line), 1, common) == Question(
        "How many?", id="7", scenes=("a", "b"), bbox=(1, 2, 3, 4), datetime="2024-01-01/..", path="slow", top_k=9,
        after="20260504T103000-1f2e3d4c", choices={"A": "1", "B": "2"}, cloud_at_most=20, answer=False,
    )  # fmt: skip
    assert parse_line('{"like": "pier.png"}', 1, Question("?")) == Question("", like="pier.png")


def test_null_says_nothing_and_the_truth_is_not_asked() -> None:
    line = {"question": "Where?", "scene": None, "top_k": None, "kind": "position", "class": "pier", "answer": "B"}
    common = Question("?", scenes=("c",), top_k=4)
    assert parse_line(json.dumps(line), 1, common) == Question("Where?", scenes=("c",), top_k=4)


def test_a_line_overrides_the_common_options() -> None:
    line = {"id": 7, "question": "How many?", "scene": "valley", "choices": {"A": "1", "B": "2"}, "roi": [[0, 0, 9, 9]]}
    parsed = parse_line(json.dumps(line), 1, Question("?", top_k=5, path="fast"))
    assert (parsed.id, parsed.scenes, parsed.top_k, parsed.path) == ("7", ("valley",), 5, "fast")
    assert parsed.roi is None  # read only by mode oracle
    oracle = parse_line(json.dumps(line), 1, Question("?"), "oracle")
    assert oracle.roi == ((0, 0, 9, 9),)


def test_oracle_shows_nothing_for_what_is_absent() -> None:
    parsed = parse_line(json.dumps({"question": "Where?", "scene": "valley", "roi": []}), 1, Question("?"), "oracle")
    assert (parsed.mode, parsed.roi) == ("oracle", ())
    unknown = parse_line(json.dumps({"question": "Where?", "scene": "valley"}), 1, Question("?"), "oracle")
    assert unknown.mode == "global"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Line 4 is not JSON"),
        ("[]", "Line 4"),
        ('{"id": 1}', "Line 4"),
        ('{"question": ""}', "Line 4: it has no question"),
        ('{"qestion": "Where?"}', "Line 4: unknown key 'qestion'. Did you mean 'question'"),
        ('{"question": "q", "scens": ["a"]}', "Line 4: unknown key 'scens'. Did you mean 'scenes'"),
        ('{"question": "q", "expected": "B"}', "Line 4: unknown key 'expected'. Use: "),
        ('{"question": "q", "scene": "a", "scenes": ["b"]}', "Line 4: both 'scene' and 'scenes'"),
        ('{"question": "q", "scene": ["a"]}', "Line 4: scenes .'a'. is not text"),
        ('{"question": "q", "mode": "global"}', "Line 4: 'mode' cannot be set in a line. Give --mode"),
        ('{"question": "q", "top_k": "five"}', "Line 4: top_k 'five' is not a whole number"),
        ('{"question": "q", "path": "quick"}', "Line 4: path 'quick' is not known"),
        ('{"question": "q", "bbox": [1, 2, 3]}', "Line 4, bbox: .*four numbers"),
        ('{"question": "q", "bbox": [0, 0, 400, 1]}', "Line 4, bbox: .*not on the globe"),
        ('{"question": "q", "datetime": "spring"}', "Line 4, datetime: 'spring'"),
        ('{"question": "q", "roi": [[1, 2]]}', "Line 4: roi .1, 2."),
        ('{"question": "q", "cloud_at_most": 101}', "Line 4: cloud_at_most 101"),
        ('{"question": "q", "choices": ["a"]}', "Line 4"),
    ],
)
def test_a_broken_line_is_named(line: str, says: str) -> None:
    with pytest.raises(QuestionError, match=f"^{says}"):
        parse_line(line, 4, Question("?"))


def test_the_documented_lines_can_be_read_and_every_key_is_documented() -> None:
    text = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    lines = [line for line in text.split("```")[1].split("\n") if line.startswith("{")]
    assert len([parse_line(line, number, Question("?")) for number, line in enumerate(lines, 1)]) == 4
    keys = text.partition("\n## Free answers")[0]
    table = [line.split("|")[1] for line in keys.split("\n") if line.startswith("| `")]
    assert {name.strip(" `") for cell in table for name in cell.split(",")} == set(KEYS)


@pytest.mark.parametrize(
    ("content", "limits", "says"),
    [
        ('{"question": "?"}\n' * 4, {"limit_batch_lines": 3}, "more than 3 questions.*IMAGERAG_LIMIT_BATCH_LINES"),
        ("\n{" + "x" * 1200, {"limit_document_bytes": 1000}, "Line 2 has more than 1,000 characters"),
    ],
)
def test_a_file_of_too_much_is_refused(
    content: str, limits: dict[str, int], says: str, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(content)
    with pytest.raises(InputError, match=says):
        read_lines(file, settings.model_copy(update=limits))


def test_a_file_is_read_line_by_line(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes('{"a": "one\u2028line"}\r\n\n \n{"b": 2}'.encode())
    limited = settings.model_copy(update={"limit_batch_lines": 2})
    assert read_lines(file, limited) == ['{"a": "one\u2028line"}', '{"b": 2}']


def test_a_question_is_no_longer_than_it_may_be(settings: Settings) -> None:
    limited = settings.model_copy(update={"limit_question_chars": 10})
    Question("Where is it", choices={"A": "a", "B": "b"}).check_length(settings)
    with pytest.raises(
        QuestionError, match="The question has 11 characters; at most 10.*IMAGERAG_LIMIT_QUESTION_CHARS"
    ):
        Question("Where is it").check_length(limited)
    with pytest.raises(QuestionError, match="Choice B has 12 characters"):
        Question("Where?", choices={"A": "a", "B": "b" * 12}).check_length(limited)
