"""Cue-instruction samples: their answers agree with the scene behind them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from imagerag_assets.demo.models.cue_data import World, sample
from imagerag_assets.training.cue_noise import MAX_CUES
from imagerag_assets.training.question_maker import ABSENT, KINDS

NAMES = ("airplane", "ship", "stadium", "helipad", "warehouse", "storage tank")
WORLD = World(
    {n: f"{n}s" for n in NAMES},
    {"ship": ("red", "white")},
    {
        (n, c): np.array([10 * i + k])
        for i, n in enumerate(NAMES)
        for k, c in enumerate(("red", "white") if n == "ship" else (None,))
    },
    np.array([100, 101]),
    np.array([7]),
)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_the_cues_show_what_the_answer_says(kind: str) -> None:
    for seed in range(200):
        one = sample(WORLD, np.random.default_rng(seed), kind=kind, noise=0.0)
        reply = one.reply
        assert not one.choices or reply in one.choices.values()
        assert len(one.cues) <= MAX_CUES
        assert all(0 <= v <= 1000 for cue in one.cues for v in cue.box)
        assert all(a.confidence >= b.confidence for a, b in zip(one.cues, one.cues[1:], strict=False))
        if kind == "absent":
            assert reply in (ABSENT, "the imagery does not show it")
            assert not one.cues
        elif kind == "count":
            assert int(reply) == len(one.cues)
        elif kind == "presence" and one.choices:
            assert {cue.phrase for cue in one.cues} == {reply}
        elif kind == "colour":
            assert [cue.chip for cue in one.cues] == [10 if reply == "red" else 11]


def test_choices_come_in_every_order_and_free_answers_occur() -> None:
    samples = [sample(WORLD, np.random.default_rng(s), kind="position") for s in range(400)]
    assert 0.15 < np.mean([not s.choices for s in samples]) < 0.35
    letters = Counter(next(k for k, v in s.choices.items() if v == s.reply) for s in samples if s.choices)
    assert min(letters[letter] for letter in "ABCD") > 30


def test_noise_misses_and_errs_about_as_often_as_it_says() -> None:
    samples = [sample(WORLD, np.random.default_rng(s), kind="absent") for s in range(1000)]
    assert 0.08 < np.mean([bool(s.cues) for s in samples]) < 0.16


def test_what_was_found_is_said_of_every_phrase() -> None:
    for seed in range(200):
        one = sample(WORLD, np.random.default_rng(seed), kind="count")
        (found,) = one.found
        assert len(found.places) == len(one.cues)


def test_some_samples_have_no_cues_some_the_true_ones_and_some_confirm_one() -> None:
    samples = [sample(WORLD, np.random.default_rng(seed)) for seed in range(2000)]
    confirming = [one for one in samples if one.kind == "confirm"]
    assert 0.08 < len(confirming) / len(samples) < 0.16
    assert all(one.overview is None and len(one.cues) == 1 and not one.found for one in confirming)
    assert 0.4 < np.mean([one.reply == "yes" for one in confirming]) < 0.6
    telling = [one for one in samples if one.kind in ("describe", "change")]
    assert 0.03 < len(telling) / len(samples) < 0.1
    assert all(("not show" in one.reply) == (not one.cues) for one in telling)
    assert all(place in one.reply for one in telling for place in one.found[0].places)
    others = [one for one in samples if one.kind not in ("confirm", "describe", "change")]
    assert 0.05 < np.mean([not one.cues and not one.found for one in others]) < 0.2
    assert 0.03 < np.mean([bool(one.cues) and one.cues[0].confidence == 1.0 for one in others]) < 0.2
