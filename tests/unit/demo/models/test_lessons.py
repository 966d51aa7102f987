"""Lessons of the demo's multimodal model: answers that hold, shares that leave nothing to guess, wording kept apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from imagerag_assets.demo.models import lesson_words, measure_mllm
from imagerag_assets.demo.models.lessons import SHARES, Lesson, LessonMaker, render
from imagerag_assets.demo.models.pictures import EUROSAT_CLASSES, Pictures, Shown
from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES, PHRASES
from imagerag_assets.demo.sprites import OBJECT_CLASSES

CHIPS = sorted(
    {"agricultural", "airplane", "beach", "buildings", "chaparral", "forest", "freeway", "intersection", "overpass"}
    | {"river", "runway", *CHIP_CLASSES.values()}
)


@pytest.fixture(scope="module")
def maker() -> LessonMaker:
    shown = [Shown("chip", (name,)) for name in CHIPS for _ in range(3)]
    shown += [
        Shown("drawn", (kind.name,), colour=c) for kind in OBJECT_CLASSES.values() for c in kind.colours or (None,)
    ]
    shown += [Shown("land", (name,)) for name in EUROSAT_CLASSES.values()]
    shown += [
        Shown("dates", ("forest", "harbor")),
        Shown("dates", ("forest",)),
        Shown("overview", ("forest",), ("river",)),
    ]
    shown += [Shown("trees", ("trees",), count=count) for count in (1, 10, 50)] + [Shown("blank")]
    return LessonMaker(Pictures(torch.zeros(len(shown), 16, 1), tuple(shown)))


@pytest.fixture(scope="module")
def lessons(maker: LessonMaker) -> list[Lesson]:
    return [maker.make(np.random.default_rng((1, number))) for number in range(3000)]


def test_every_reply_is_one_of_the_choices_and_every_picture_has_its_place(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        assert render(lesson, "<image>").count("<image>") == len(lesson.pictures), lesson
        texts = list(lesson.prompt.choices.values())
        assert len(set(texts)) == len(texts), lesson
        if texts:
            assert lesson.reply in texts, lesson
            assert lesson.said().strip() in (texts if lesson.in_words else lesson.prompt.choices), lesson
    assert {lesson.kind for lesson in lessons} == set(SHARES)


def test_no_letter_and_no_yes_is_the_better_guess(lessons: list[Lesson]) -> None:
    four = [lesson for lesson in lessons if len(lesson.prompt.choices) == 4]
    letters = Counter(next(k for k, text in one.prompt.choices.items() if text == one.reply) for one in four)
    assert all(abs(count / len(four) - 0.25) < 0.06 for count in letters.values()), letters
    for kind in ("is_there", "confirm"):
        replies = [one.reply.lower().startswith("yes") for one in lessons if one.kind == kind]
        assert abs(np.mean(replies) - 0.5) < 0.07, kind


def test_what_a_picture_may_show_besides_is_never_said_to_be_absent(maker: LessonMaker) -> None:
    for number in range(400):
        lesson = maker.make(np.random.default_rng((2, number)), "is_there")
        name = maker.shown[lesson.pictures[-1]].names[0]
        if lesson.reply.lower().startswith("no"):
            for other in (name, *lesson_words.TOGETHER.get(name, ())):
                asked = [phrase for phrase in PHRASES[other] if f" {phrase} " in f" {lesson.prompt.question[:-1]} "]
                others = [p for c, phrases in PHRASES.items() if c not in (name, other) for p in phrases]
                assert all(any(phrase in longer for longer in others) for phrase in asked), lesson


def test_of_a_blank_picture_nothing_is_said(maker: LessonMaker) -> None:
    for number in range(200):
        lesson = maker.make(np.random.default_rng((3, number)), "blank")
        assert {maker.shown[index].kind for index in lesson.pictures} == {"blank"}
        assert lesson.reply in (*lesson_words.NOTHING, lesson_words.UNSEEN)


def test_wording_that_is_measured_with_is_never_trained_with() -> None:
    trained = {phrase.lower() for phrases in PHRASES.values() for phrase in phrases}
    trained |= {text.lower() for table in (lesson_words.SAID, lesson_words.LOOKS) for text in table.values()}
    assert not trained & {name.lower() for name in measure_mllm.OTHER_NAMES.values()}
    taught = set(lesson_words.WHICH + lesson_words.IS_THERE + lesson_words.COLOUR)
    assert not taught & set(measure_mllm.WHICH + measure_mllm.PRESENCE + measure_mllm.COLOUR)
