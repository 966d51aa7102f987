"""Calibrations fitted on candidates of the installation's own imagery."""

from __future__ import annotations

import numpy as np
import pytest

from imagerag_assets.evaluation.calibrate_imagery import Candidates, fit_candidates
from imagerag_assets.evaluation.metrics import calibration_error
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.retrieval.calibration import (
    GENERIC,
    default_calibration,
    find_calibration,
    load_calibration,
    save_calibration,
)
from imagerag_assets.retrieval.two_kinds import UNKNOWN
from imagerag_assets.settings import Settings

FINGERPRINT = "c" * 64


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings)


def candidates(right: int, wrong: int, *, scale: float = 1.0) -> tuple[Candidates, np.ndarray]:
    """Candidates whose margins are `scale` times those of a calibrated encoder, and which of them are right."""
    rng = np.random.default_rng(1)
    margins = scale * np.concatenate([rng.normal(2, 1.2, right), rng.normal(-3, 1.2, wrong)])
    found = Candidates()
    for number, margin in enumerate(margins):
        found.fast.append(np.array([margin + scale * rng.normal(0, 0.8), 15.0]))
        found.second.append(np.array([margin + scale * rng.normal(0, 0.3), 15.0]))
        found.steady.append(float(margin))
        found.labels.append(UNKNOWN)
        found.groups.append(number // 2)
    return found, np.arange(right + wrong) < right


@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0])
def test_confidence_fits_whatever_the_encoder_s_scale(store: ObjectStore, scale: float) -> None:
    found, truth = candidates(60, 180, scale=scale)
    made, told = fit_candidates(found, default_calibration(20.0), FINGERPRINT, "pyramid", "drawn")
    assert made is not None
    assert (made.kind, made.scale) == ("imagery", 20.0)
    assert "two groups" in told[0]
    assert made.second is not None
    confidence = made.second.confidence(np.array(found.second))
    error = calibration_error(confidence, truth)
    assert error is not None
    assert error < 0.1
    passing = confidence >= made.second_threshold
    assert passing[truth].mean() > 0.85
    assert passing[~truth].mean() < 0.1
    save_calibration(store, made)
    assert load_calibration(store, FINGERPRINT, "pyramid") == made
    assert find_calibration(store, FINGERPRINT, "pyramid", made.version) == made


def test_a_few_labels_make_it_a_labelled_one_and_count() -> None:
    found, _ = candidates(60, 180)
    found.labels[:3], found.labels[60:63] = [1, 1, 1], [0, 0, 0]
    made, _ = fit_candidates(found, GENERIC, FINGERPRINT, "pyramid", "drawn")
    assert made is not None
    assert made.kind == "labelled"
    few = Candidates(*(each[57:63] for each in (found.fast, found.second, found.steady, found.labels, found.groups)))
    few.labels = [1, 1, 1, 0, 0, 0]
    made, told = fit_candidates(few, GENERIC, FINGERPRINT, "pyramid", "drawn")
    assert made is not None
    assert made.kind == "labelled"
    assert "only labels were used" in told[0]
    few.labels = [1, 1, 1, UNKNOWN, UNKNOWN, UNKNOWN]
    made, told = fit_candidates(few, GENERIC, FINGERPRINT, "pyramid", "drawn")
    assert made is None
    assert "no wrong one" in told[0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Candidates(), "gave 0 candidates"),
        (candidates(1, 2)[0], "gave 3 candidates"),
        (candidates(100, 100, scale=0.0)[0], "All candidates look the same"),
        (candidates(0, 200)[0], "cannot be told apart"),
    ],
    ids=["nothing", "three", "constant", "one group"],
)
def test_imagery_that_says_nothing_gives_none_and_one_sentence(found: Candidates, said: str) -> None:
    made, told = fit_candidates(found, GENERIC, FINGERPRINT, "pyramid", "drawn")
    assert made is None
    assert len(told) == 1
    assert said in told[0]


@pytest.mark.parametrize("scale", [None, 0.0, -3.0, float("nan"), float("inf"), 40.0, 100.0])
def test_a_scale_that_is_absent_or_absurd_or_great_gives_the_generic_default(scale: float | None) -> None:
    assert default_calibration(scale) is GENERIC


def test_a_default_is_found_again_by_its_version(store: ObjectStore) -> None:
    made = load_calibration(store, FINGERPRINT, "pyramid", logit_scale=18.8)
    assert (made.kind, made.scale, made.version) == ("default", 18.8, "default-18.8")
    assert find_calibration(store, FINGERPRINT, "pyramid", made.version) == made
    assert find_calibration(store, FINGERPRINT, "pyramid", "default-x") is GENERIC
