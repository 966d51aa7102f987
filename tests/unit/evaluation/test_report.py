"""The table and the plot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from imagerag_assets.evaluation.cases import Case, Judged, judge
from imagerag_assets.evaluation.metrics import compare_runs, measure_run
from imagerag_assets.evaluation.report import markdown, plot


def run(*, found: bool, kind: str) -> dict[str, Judged]:
    case = Case("q", "?", kind, ("s",), {"A": "x"}, "A", ((0, 0, 10, 10),))
    window = [0, 0, 10, 10] if found else [50, 50, 60, 60]
    cues = [{"window": window, "scene": "s", "rank": 1, "confidence": 0.97}]
    return {"q": judge(case, {"cues": cues, "choice": "A"})}


def document(kind: str, **more: Any) -> dict[str, Any]:
    options = {"mode": "imagerag", "retrieval": "paper", "division": "cc", "top_k": None}
    about = {"encoder": "tiny", "fingerprint": "f" * 64, "options": options, "missing": {}}
    metrics = measure_run(list(run(found=True, kind=kind).values()))
    return {"questions": 1, "failed": 0, "left_out": 0, "run": about, "metrics": metrics, **more}


def test_a_table_with_intervals_and_the_comparison() -> None:
    before, after = run(found=False, kind="position"), run(found=True, kind="position")
    told = markdown(document("position", comparison=compare_runs(before, after)))
    assert "retrieval paper, division cc" in told
    assert "| position: half of a target covered by the top 3 | 1.000 | 0.207 to 1.000 | 1 |" in told
    assert "| found | 1 | 0 | 1 | 1 | 0 | 1.000 |" in told
    assert "absent" not in told  # a figure with nothing to rest on has no line


def test_missing_pictures_are_listed() -> None:
    shown = document("position", left_out=2)
    shown["run"]["missing"] = {"b.P2": "images/P2|x.png", "b.P3": "P3.png"}
    assert "2 questions about 2 missing scenes: images/P2\\|x.png, P3.png" in markdown(shown)


def test_the_plot_is_svg_whatever_kinds_are_called() -> None:
    metrics = document("<script> & co")["metrics"]
    drawn = ET.fromstring(plot(metrics, before=measure_run([])))
    assert any("<script> & co: right answers (n 1)" in (text.text or "") for text in drawn.iter())
    assert len([each for each in drawn.iter() if each.tag.endswith("circle")]) >= 5
    ET.fromstring(plot(measure_run([])))
