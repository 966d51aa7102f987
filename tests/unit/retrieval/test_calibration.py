"""Calibrations: fitting, storing, and refusing what does not apply."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.encoders.registry import encoder_fingerprint
from imagerag_assets.errors import FingerprintError, InputError, StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.retrieval.calibration import (
    GENERIC,
    Calibration,
    Fit,
    Goal,
    assemble,
    calibration_key,
    find_calibration,
    fit,
    load_calibration,
    parse,
    save_calibration,
)
from imagerag_assets.settings import Settings

FINGERPRINT = "f" * 64


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(*samples())


def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    hits = rng.random(800) < 0.2
    margin = np.where(hits, rng.normal(2, 1, 800), rng.normal(-2, 1, 800))
    return np.stack([margin, rng.normal(10, 1, 800)], axis=1), hits


def calibrated(fitted: Fit) -> Calibration:
    return assemble(fitted, None, fingerprint=FINGERPRINT, division="pyramid", data="800 drawn samples")


def test_fit_finds_the_telling_feature_and_a_good_threshold(fitted: Fit) -> None:
    assert fitted.head.margin > 10 * abs(fitted.head.score)
    assert 0 < fitted.threshold < 1
    assert fitted.precision > 0.85
    assert fitted.recall > 0.85


def test_a_wanted_precision_is_reached_at_the_cost_of_recall(fitted: Fit) -> None:
    strict = fit(*samples(), goal=Goal(precision=0.995))
    assert strict.precision >= 0.995
    assert strict.threshold > fitted.threshold
    assert strict.recall < fitted.recall


def test_a_wanted_share_of_false_cues_is_kept_to_over_targets_and_not_candidates() -> None:
    values, hits = samples()
    # Ten candidates of each of 20 absent targets: what counts is the best of the ten.
    absent = np.where(hits, -1, np.arange(800) // 10)
    absent[absent >= 20] = -1
    found = fit(values, hits, goal=Goal(false_cues=0.1), absent=absent)
    confidence = found.head.confidence(values)
    tops = [confidence[absent == number].max() for number in range(20)]
    assert sum(top >= found.threshold for top in tops) == 2
    assert found.recall == pytest.approx((confidence[hits] >= found.threshold).mean())


@pytest.mark.parametrize("hits", [np.zeros(5, bool), np.ones(5, bool)])
def test_one_sided_samples_are_refused(hits: np.ndarray) -> None:
    with pytest.raises(InputError, match="hits and misses"):
        fit(np.ones((5, 2)), hits)


def test_stored_and_found_again(store: ObjectStore, fitted: Fit) -> None:
    saved = calibrated(fitted)
    save_calibration(store, saved)
    assert load_calibration(store, FINGERPRINT, "pyramid") == saved
    assert len(saved.version) == 16


def test_the_version_follows_the_content(fitted: Fit) -> None:
    one, other = calibrated(fitted), assemble(fitted, None, fingerprint=FINGERPRINT, division="vit", data="x")
    assert one.version == calibrated(fitted).version != other.version


def test_an_unknown_encoder_gets_the_generic_one(store: ObjectStore) -> None:
    found = load_calibration(store, FINGERPRINT, "pyramid")
    assert found is GENERIC
    assert found.version == "uncalibrated"


@pytest.mark.parametrize(
    "change", [{"fingerprint": FINGERPRINT[:16] + "0" * 48}, {"background": 0}, {"division": "cc"}]
)
def test_one_that_does_not_apply_is_refused(store: ObjectStore, fitted: Fit, change: dict[str, object]) -> None:
    wrong = replace(calibrated(fitted), **change)
    store.write_bytes(calibration_key(FINGERPRINT, "pyramid"), wrong.to_json())
    with pytest.raises(FingerprintError, match=r"stored=.* required=.*calibrate"):
        load_calibration(store, FINGERPRINT, "pyramid")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"fingerprint": 3'])
def test_a_damaged_one_is_one_clear_line(store: ObjectStore, data: bytes) -> None:
    store.write_bytes(calibration_key(FINGERPRINT, "pyramid"), data)
    with pytest.raises(StoreError, match="Not a calibration"):
        load_calibration(store, FINGERPRINT, "pyramid")


def test_packaged_ones_apply_to_the_encoder_they_name(settings: Settings, store: ObjectStore) -> None:
    folder = Path(__file__).parents[3] / "imagerag_assets" / "weights" / "calibrations"
    packaged = [parse(file.read_bytes(), file.name) for file in folder.glob("*.json")]
    assert {each.fingerprint for each in packaged} == {
        encoder_fingerprint(name, settings) for name in ("demo", "demo-first", "demo-lite")
    }
    for each in packaged:
        assert load_calibration(store, each.fingerprint, "pyramid") == each


def test_one_for_pixels_holds_for_metres_until_there_is_one_of_their_own(store: ObjectStore, fitted: Fit) -> None:
    def made(division: str, data: str) -> Calibration:
        return assemble(fitted, None, fingerprint=FINGERPRINT, division=division, data=data)

    assert load_calibration(store, FINGERPRINT, "pyramid-m76.8") is GENERIC
    save_calibration(store, pixels := made("pyramid", "in pixels"))
    assert load_calibration(store, FINGERPRINT, "pyramid-m76.8-n500") == pixels
    assert find_calibration(store, FINGERPRINT, "pyramid-m76.8", pixels.version) == pixels
    assert load_calibration(store, FINGERPRINT, "pyramid-p192-o0.5-m76.8") is GENERIC
    save_calibration(store, metres := made("pyramid-m76.8", "in metres"))
    assert load_calibration(store, FINGERPRINT, "pyramid-m76.8") == metres
    assert load_calibration(store, FINGERPRINT, "pyramid") == pixels
