"""Finding targets in mosaics of chips that no model was trained on, through the command line as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


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


def covered(cue: list[int], target: list[int]) -> float:
    """Share of the target's area that the cue's window covers."""
    width = min(cue[2], target[2]) - max(cue[0], target[0])
    height = min(cue[3], target[3]) - max(cue[1], target[1])
    return max(0, width) * max(0, height) / ((target[2] - target[0]) * (target[3] - target[1]))


@pytest.fixture(scope="module")
def mosaics(shared_data: Path, make_mosaic_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mosaics")
    chips = shared_data / "ucmerced" / "images_jpg"
    subprocess.run(
        [
            sys.executable,
            str(make_mosaic_script),
            "--images",
            str(chips),
            "--split",
            "dev",
            "--rows",
            "20",
            "--cols",
            "20",
            "--scenes",
            "4",
            "--seed",
            "301",
            "--out",
            str(out),
        ],
        check=True,
        capture_output=True,
    )
    return out


def test_three_cues_cover_the_target_of_most_position_questions(mosaics: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ingested = command(home, "ingest", str(mosaics / "catalog.json"))
    assert ingested["totals"]["ingested"] == 4
    lines = [line for file in sorted((mosaics / "truth").glob("*.questions.jsonl")) for line in file.open()]
    truth = {q["id"]: q for q in map(json.loads, lines)}
    asked, answered = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    asked.write_text("".join(lines), encoding="utf-8")
    assert command(home, "ask", "--batch", str(asked), "--out", str(answered), "--top-k", "3")["questions"] == len(
        lines
    )
    answers = [json.loads(line) for line in answered.open()]
    assert [a["id"] for a in answers] == list(truth)
    positions = [a for a in answers if truth[a["id"]]["kind"] == "position"]
    hits = [
        any(covered(cue["window"], target) >= 0.5 for cue in a["cues"][:3] for target in truth[a["id"]]["roi"])
        for a in positions
    ]
    assert len(positions) >= 5
    assert sum(hits) >= 0.6 * len(hits), f"{sum(hits)} of {len(hits)}"
    assert all(len(a["cues"]) <= 3 for a in positions)
