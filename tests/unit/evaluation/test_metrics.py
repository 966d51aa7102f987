"""Figures against cases worked out by hand, and against numbers that others published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from imagerag_assets.evaluation.cases import Case, Judged, judge
from imagerag_assets.evaluation.metrics import (
    bootstrap,
    calibration_error,
    compare_runs,
    measure_run,
    paired,
    pooled,
    reliability,
    share,
)

Box = Sequence[int]
TARGET = (100, 100, 200, 200)


def cue(window: Box, confidence: float = 0.9, rank: int = 1, scene: str = "s") -> dict[str, Any]:
    return {"window": list(window), "confidence": confidence, "rank": rank, "scene": scene}


def judged(
    kind: str = "position",
    roi: Sequence[Box] | None = (TARGET,),
    cues: Sequence[dict[str, Any]] = (),
    *,
    id: str = "q",
    choice: str | None = "A",
    answered: bool = True,
) -> Judged:
    windows = None if roi is None else tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in roi)
    case = Case(id, "where?", kind, ("s",), {"A": "x", "B": "y"}, "A", windows)
    return judge(case, {"cues": list(cues), "choice": choice, "answer": "x"}, answered=answered)


def test_wilson_by_hand() -> None:
    # 7 of 10, z = 1.959964: centre (.7 + z^2 / 20) / (1 + z^2 / 10) = .89207 / 1.38415,
    # half z * sqrt(.021 + z^2 / 400) / 1.38415 = 1.959964 * .174939 / 1.38415
    seven = share([True] * 7 + [False] * 3)
    assert (seven.value, seven.n) == (0.7, 10)
    assert (seven.low, seven.high) == pytest.approx((0.39678, 0.89221), abs=1e-4)
    none = share([False] * 20)  # upper end z^2 / (n + z^2)
    assert (none.value, none.low, none.high) == pytest.approx((0.0, 0.0, 0.161125), abs=1e-5)
    assert share([]).to_dict() == {"value": None, "n": 0, "low": None, "high": None}


def test_mcnemar_is_exact_and_gives_the_papers_p() -> None:
    published = [(False, True)] * 18 + [(True, False)] * 10 + [(True, True)] * 60 + [(False, False)] * 62
    counts = {"n": 150, "before": 70, "after": 78, "fixed": 18, "broken": 10}
    assert paired(published) == counts | {"p": pytest.approx(0.185, abs=5e-4)}
    assert paired([(False, True)] * 6)["p"] == pytest.approx(2 / 64)
    assert paired([(True, True)] * 3)["p"] == 1.0
    assert paired([])["p"] is None


def test_calibration_error_by_hand() -> None:
    confidence, hits = np.array([0.95, 0.95, 0.85, 0.05]), np.array([True, False, True, False])
    # two of four in the last bin, .95 against .5; one at .85 against 1; one at .05 against 0
    assert calibration_error(confidence, hits) == pytest.approx((2 * 0.45 + 0.15 + 0.05) / 4)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
    assert calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) is None
    last = reliability(confidence, hits)[9]
    assert last == {"from": 0.9, "to": 1.0, "confidence": pytest.approx(0.95), "hits": 0.5, "n": 2}


def test_pooled_shares_count_targets_and_draw_questions() -> None:
    figure = pooled([(1, 1), (1, 3), (4, 4)])
    assert (figure.value, figure.n) == (6 / 8, 8)
    assert figure.low is not None and figure.high is not None
    assert 1 / 3 <= figure.low < 6 / 8 < figure.high <= 1.0
    assert pooled([(1, 3), (4, 4)]) == pooled([(1, 3), (4, 4)])  # the draws are the same at every call
    assert pooled([(2, 2)] * 5).to_dict() == {"value": 1.0, "n": 10, "low": 1.0, "high": 1.0}
    assert pooled([(0, 0)]).value is None
    assert bootstrap(0, lambda drawn: 1.0, n=0).value is None


def test_recall_counts_questions_without_cues_and_only_the_first_three_cues() -> None:
    miss = [cue((500, 500, 600, 600), rank=rank) for rank in (1, 2, 3)]
    run = [
        judged(cues=[cue((100, 100, 200, 160))]),  # .6 of the target, IoU .6
        judged(cues=[*miss, cue(TARGET, rank=4)]),  # the fourth cue does not count
        judged(cues=[]),
        judged("count", [TARGET, (300, 300, 400, 400)], [cue((0, 0, 1000, 1000))]),  # covers both, IoU .01
        judged("absent", []),
        judged("other", None, [cue(TARGET)]),  # where it is is not known: no recall
    ]
    recall = measure_run(run)["recall"]
    assert {name: each["half_covered"]["n"] for name, each in recall.items()} == {
        "all": 4, "position+count": 4, "position": 3, "count": 1
    }  # fmt: skip
    assert recall["all"]["half_covered"]["value"] == 2 / 4
    assert recall["position"]["half_covered"]["value"] == 1 / 3
    assert [recall["all"][f"iou_{iou}"]["value"] for iou in (0.1, 0.3, 0.5)] == [0.25, 0.25, 0.25]


def test_counting_false_cues_and_accuracy() -> None:
    two = [TARGET, (300, 300, 400, 400)]
    run = [
        judged("count", two, [cue(TARGET), cue((310, 300, 410, 400), rank=2), cue((900, 900, 950, 950), rank=3)]),
        judged("count", two, []),
        judged("absent", [], [cue(TARGET)]),
        judged("absent", [], choice="B"),
    ]
    metrics = measure_run(run)
    assert (metrics["instances_found"]["value"], metrics["instances_found"]["n"]) == (2 / 4, 4)
    assert (metrics["cue_precision"]["value"], metrics["cue_precision"]["n"]) == (2 / 3, 3)
    assert (metrics["false_cues"]["value"], metrics["false_cues"]["n"]) == (0.5, 2)
    assert (metrics["no_cue"]["value"], metrics["no_cue"]["n"]) == (0.5, 2)
    assert metrics["accuracy"]["all"]["value"] == 3 / 4
    assert metrics["accuracy"]["absent"]["value"] == 1 / 2
    # four cues of .9, two of them right
    assert metrics["calibration_error"]["value"] == pytest.approx(0.4)


def test_a_failed_question_is_a_miss_a_false_cue_and_wrong() -> None:
    failed = {"error": {"type": "RasterError", "message": "gone"}}
    cases = [
        Case("1", "?", "position", ("s",), {"A": "x"}, "A", (TARGET,)),
        Case("2", "?", "absent", ("s",), {"A": "x"}, "A", ()),
    ]
    metrics = measure_run([judge(case, failed) for case in cases])
    assert metrics["recall"]["all"]["half_covered"]["value"] == 0.0
    assert metrics["false_cues"]["value"] == 1.0
    assert metrics["accuracy"]["all"]["value"] == 0.0


def test_without_answers_there_is_no_accuracy() -> None:
    metrics = measure_run([judged(choice=None, answered=False), judged(choice=None, answered=False)])
    assert metrics["accuracy"] == {"all": {"value": None, "n": 0, "low": None, "high": None}}


def test_an_empty_run_has_no_figures() -> None:
    metrics = measure_run([])
    assert metrics["recall"]["all"]["half_covered"]["value"] is None
    assert metrics["calibration_error"]["n"] == 0


def test_runs_are_compared_by_id_on_what_both_have() -> None:
    good, bad = [cue(TARGET)], [cue((900, 900, 950, 950))]
    before = {"a": judged(cues=bad), "b": judged(cues=good), "c": judged(cues=bad), "gone": judged()}
    after = {"a": judged(cues=good), "b": judged(cues=good), "c": judged(cues=good, choice="B"), "new": judged()}
    changes = compare_runs(before, after)
    assert {key: changes["found"][key] for key in ("n", "before", "after", "fixed", "broken")} == {
        "n": 3, "before": 1, "after": 3, "fixed": 2, "broken": 0
    }  # fmt: skip
    assert changes["found"]["p"] == 0.5
    assert (changes["right"]["fixed"], changes["right"]["broken"]) == (0, 1)
    assert (changes["only_before"], changes["only_after"], changes["no_false_cue"]["n"]) == (1, 1, 0)
