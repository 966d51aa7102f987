"""What a model's certainty about a cue means."""

from __future__ import annotations

import pytest

from imagerag_assets.questions.verdicts import verdict_of


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
    assert verdict_of(sure) == verdict
