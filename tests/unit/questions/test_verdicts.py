"""What a model's certainty about a cue makes of it."""

from __future__ import annotations

import pytest

from imagerag_assets.questions.verdicts import check


@pytest.mark.parametrize(
    ("sure", "verdict"),
    [
        (0.0, "rejected"),
        (0.05, "rejected"),
        (0.15, "unchecked"),
        (0.49, "unchecked"),
        (0.5, "confirmed"),
        (1.0, "confirmed"),
    ],
)
def test_only_a_sure_model_rejects_a_cue(sure: float, verdict: str) -> None:
    assert check(sure, 0.97).verdict == verdict


@pytest.mark.parametrize(
    ("confidence", "verdict", "left"),
    [(0.99, "unchecked", 0.908), (0.92, "unchecked", 0.535), (0.9, "rejected", 0.474), (0.7, "rejected", 0.189)],
)
def test_a_denial_of_known_worth_divides_the_odds_of_the_cue(confidence: float, verdict: str, left: float) -> None:
    looked = check(0.01, confidence, denial_odds=10)
    assert looked.verdict == verdict
    assert looked.confidence == pytest.approx(left, abs=1e-3)
    assert looked.outvoted == (verdict == "unchecked")


def test_a_doubt_is_worth_no_more_than_the_model_says() -> None:
    looked = check(0.4, 0.9, denial_odds=10)  # odds of 9 divided by 1.5
    assert looked.confidence == pytest.approx(6 / 7)
    assert (looked.verdict, looked.outvoted) == ("unchecked", False)


def test_that_a_model_confirms_a_cue_adds_nothing() -> None:
    assert check(0.99, 0.8, denial_odds=10).confidence == 0.8
