"""JSON that others wrote is read, or is a ValueError, whatever it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.json_text import read_json
from imagerag_assets.knowledge.glossary import parse_glossary
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import parse_line
from imagerag_assets.settings import Settings
from imagerag_assets.stac.parsing import parse
from imagerag_assets.training.labels import read_labels

DEEP = '{"x":' + "[" * 100_000 + "]" * 100_000 + "}"


def test_what_is_no_number_is_null_and_does_not_cost_the_others() -> None:
    text = '{"a": NaN, "b": [-Infinity, 1], "c": ' + "9" * 5000 + ', "d": 2}'
    assert read_json(text) == {"a": None, "b": [None, 1], "c": None, "d": 2}


def test_what_is_nested_too_deeply_is_no_json(settings: Settings, tmp_path: Path) -> None:
    """One such line, answer or document ends nothing else."""
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(DEEP)
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_glossary(DEEP.encode())
    with pytest.raises(QuestionError, match="Line 3 is not JSON"):
        parse_line(DEEP, 3, Question(question="x"))
    with pytest.raises(InputError, match="nested too deeply"):
        parse(DEEP.encode(), "a.json", settings)
    (tmp_path / "labels.jsonl").write_text(DEEP)
    with pytest.raises(InputError, match="nested too deeply"):
        read_labels(tmp_path / "labels.jsonl")


def test_a_backslash_does_not_hide_a_host() -> None:
    """Clients differ in what of an address is the host when it has one."""
    assert "\\" not in absolute_href("http://169.254.169.254\\@good.example/x.tif", None)
    assert absolute_href("http://good.example/a\\b.tif", None) == "http://good.example/a%5Cb.tif"
