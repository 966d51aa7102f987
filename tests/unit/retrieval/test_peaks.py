"""Which peaks stand apart, where they part from the ground, and the interval of their number."""

from __future__ import annotations

import math

import numpy as np

from imagerag_assets.retrieval.peaks import apart, interval, nearest, parting


def test_points_stand_apart() -> None:
    points = np.array([[0.0, 0.0], [3.0, 0.0], [10.0, 0.0], [10.0, 4.9]])
    assert apart(points, np.array([1.0, 2.0, 0.5, 0.4]), 5.0) == [1, 2]
    assert apart(np.zeros((0, 2)), np.zeros(0), 5.0) == []


def test_the_nearest_other_point() -> None:
    assert nearest(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])).tolist() == [5.0, 1.0, 1.0]


def test_an_interval_holds_the_count_and_widens_with_doubt() -> None:
    low, high = interval(140, 0.1)
    assert 100 < low < 140 < high < 180
    wider = interval(140, 0.1, (30, 60))
    assert wider[0] < low and wider[1] > high
    assert interval(0, 0.1) == (0, 0)


def test_two_groups_are_parted_between_them() -> None:
    rng = np.random.default_rng(1)
    many, few = rng.normal(-5, 0.5, 300), rng.normal(1, 0.5, 20)
    assert many.max() < parting(np.concatenate([many, few])) < few.min()
    assert parting(np.array([1.0, 2.0])) == math.inf
