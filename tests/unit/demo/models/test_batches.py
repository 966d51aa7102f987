"""What a demo encoder is taught: names of what pictures show, and never that something is absent which may be there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imagerag_assets.demo.models.batches import Classes, Pool, make_batch
from imagerag_assets.demo.models.chips import Chips
from imagerag_assets.demo.models.sources import Source
from imagerag_assets.demo.models.vocabulary import MAY_SHOW, PHRASES, SHOWS


@pytest.fixture(scope="module")
def classes() -> Classes:
    return Classes(tuple(PHRASES), tuple(torch.eye(384)[:3] for _ in PHRASES))


def chips(*names: str, finer: str | None = None) -> Chips:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (len(names), 256, 256, 3), dtype=np.uint8)
    return Chips(images, names, (finer,) * len(names))


def names_of(classes: Classes, row: torch.Tensor) -> set[str]:
    return {classes.names[i] for i in row.nonzero().flatten().tolist()}


def test_all_names_have_phrases() -> None:
    for table in (SHOWS, MAY_SHOW):
        assert {*table, *(name for names in table.values() for name in names)} <= set(PHRASES)


def test_boats_are_taught_in_harbours_and_cars_on_parking_lots_and_freeways(classes: Classes) -> None:
    pool = Pool.of([Source(chips("harbor", "parking lot", "freeway"), 1.0)])
    _, labels, _ = make_batch(pool, classes, 120, 32, (1, 2), mild=False)
    taught = names_of(classes, labels.sum(0))
    assert {"harbor", "boat", "parking lot", "car", "freeway"} <= taught
    assert taught <= {*("harbor", "parking lot", "freeway"), *SHOWS["harbor"], *SHOWS["parking lot"], *SHOWS["freeway"]}


def test_what_may_be_there_is_no_wrong_answer_and_what_is_not_is(classes: Classes) -> None:
    possible = names_of(classes, classes.possible("harbor", None))
    assert {"harbor", "boat", "ship", "white ship", "water"} <= possible
    assert not {"forest", "airplane", "parking lot"} & possible
    red = names_of(classes, classes.possible("ship", "red ship"))
    assert {"ship", "red ship", "boat", "water"} <= red
    assert not {"blue ship", "white ship"} & red


def test_batches_repeat_and_never_exclude_what_they_teach(classes: Classes) -> None:
    apart = Source(chips("pasture", "water"), 0.3, apart=True)
    pool = Pool.of([Source(chips("harbor", "forest"), 0.5), Source(chips("ship", finer="red ship"), 0.2), apart])
    for mild in (False, True):
        pictures, labels, excluded = make_batch(pool, classes, 32, 48, (7, 3), mild)
        assert pictures.shape == (32, 3, 48, 48)
        assert float(pictures.min()) >= -1
        assert float(pictures.max()) <= 1
        torch.testing.assert_close(labels.sum(1), torch.ones(32))
        assert not (excluded & (labels > 0)).any()
        again = make_batch(pool, classes, 32, 48, (7, 3), mild)
        assert all(torch.equal(one, other) for one, other in zip((pictures, labels, excluded), again, strict=True))
    _, labels, _ = make_batch(pool, classes, 200, 32, (8, 3), mild=False)
    for row in labels:
        shown = names_of(classes, row)
        assert not ({"pasture"} & shown and shown - {"pasture", "water"})  # 10 m and 0.3 m never in one picture
