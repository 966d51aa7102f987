"""What was measured becomes one JSON file a table, and these the tables of docs/results.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quality
from benchmarks.record import TABLES, current_commit, known_commit, make_record, read_records
from benchmarks.tables import blocks, fill, section
from imagerag_assets.errors import InputError


def figure(value: float | None, n: int = 20) -> dict[str, Any]:
    if value is None:
        return {"value": None, "n": 0, "low": None, "high": None}
    return {"value": value, "n": n, "low": value - 0.1, "high": value + 0.1}


def system(value: float) -> dict[str, Any]:
    names = ("found", "false_cues", "instances_found", "cue_precision", "calibration_error")
    return {name: figure(value) for name in names}


def answered() -> dict[str, Any]:
    """Return figures of answers."""
    cells = {"all": figure(0.7), "count": figure(0.6)}
    return {
        "questions": 40,
        "right": {
            "blind": {"tool": {"all": figure(0.3)}},
            "everything": {"tool": cells, "free": cells, "order": cells},
        },
        "reworded": {"order": {"everything": figure(0.02), "evidence without a model": figure(0.0)}},
        "eyes": {"all": figure(0.2)},
        "gone": {
            kind: {"presence_not_asserted": figure(0.9), "absence_asserted": figure(0.1)}
            for kind in ("both", "absent", "unknown")
        },
        "causes": {"free": {"all": {"n": 20, "wrong": 6, "causes": {"not found": 4, "prior": 2}}}},
        "dense": {"all": figure(None), "counts": []},
        "targets": [{"figure": "typos: right", "sign": ">=", "wanted": 0.7, "measured": figure(0.6), "met": False}],
    }


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """What `retrieval.py` and `answers.py` leave behind."""
    folder = tmp_path / "work"
    (folder / "small" / "truth").mkdir(parents=True)
    for seed in (501, 502):
        known = {"size": [5120, 5120], "cells": []}
        (folder / "small" / "truth" / f"mosaic-0{seed}.json").write_text(json.dumps(known), encoding="utf-8")
    found = {"20 x 20 cells": {"ours": system(0.9), "paper, cc": system(0.5)}}
    (folder / "retrieval.json").write_text(json.dumps(found), encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(answered()), encoding="utf-8")
    return folder


def test_results_are_taken_over_with_the_commit_that_was_measured(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    commit = known_commit("HEAD")
    assert quality.main(["--from", str(work), "--commit", commit[:9], "--results", str(results)]) == 0
    records = read_records(results)
    assert sorted(records) == ["answers", "retrieval"]
    record = records["retrieval"]
    assert record["commit"] == commit
    assert record["data"] == {
        "mosaics": [{"cells": 20, "seeds": [501, 502], "scenes": 2}], "split": "dev", "chips": 125,
    }  # fmt: skip
    assert record["machine"]["cores"] >= 1
    assert record["figures"]["20 x 20 cells"]["ours"]["found"] == {"value": 0.9, "n": 20, "low": 0.8, "high": 1.0}
    table = section(record)
    assert f"- **Commit**: `{commit[:10]}`" in table
    assert "2 mosaics of 20 x 20 cells (seeds 501 to 502)" in table
    assert "| count: instances found | .90 (.80-1.00, n 20) | .50 (.40-.60, n 20) | .70 |" in table
    told = section(records["answers"])
    assert "| typos: right | at least .70 | .60 (.50-.70, n 20) | no |" in told
    assert "| kind | blind | everything |" in told
    assert "| count | - | .60 (.50-.70, n 20) |" in told
    assert "| people's, all | 6 of 20 | 4 | 2 |" in told
    assert "20 to 300" not in told  # was not measured
    assert "--paper cc --grow 0" in capsys.readouterr().out


def test_a_page_gets_the_tables_that_were_measured_and_keeps_the_rest() -> None:
    places = "\n".join(f"<!-- table: {name} -->\nby hand\n<!-- end -->" for name in TABLES)
    page = f"# Results\n\n{places}\n\nWords.\n"
    shown = {"any place": {"mean": 0.03, "largest": 0.1, "n": 5}}
    record = make_record("growth", shown, commit="a" * 40, command="make bench-quality", data={}, seconds=3.2)
    filled = fill(page, {"growth": record})
    assert "| any place | 0.030 | 0.100 | 5 |" in blocks(filled)["growth"]
    assert blocks(filled)["demo"] == "by hand\n"
    assert filled.endswith("Words.\n")
    assert fill(filled, {"growth": record}) == filled
    with pytest.raises(ValueError, match="no markers for: growth"):
        fill("# Results\n", {"growth": record})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "retrieval,nonsense"], "There is no part nonsense"),
        (["--from", "somewhere"], "Give it with --commit"),
        (["--commit", "abc"], "Give --from too"),
        (["--from", "somewhere", "--commit", "nonsense"], "There is no such commit"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert quality.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_code_with_changes_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.record._git", lambda *arguments: " M imagerag_assets/errors.py")
    with pytest.raises(InputError, match="not committed: M imagerag_assets/errors.py"):
        current_commit()
