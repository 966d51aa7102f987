"""Probabilities of answers, compared with every way in which objects may be real or not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from imagerag_assets.plans import plan as p
from imagerag_assets.questions.compute import compute
from imagerag_assets.questions.objects import Tally
from imagerag_assets.questions.sureness import all_real, numbers, present, ranked
from tests.unit.questions.test_compute import at, evidence

SOME = [0.9, 0.6, 0.3]
OTHERS = [0.8, 0.2]


def worlds(confidences: list[float]) -> list[tuple[tuple[int, ...], float]]:
    """Each way in which objects may be real, with its probability."""
    return [
        (real, float(np.prod([c if r else 1 - c for c, r in zip(confidences, real, strict=True)])))
        for real in itertools.product((0, 1), repeat=len(confidences))
    ]


def test_they_are_the_sums_over_all_ways() -> None:
    assert present(SOME) == pytest.approx(sum(chance for real, chance in worlds(SOME) if any(real)))
    assert all_real(SOME) == pytest.approx(sum(chance for real, chance in worlds(SOME) if all(real)))
    for number, chance in enumerate(numbers(SOME)):
        assert chance == pytest.approx(sum(each for real, each in worlds(SOME) if sum(real) == number))
    pairs = [(sum(a), sum(b), x * y) for (a, x), (b, y) in itertools.product(worlds(SOME), worlds(OTHERS))]
    assert ranked(SOME, OTHERS, lead=1) == pytest.approx(sum(chance for a, b, chance in pairs if a > b))
    assert ranked(SOME, OTHERS, lead=0) == pytest.approx(sum(chance for a, b, chance in pairs if a == b))


def test_of_nothing_nothing_is_there() -> None:
    assert (present([]), all_real([]), ranked([], [], lead=0), ranked([], SOME, lead=1)) == (0, 1, 1, 0)


SHIP, CAR = p.Thing(name="ship"), p.Thing(name="car")
SEEN = evidence(
    at("ship", 200, 200, sure=0.9), at("ship", 700, 700, sure=0.6), at("car", 400, 100, sure=0.5), others={"ship": 0.7}
)


@pytest.mark.parametrize(
    ("part", "confidence"),
    [
        (p.Exists(thing=SHIP), 1 - 0.1 * 0.4),
        (p.Count(thing=SHIP), 0.9 * 0.6 * 0.7),
        (p.Where(thing=SHIP), 0.9 * 0.6),
        (p.Which(among=(SHIP, CAR)), (1 - 0.1 * 0.4) * 0.5),
        (p.Compare(among=(SHIP, CAR)), 0.9 * 0.6 + (0.9 * 0.4 + 0.1 * 0.6) * 0.5),
        (p.Nearest(thing=SHIP, to=CAR), 0.9 * 0.5),
        (p.Count(thing=p.Thing(name="pier")), None),
    ],
)
def test_each_operation_is_as_sure_as_what_it_says(part: p.Part, confidence: float | None) -> None:
    (result,) = compute(p.Plan(parts=(part,)), SEEN)
    assert result.confidence == (None if confidence is None else pytest.approx(confidence, abs=1e-4))


def test_a_number_with_an_interval_is_right_within_it() -> None:
    seen = evidence(at("ship", 200, 200, sure=0.9), tallies={"ship": Tally(40, 32, 50)})
    (result,) = compute(p.Plan(parts=(p.Count(thing=SHIP),)), seen)
    assert result.confidence == pytest.approx(0.95 * 0.9)
