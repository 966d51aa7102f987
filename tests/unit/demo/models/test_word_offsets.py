"""Offsets of words: what they even out, and what of a board they are measured on."""

from __future__ import annotations

import numpy as np

from imagerag_assets.demo.models.chips import CHIP_PX, Chips
from imagerag_assets.demo.models.word_offsets import SIDE, STEP, beside, best_of_cells, board, intercepts, windows

_COUNT = CHIP_PX // STEP * (SIDE - 1) + 1  # windows along a side of a board


def test_windows_cut_a_board_row_by_row() -> None:
    number = 2 * SIDE * SIDE
    images = np.repeat(np.arange(number, dtype=np.uint8), CHIP_PX * CHIP_PX * 3).reshape(number, CHIP_PX, CHIP_PX, 3)
    chips = Chips(images, tuple(map(str, range(number))), (None,) * number)
    picture, names = board(chips, np.random.default_rng(0))
    cut = windows(picture)
    assert len(cut) == _COUNT**2
    whole = cut.reshape(_COUNT, _COUNT, *cut.shape[1:])[:: CHIP_PX // STEP, :: CHIP_PX // STEP].reshape(SIDE**2, -1)
    assert [str(each[0]) for each in whole] == list(names)
    assert (whole == whole[:, :1]).all()


def test_the_best_window_near_a_chip_counts() -> None:
    values = np.zeros((_COUNT, _COUNT))
    values[9, 10] = 3.0  # one STEP below and two to the right of the chip of row 2, column 2
    assert np.flatnonzero(best_of_cells(values.ravel())).tolist() == [2 * SIDE + 2, 2 * SIDE + 3]


def test_cells_beside_a_thing_show_it_too() -> None:
    marked = np.zeros((2, SIDE, SIDE), dtype=bool)
    marked[1, 0, 0] = True
    near = beside(marked.ravel()).reshape(2, SIDE, SIDE)
    assert not near[0].any()
    assert np.argwhere(near[1]).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_offsets_bring_words_that_differ_only_in_level_together() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(400) < 40
    plain = np.where(truth, 3.0, -3.0) + rng.normal(size=400)
    own = intercepts([(plain + level, truth) for level in (-2.0, 0.0, 2.0)])
    assert np.allclose(np.diff(own), -2.0, atol=0.4)


def test_a_word_of_few_pictures_stays_near_the_others() -> None:
    few, many = np.array([True, False, False]), np.arange(400) < 40
    values = np.where(many, 3.0, -3.0)
    own = intercepts([(values, many), (np.where(few, -9.0, -15.0), few)])
    assert 0 < own[1] < 6  # 12 would bring its one picture to even odds
