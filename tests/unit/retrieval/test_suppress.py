"""Overlap suppression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagerag_assets.retrieval.suppress import MAX_OVERLAP, overlap_of_smaller, suppress

SQUARE = (0, 0, 256, 256)


def kept(windows: list[tuple[int, ...]], order: list[float], scenes: list[str] | None = None) -> list[int]:
    return list(suppress(np.array(windows).reshape(-1, 4), np.array(order), scenes or ["s"] * len(windows)))


def test_neighbours_of_a_pyramid_collapse_and_windows_a_side_apart_stay() -> None:
    assert kept([SQUARE, (128, 0, 384, 256), (128, 128, 384, 384), (256, 0, 512, 256)], [0.9, 0.8, 0.7, 0.6]) == [0, 3]


def test_a_coarse_window_goes_with_its_fine_one() -> None:
    assert kept([(0, 0, 1024, 1024), (300, 300, 556, 556)], [0.5, 0.6]) == [1]


def test_the_same_window_of_two_scenes_stays() -> None:
    assert kept([SQUARE, SQUARE], [0.1, 0.2], ["a", "b"]) == [1, 0]


def test_a_suppressed_window_suppresses_nothing() -> None:
    assert kept([SQUARE, (128, 0, 384, 256), (256, 0, 512, 256)], [0.9, 0.8, 0.7]) == [0, 2]


def test_ties_keep_the_first_and_nothing_is_fine() -> None:
    assert kept([SQUARE, SQUARE], [0.5, 0.5]) == [0]
    assert kept([], []) == []


def test_an_empty_window_overlaps_nothing() -> None:
    assert overlap_of_smaller(np.array([SQUARE, (5, 5, 5, 9)]))[0, 1] == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 300)), max_size=40), st.randoms())
def test_what_is_kept_does_not_clash_and_what_is_dropped_does(squares: list[tuple[int, int, int]], random) -> None:  # type: ignore[no-untyped-def]
    windows = np.array([(x, y, x + side, y + side) for x, y, side in squares]).reshape(-1, 4)
    order = np.array([random.random() for _ in squares])
    keep = suppress(windows, order, ["s"] * len(squares))
    share = overlap_of_smaller(windows)
    assert list(order[keep]) == sorted(order[keep], reverse=True)
    for position, index in enumerate(keep):
        assert (share[index, keep[:position]] <= MAX_OVERLAP).all()
    for index in set(range(len(squares))) - set(keep.tolist()):
        better = [other for other in keep if order[other] >= order[index]]
        assert share[index, better].max() > MAX_OVERLAP


@pytest.mark.parametrize("count", [512])
def test_many_identical_windows(count: int) -> None:
    assert kept([SQUARE] * count, [float(index) for index in range(count)]) == [count - 1]
