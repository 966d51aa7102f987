"""Finding targets in mosaics of chips that no model was trained on, through the command line as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.make_mosaic import make_mosaics


def command(home: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "imagerag_assets.cli", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "IMAGERAG_HOME": str(home)},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def mosaics(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mosaics")
    make_mosaics(samples / "ucmerced" / "images_jpg", out, split="dev", rows=20, cols=20, scenes=4, seed=301)
    return out


def test_three_cues_cover_a_target_of_most_position_and_count_questions(mosaics: Path, tmp_path: Path) -> None:
    home, run = tmp_path / "home", tmp_path / "run"
    ingested = command(home, "ingest", str(mosaics / "catalog.json"))
    assert ingested["totals"]["ingested"] == 4
    lines = [
        line
        for file in sorted((mosaics / "truth").glob("*.questions.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if json.loads(line)["kind"] in {"position", "count"}
    ]
    asked = tmp_path / "located.questions.jsonl"
    asked.write_text("\n".join(lines), encoding="utf-8")
    done = command(home, "evaluate", str(asked), "--no-answer", "--top-k", "3", "--out", str(run))
    assert done["questions"] == len(lines)
    found = done["metrics"]["recall"]["position+count"]["half_covered"]
    assert found["n"] >= 30
    assert found["value"] >= 0.65, found
    kinds = {json.loads(line)["id"]: json.loads(line)["kind"] for line in lines}
    answers = [json.loads(line) for line in (run / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(len(answer["cues"]) <= 3 for answer in answers if kinds[answer["id"]] == "position")
