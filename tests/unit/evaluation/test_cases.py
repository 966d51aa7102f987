"""One answer against its truth."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.evaluation.cases import Case, compare_windows, judge


def test_overlaps_by_hand() -> None:
    iou, covered = compare_windows([(0, 0, 100, 100), (0, 0, 400, 400)], [(50, 50, 150, 150), (500, 0, 600, 10)])
    assert iou.ravel().tolist() == pytest.approx([2500 / 17500, 0.0, 10000 / 160000, 0.0])
    assert covered.tolist() == [[0.25, 0.0], [1.0, 0.0]]
    assert compare_windows([], [(0, 0, 1, 1)])[0].shape == (0, 1)
    assert compare_windows([(5, 5, 5, 9)], [(0, 0, 10, 10)])[0].tolist() == [[0.0]]  # an empty window


def test_cues_are_taken_by_rank_and_those_of_other_scenes_show_nothing() -> None:
    case = Case("q", "?", "position", ("here",), roi=((0, 0, 10, 10),))
    cues: list[dict[str, Any]] = [
        {"window": [0, 0, 10, 10], "scene": "there", "rank": 2, "confidence": 0.4},
        {"window": [0, 0, 10, 5], "scene": "here", "rank": 1, "confidence": 0.7},
    ]
    seen = judge(case, {"cues": cues}, answered=False)
    assert seen.confidence.tolist() == [0.7, 0.4]
    assert seen.hits.tolist() == [True, False]  # half is enough
    assert (seen.found, seen.instances, seen.reaches(0.5), seen.reaches(0.51)) == (True, 1, True, False)


@pytest.mark.parametrize(
    ("choices", "truth", "choice", "text", "right"),
    [
        ({"A": "x", "B": "y"}, "B", "B", "y", True),
        ({"A": "x", "B": "y"}, "B", None, "y", False),
        ({"A": "x", "B": "y"}, "AB", "A", "x", False),  # both would have to be said
        ({}, "Sports Field", None, "sports field.", True),
        ({}, "2", None, "12", False),
        ({}, None, None, "anything", None),
    ],
)
def test_right_answers(
    choices: dict[str, str], truth: str | None, choice: str | None, text: str, right: bool | None
) -> None:
    case = Case("q", "?", "kind", choices=choices, answer=truth)
    assert judge(case, {"cues": [], "choice": choice, "answer": text}).right is right
