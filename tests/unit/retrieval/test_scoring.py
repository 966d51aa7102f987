"""Confidence: what it depends on, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.scoring import Head, features


def test_generic_confidence_is_the_zero_shot_probability() -> None:
    score, background = np.array([0.3]), np.array([[0.25, 0.28, 0.1]])
    logits = 40.0 * np.array([0.3, 0.25, 0.28, 0.1])
    expected = np.exp(logits[0]) / np.exp(logits).sum()
    assert GENERIC.fast.confidence(features(score, background, 40.0))[0] == pytest.approx(expected)


@pytest.mark.parametrize("others", [99, 10_000])
def test_confidence_does_not_depend_on_the_number_of_patches(others: int) -> None:
    rng = np.random.default_rng(0)
    score, background = np.array([0.31]), rng.uniform(0.0, 0.2, (1, 40))
    alone = GENERIC.fast.confidence(features(score, background, 40.0))[0]
    scores = np.concatenate([score, rng.uniform(0.0, 0.3, others)])
    rows = np.concatenate([background, rng.uniform(0.0, 0.3, (others, 40))])
    assert GENERIC.fast.confidence(features(scores, rows, 40.0))[0] == alone


def test_large_scales_do_not_overflow_and_the_order_does_not_saturate() -> None:
    values = features(np.array([0.9, 0.8, -0.9]), np.full((3, 4), -0.5), 1000.0)
    head = Head(1.0, 0.0, 0.0)
    assert np.isfinite(head.logit(values)).all()
    assert list(np.argsort(-head.logit(values))) == [0, 1, 2]
    assert head.confidence(values)[0] == head.confidence(values)[1] == 1.0


def test_no_patches() -> None:
    assert features(np.zeros(0), np.zeros((0, 3)), 40.0).shape == (0, 2)
