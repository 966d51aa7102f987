"""Patches of two scenes paired by place, and which pairs stand out; on vectors and boxes of known geometry."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.retrieval.pairs import Pairs, Patches, apart, pair_patches, standing_out

SIDE = 0.01
DIM = 32


def patches(
    *, shift: float = 0.0, west: float = 10.0, north: float = 50.0, count: int = 8, side: float = SIDE, level: int = 0
) -> Patches:
    """A grid of patches that overlap by half, moved eastwards by a share of a side."""
    row, col = (each.ravel() for each in np.mgrid[:count, :count])
    left = west + (col / 2 + shift) * side
    top = north - row / 2 * side
    left = (left + 180) % 360 - 180
    right = (left + side + 180) % 360 - 180
    boxes = np.stack([left, top - side, right, top], axis=1)
    windows = np.stack([col * 64, row * 64, col * 64 + 128, row * 64 + 128], axis=1)
    number = len(row)
    return Patches(
        ids=np.array([f"{level}-{index}" for index in range(number)], dtype=object),
        levels=np.full(number, level, dtype=np.int64),
        windows=windows.astype(np.int64) << level,
        boxes=boxes,
        vectors=seen(number),
    )


def seen(number: int, *, season: float = 0.0, seed: int = 1) -> NDArray[np.float32]:
    """The same vectors each time, but for noise and a season that moves all of them."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(number, DIM))
    vectors += season * np.random.default_rng(7).normal(size=DIM)
    vectors += (0.3 if season else 0.0) * np.random.default_rng(seed).normal(size=(number, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def with_vectors(of: Patches, vectors: NDArray[np.float32]) -> Patches:
    return Patches(of.ids, of.levels, of.windows, of.boxes, vectors)


def changes(after: Patches, pairs: Pairs, among: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
    considered = np.arange(len(pairs.after)) if among is None else np.flatnonzero(among)
    return apart(after, pairs, standing_out(pairs, considered, 0.5))


@pytest.mark.parametrize("shift", [0.0, 0.2, -0.24])
@pytest.mark.parametrize("west", [10.0, 179.99])
def test_grids_need_not_be_aligned_and_may_cross_the_antimeridian(shift: float, west: float) -> None:
    pairs = pair_patches(patches(west=west), patches(west=west, shift=shift))
    assert pairs.before.tolist() == pairs.after.tolist() == list(range(64))


def test_what_covers_less_than_half_has_no_pair() -> None:
    pairs = pair_patches(patches(), patches(shift=0.6))
    assert set(pairs.after % 8) == set(range(7))  # the last column has moved on, to where nothing covers half of it
    assert (pairs.before == pairs.after + 1).all()
    assert not len(pair_patches(patches(), patches(west=11.0)).after)


def test_patches_are_compared_with_those_of_their_size_on_the_ground() -> None:
    finer = patches(level=1)  # a scene of twice the resolution: its level 1 is the other's level 0
    assert len(pair_patches(patches(), finer).after) == 64
    assert not len(pair_patches(patches(), patches(side=3 * SIDE)).after)


def test_scenes_without_a_place_have_no_pairs() -> None:
    nowhere = patches()
    nowhere.boxes[:] = np.nan
    assert not len(pair_patches(nowhere, nowhere).after)
    assert not len(pair_patches(patches(), nowhere).after)
    assert not len(pair_patches(nowhere, patches()).after)


def test_one_changed_place_stands_out_of_a_change_of_season() -> None:
    before, vectors = patches(), seen(64, season=1.0)
    changed = [27, 28, 35, 36]  # four patches that overlap
    other = np.random.default_rng(9).normal(size=(4, DIM))
    vectors[changed] = other / np.linalg.norm(other, axis=1, keepdims=True)
    after = with_vectors(patches(shift=0.1), vectors)
    pairs = pair_patches(before, after)
    assert np.median(pairs.difference) > 0.1  # the season
    chosen = changes(after, pairs)
    assert pairs.after[chosen[0]] in changed
    assert len(chosen) == 1
    looked_again = pairs.with_difference(chosen, np.median(pairs.difference, keepdims=True))
    assert looked_again.unusual[chosen] < 1
    assert pairs.unusual[chosen] > 3.5
    only_elsewhere = ~np.isin(pairs.after, changed)
    assert not len(changes(after, pairs, only_elsewhere))


def test_the_same_scene_twice_and_a_change_of_season_are_no_change() -> None:
    before = patches()
    for vectors in (before.vectors, seen(64, season=1.0), seen(64, season=2.0, seed=5)):
        after = with_vectors(before, vectors)
        pairs = pair_patches(before, after)
        assert not len(changes(after, pairs))
