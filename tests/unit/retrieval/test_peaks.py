"""Which peaks are objects, and the interval of their number."""

from __future__ import annotations

import numpy as np

from imagerag_assets.retrieval.peaks import interval, nearest, persistent


def test_peaks_with_a_dip_between_them_are_two_objects() -> None:
    seen = np.array([
        [9.0, 8.7, 9.2, 1.0, 0.0],
        [8.0, 8.5, 8.8, 1.0, 6.0],
    ])  # fmt: skip
    places = np.array([(x, y) for y in range(2) for x in range(5)])
    assert [tuple(places[each]) for each in persistent(places, seen.ravel(), 1.0)] == [(2, 0), (4, 1)]
    assert len(persistent(places, seen.ravel(), 0.2)) == 3, "a shallow dip is one, if that is asked"
    apart = np.array([(0, 0), (3, 0)])
    assert len(persistent(apart, np.array([1.0, 1.0]), 5.0)) == 2, "what was not seen between them is no way"
    assert persistent(np.zeros((0, 2), np.int64), np.zeros(0), 1.0) == []


def test_the_nearest_other_point() -> None:
    assert nearest(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])).tolist() == [5.0, 1.0, 1.0]


def test_an_interval_holds_the_count_and_widens_with_doubt() -> None:
    low, high = interval(140, 0.1)
    assert 100 < low < 140 < high < 180
    wider = interval(140, 0.1, (30, 60))
    assert wider[0] < low and wider[1] > high
    assert interval(0, 0.1) == (0, 0)
