"""Questions of known answer: the key is right, and says nothing by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from imagerag_assets.answering.findings import article
from imagerag_assets.training.question_maker import ABSENT, KINDS, Placed, QuestionMaker, quadrant

PLURALS = {n: f"{n}s" for n in ("airplane", "ship", "stadium", "helipad", "warehouse", "storage tank")}
PLACED = [
    Placed("airplane", "airplanes", "red", (10, 10, 60, 60)),
    Placed("ship", "ships", None, (700, 10, 760, 60)),
    Placed("ship", "ships", None, (10, 700, 60, 760)),
]


def maker(seed: int) -> QuestionMaker:
    return QuestionMaker(
        PLACED, (1000, 800), PLURALS, {"airplane": ("red", "white", "blue")}, np.random.default_rng(seed)
    )


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 0, 10, 10), "upper left"),
        ((495, 0, 505, 10), "upper right"),
        ((0, 400, 1, 401), "lower left"),
        ((990, 790, 1000, 800), "lower right"),
    ],
)
def test_quadrant_is_that_of_the_centre(window: tuple[int, int, int, int], expected: str) -> None:
    assert quadrant(window, 1000, 800) == expected


def test_every_kind_has_the_right_answer() -> None:
    for seed in range(30):
        one = {kind: maker(seed).make(kind) for kind in KINDS}
        assert all(one.values())
        texts = {kind: q.answer_text for kind, q in one.items() if q}
        assert texts["position"] == "upper left"
        assert texts["colour"] == "red"
        assert texts["absent"] == ABSENT
        count, presence, compare, absent = one["count"], one["presence"], one["compare"], one["absent"]
        assert count and texts["count"] == {"airplane": "1", "ship": "2"}[count.name]
        assert presence and texts["presence"] == presence.name
        assert compare and texts["compare"] == "ships"
        assert absent and absent.name not in {"airplane", "ship"}
        assert absent.roi == ()
        assert len(count.roi) == int(texts["count"])


def test_the_place_of_the_right_answer_gives_nothing_away() -> None:
    letters = Counter(q.answer for s in range(300) if (q := maker(s).make("presence")))
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 120


def test_a_line_is_what_a_batch_reads() -> None:
    question = maker(1).make("position")
    assert question
    line = question.to_dict("valley", 3)
    assert line["id"] == "valley-03"
    assert line["choices"][line["answer"]] == "upper left"
    assert line["roi"] == [[10, 10, 60, 60]]


def test_articles() -> None:
    assert (article("airplane"), article("ship")) == ("an airplane", "a ship")
