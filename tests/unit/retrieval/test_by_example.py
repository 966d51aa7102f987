"""Scores of what is shown by example, on vectors of known geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.retrieval.by_example import sought_by
from imagerag_assets.retrieval.collection_sample import CollectionSample

_DIM, _TURNS = 16, 8
_NONE = np.zeros((0, _TURNS, _DIM), dtype=np.float32)


def _patches(rng: np.random.Generator, rows: int, **along: float) -> NDArray[np.float32]:
    """Vectors around one mean, which differ strongly along axis 1; `along` adds to other axes ("a3")."""
    found = rng.normal(0, 0.03, (rows, _DIM))
    found[:, 0] += 1
    found[:, 1] += rng.normal(0, 0.5, rows)
    for axis, much in along.items():
        found[:, int(axis[1:])] += much
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_what_differs_anyway_counts_little_and_bad_examples_hold_down() -> None:
    rng = np.random.default_rng(0)
    usual = CollectionSample(_patches(rng, 400), _DIM)
    shown = _patches(rng, _TURNS, a3=0.4, a1=0.8)[None]  # happens to lie far out along axis 1, too
    thing, ground = _patches(rng, 50, a3=0.4), _patches(rng, 50, a1=0.8)
    alike = _patches(rng, 50, a3=0.4, a5=0.3)

    plain = sought_by(shown, _NONE, usual)
    assert plain.query.dtype == np.float32
    assert np.linalg.norm(plain.query) == np.float32(1) or abs(np.linalg.norm(plain.query) - 1) < 1e-5
    head = plain.scorer.head
    of_thing, of_ground = (head.logit(plain.scorer.score(each)[1]) for each in (thing, ground))
    assert of_thing.min() > of_ground.max()
    by_cosine = shown.mean(axis=(0, 1))
    assert np.median(thing @ by_cosine) < np.median(ground @ by_cosine)  # which similarity alone gets wrong
    assert np.median(head.confidence(plain.scorer.score(thing)[1])) > plain.threshold
    assert head.confidence(plain.scorer.score(usual.vectors)[1]).max() < plain.threshold

    bad = _patches(rng, _TURNS, a3=0.4, a5=0.3)[None]
    warned = sought_by(shown, bad, usual)
    held = [np.median(head.logit(each.scorer.score(alike)[1])) for each in (plain, warned)]
    assert held[1] < held[0] - 1
    assert np.median(head.logit(warned.scorer.score(thing)[1])) > held[1] + 1


def test_few_patches_say_nothing_of_what_is_usual_and_a_word_adds_to_examples() -> None:
    rng = np.random.default_rng(1)
    few = CollectionSample(_patches(rng, 3), _DIM)
    shown, thing = _patches(rng, _TURNS, a3=0.5)[None], _patches(rng, 20, a3=0.5)
    found = sought_by(shown, _NONE, few)
    mean = shown[0].mean(axis=0)
    assert found.query @ mean / np.linalg.norm(mean) > 0.99
    assert np.isfinite(found.scorer.score(thing)[1]).all()
    assert found.scorer.score(thing[:0])[1].shape == (0, 2)

    words = np.eye(_DIM, dtype=np.float32)
    usual = CollectionSample(_patches(rng, 200), _DIM)
    with_word = sought_by(shown, _NONE, usual, word=words[7], words=words)
    assert with_word.query[7] > sought_by(shown, _NONE, usual).query[7]
