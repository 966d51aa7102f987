"""Lessons for the model that reads questions: every template fills to a question and a plan that can be read."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from imagerag_assets.demo.models.reading_lessons import TEMPLATES, endless, fill, read_templates
from imagerag_assets.plans import notation

FILES = sorted(TEMPLATES.glob("*.jsonl"))
WORDING = Path(__file__).parents[4] / "benchmarks" / "wording"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_plan_is_made_of_the_questions_words(file: Path) -> None:
    rng = random.Random(3)
    for template in read_templates([file]):
        lesson = fill(template, rng)
        plan = notation.read(lesson.line)
        assert lesson.question == lesson.question.lower()
        assert "{" not in lesson.question + lesson.line, lesson
        words = re.findall(r"[^\W_]+", lesson.question)
        stems = {word[:3] for word in words}
        assert all(word[:3] in stems for thing in plan.things for word in re.findall(r"[^\W_]+", thing.phrase)
                   if thing.pick is None and not thing.look_for), lesson  # fmt: skip


def test_directions_are_turned_in_question_and_plan_alike() -> None:
    template = {"q": "How many {As} are in the top left, north of the {B}?", "plan": ["count: A @ north of B"]}
    made = {fill(template, random.Random(seed)) for seed in range(20)}
    for lesson in made:
        assert ("north of" in lesson.question) == ("north of" in lesson.line)
    assert {"north" in lesson.line for lesson in made} == {True, False}
    tag = {"q": "The {A} is on the left, right?", "plan": ["exists: A @ left"]}
    assert all("@ left" in fill(tag, random.Random(seed)).line for seed in range(20))


def test_lessons_are_the_same_whenever_they_are_made() -> None:
    templates = read_templates(FILES[:1])
    first, second = endless(templates, 7), endless(templates, 7)
    assert [next(first) for _ in range(50)] == [next(second) for _ in range(50)]


def test_hardly_a_sentence_that_we_measure_with_is_a_template() -> None:
    """Two hands write the same short sentence now and then ("are {As} rarer than {Bs}?")."""
    whole = [re.split(r"\{.*?\}", str(template["q"])) for template in read_templates(FILES)]
    told = [parts for parts in whole if len(_plain(" ".join(parts)).split()) >= _FEWEST]
    taught = re.compile("|".join(r" ?[\w ]+ ?".join(map(_plain, parts)) for parts in told))
    for name in ("plans", "plans-second", "plans-third"):
        lines = (WORDING / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        asked = [_plain(json.loads(line)["question"]) for line in lines]
        assert sum(taught.fullmatch(question) is not None for question in asked) <= 0.04 * len(asked), name


_FEWEST = 3
"""Words of a template at least that say something: not "{As}?"."""


def _plain(question: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", question.lower()))
