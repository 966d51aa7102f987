"""Right and wrong candidates told apart without labels, and the fit around a default."""

from __future__ import annotations

import numpy as np
import pytest

from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.two_kinds import FEWEST, UNKNOWN, false_cue_threshold, fit_around, two_kinds

RNG = np.random.default_rng(0)
WRONG, RIGHT = RNG.normal(-3.0, 1.2, 150), RNG.normal(2.0, 1.2, 50)
VALUES = np.concatenate([WRONG, RIGHT])
TRUTH = np.repeat([0.0, 1.0], [150, 50])
NOBODY = np.full(200, UNKNOWN)


def test_two_groups_are_told_apart_without_labels() -> None:
    found = two_kinds(VALUES, NOBODY)
    assert found is not None
    assert found.apart
    assert ((found.right > 0.5) == (TRUTH == 1)).mean() > 0.95
    assert found.high == pytest.approx(2.0, abs=0.4)


def test_labels_say_of_which_group_a_candidate_is() -> None:
    labels = NOBODY.copy()
    labels[[0, 199]] = 1, 0  # against all appearance
    found = two_kinds(VALUES, labels)
    assert found is not None
    assert found.right[[0, 199]].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    "values", [VALUES[: FEWEST - 1], np.zeros(100), np.full(100, np.nan)], ids=["few", "constant", "not finite"]
)
def test_what_says_nothing_gives_no_groups(values: np.ndarray) -> None:
    assert two_kinds(values, np.full(len(values), UNKNOWN)) is None


def test_one_group_alone_is_not_two() -> None:
    found = two_kinds(RNG.normal(0, 1, 300), np.full(300, UNKNOWN))
    assert found is not None
    assert not found.apart


def test_a_fit_stays_at_its_start_without_samples_and_leaves_it_with_many() -> None:
    start = Head(1.0, 0.0, 0.0)
    nothing = np.zeros((0, 2))
    assert fit_around(start, nothing, np.zeros(0), np.zeros(0), trust=5) == start
    features = np.column_stack([VALUES + 4.0, np.zeros(200)])  # the border lies near 3.5
    few = fit_around(start, features[::67], TRUTH[::67], np.ones(3), trust=5)
    many = fit_around(start, features, TRUTH, np.ones(200), trust=5)
    middle = np.array([[3.5, 0.0]])
    assert few.confidence(middle)[0] > 0.8
    assert many.confidence(middle)[0] == pytest.approx(0.5, abs=0.2)


def test_the_threshold_lets_few_absent_words_pass() -> None:
    confidence, right = np.linspace(0.5, 0.99, 20), np.zeros(20)
    groups = np.arange(20)
    found = false_cue_threshold(confidence, right, groups, least=0.5, false_cues=0.1)
    assert (confidence >= found).sum() == 2
    assert false_cue_threshold(confidence, np.ones(20), groups, least=0.5, false_cues=0.1) == 0.5
