"""The paper's retrieval formulas against cases worked out by hand; the numbers of each case stand in its test."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.retrieval.paper._formulas import (
    Pick,
    Thresholds,
    above,
    above_chance,
    near_enough,
    pool,
    prototype,
    rows_of,
    scores,
    sentences_of,
    text_vector,
)


def at(*degrees: float) -> NDArray[np.float64]:
    """Unit vectors of the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_a_row_for_each_phrase_and_one_for_all_of_several() -> None:
    assert rows_of([]) == []
    assert rows_of(["red car"]) == ["red car"]
    assert rows_of(["red car", "bridge"]) == ["red car", "bridge", "red car and bridge"]
    assert rows_of(["a", "b", "c"]) == ["a", "b", "c", "a, b, and c"]


def test_the_text_templates_are_imagenets_eighty() -> None:
    made = sentences_of("red {car}")
    assert len(made) == len(set(made)) == 80
    assert made[0] == "a bad photo of a red {car}."
    assert "a photo of the small red {car}." in made
    assert "itap of my red {car}." in made


def test_sentences_are_averaged_as_they_are_and_then_normalised() -> None:
    # (3, 0) and (0, 1): mean (1.5, .5), length 1.581139. Scaled to length 1 first it would be (.7071, .7071).
    assert text_vector(np.array([[3.0, 0.0], [0.0, 1.0]])).tolist() == pytest.approx([0.948683, 0.316228], abs=1e-6)


def test_softmax_over_patches() -> None:
    # cosines 1, .6, 0 and scale 5: e^5 = 148.4132, e^3 = 20.0855, e^0 = 1; sum 169.4987
    found = scores(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), np.array([[1.0, 0.0]]), 5.0)
    assert found.tolist()[0] == pytest.approx([0.875601, 0.118500, 0.005900], abs=1e-6)
    assert scores(np.zeros((0, 2)), np.ones((1, 2)), 5.0).shape == (1, 0)


@pytest.mark.parametrize(("patches", "score"), [(100, 0.711951), (385, 0.389208), (50_176, 0.004853)])
def test_the_same_target_scores_less_the_larger_its_scene(patches: int, score: float) -> None:
    # One patch at cosine .3, the others at .245, scale 100: e^5.5 = 244.6919 against one for each of the others.
    cosines = np.full((patches, 1), 0.245)
    cosines[0] = 0.3
    assert scores(cosines, np.ones((1, 1)), 100.0)[0, 0] == pytest.approx(score, abs=1e-6)


ROWS = np.array(
    [
        [0.50, 0.30, 0.10, 0.05, 0.05],  # best two: 0, 1
        [0.10, 0.40, 0.45, 0.03, 0.02],  # 2, 1
        [0.20, 0.10, 0.05, 0.35, 0.30],  # 3, 4
    ]
)


def test_pooling_takes_the_most_frequent_two_then_each_rows_best() -> None:
    # Patch 1 is among the best of two rows, with .40 in the better one; of the others, once each, patch 0 comes first.
    # Then the rows' best that are not there yet: 2 and 3. Patch 4 is only second in its row.
    assert pool(ROWS) == [Pick(1, 1, 0.40), Pick(0, 0, 0.50), Pick(2, 1, 0.45), Pick(3, 2, 0.35)]


def test_pooling_gives_at_most_two_more_than_rows_and_each_patch_once() -> None:
    rng = np.random.default_rng(3)
    for rows in (1, 2, 3, 6):
        picks = pool(rng.random((rows, 40)))
        assert len(picks) == len({pick.patch for pick in picks}) <= rows + 2
    twice = np.array([[0.1, 0.2, 0.7, 0.0, 0.0], [0.1, 0.2, 0.7, 0.0, 0.0]])
    assert [pick.patch for pick in pool(twice)] == [2, 1]


@pytest.mark.parametrize(("columns", "patches"), [(0, []), (1, [0]), (2, [1, 0])])
def test_pooling_of_scenes_with_fewer_patches_than_it_looks_for(columns: int, patches: list[int]) -> None:
    matrix = np.array([[0.4, 0.6]])[:, :columns]
    assert [pick.patch for pick in pool(matrix)] == patches


def test_the_fast_paths_threshold_is_exclusive() -> None:
    assert [pick.patch for pick in above(pool(ROWS), 0.4)] == [0, 2]  # 1 has .40
    assert above(pool(ROWS), Thresholds().fast) == []


def test_a_slow_cue_has_at_least_the_score_of_chance() -> None:
    picks = [Pick(0, 0, 0.2499), Pick(1, 0, 0.25), Pick(2, 0, 0.5)]
    assert [pick.patch for pick in above_chance(picks, 4)] == [2, 1]


def test_a_label_is_near_enough_by_squared_distance() -> None:
    # 2 - 2 cos: thresholds .1, .2, .3 are cosines .95, .90, .85
    cosines = [0.951, 0.95, 0.949, 0.90, 0.85, 0.849]
    assert near_enough(cosines, 0.1) == [True, True, False, False, False, False]
    assert near_enough(cosines, 0.2) == [True, True, True, True, False, False]
    assert near_enough(cosines, 0.3) == [True, True, True, True, True, False]
    assert (Thresholds().labels, Thresholds().captions) == (0.3, 0.3)


EXEMPLARS = at(0, 10, 15, 40, 90)


def test_prototype_mean() -> None:
    # x: (1 + .984808 + .965926 + .766044 + 0) / 5; y: (0 + .173648 + .258819 + .642788 + 1) / 5
    assert prototype(EXEMPLARS, "mean").tolist() == pytest.approx([0.743356, 0.415051], abs=1e-6)


def test_prototype_cluster_is_the_mean_of_the_largest_cluster_by_euclidean_distance() -> None:
    # Chords: 0 to 10 degrees .174, 10 to 15 .087; 15 to 40 .433 is too far (its cosine distance, .094, would not be).
    # x: (1 + .984808 + .965926) / 3; y: (0 + .173648 + .258819) / 3
    assert prototype(EXEMPLARS, "cluster").tolist() == pytest.approx([0.983578, 0.144156], abs=1e-6)
    assert prototype(at(0, 40, 90), "cluster").tolist() == pytest.approx(prototype(at(0, 40, 90), "mean").tolist())
    assert prototype(at(40), "cluster").tolist() == pytest.approx([0.766044, 0.642788], abs=1e-6)


def test_prototype_rerank_is_the_mean_of_the_three_most_like_the_text() -> None:
    # Most like (0, 1): 90, 40 and 15 degrees. x: (0 + .766044 + .965926) / 3; y: (1 + .642788 + .258819) / 3
    text = np.array([0.0, 1.0])
    assert prototype(EXEMPLARS, "rerank", text).tolist() == pytest.approx([0.577323, 0.633869], abs=1e-6)
    assert prototype(at(0, 90), "rerank", text).tolist() == pytest.approx([0.5, 0.5])
