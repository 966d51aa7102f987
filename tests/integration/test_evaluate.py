"""`imagerag evaluate` on small scenes with a small real encoder: figures, going on after a kill, missing pictures."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_records import list_answers
from imagerag_assets.settings import Settings
from tests.commands import run
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source

LETTERS = {"A": "left", "B": "right"}
QUESTIONS: list[dict[str, Any]] = [
    {"id": "1", "scene": "one", "kind": "position", "question": "Where is the boat?", "roi": [[0, 0, 150, 150]]},
    {"id": "2", "scene": "one", "kind": "count", "question": "How many tanks are there?", "roi": [[0, 0, 99, 99]]},
    {"id": "3", "scene": "one", "kind": "absent", "question": "Where is the tree?", "roi": []},
    {"id": "4", "scene": "elsewhere", "kind": "position", "question": "Where is the car?", "roi": [[0, 0, 9, 9]]},
]


def asked_so_far(settings: Settings) -> int:
    with Platform(settings) as platform:
        return len(list_answers(platform))


def test_a_run_its_report_and_going_on(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one",))))[0] == 0
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(q | {"choices": LETTERS}) + "\n" for q in QUESTIONS), encoding="utf-8")
    command = ["evaluate", str(file), "--no-answer", "--out", "first"]

    code, first = run(capsys, *command)
    assert code == 3  # one scene is missing, and named
    assert first["run"]["missing"] == {"elsewhere": "elsewhere"}
    assert (first["questions"], first["left_out"], first["failed"]) == (3, 1, 0)
    assert first["metrics"]["recall"]["position+count"]["half_covered"]["n"] == 2
    assert first["metrics"]["false_cues"]["n"] == 1
    assert "elsewhere" in Path("first/report.md").read_text(encoding="utf-8")
    ET.parse("first/report.svg")
    assert json.loads(Path("first/metrics.json").read_text(encoding="utf-8"))["metrics"] == first["metrics"]
    answers = Path("first/answers.jsonl").read_text(encoding="utf-8")
    assert asked_so_far(installed) == 3

    # As a kill leaves it in the second question: one answer, and a piece of the next.
    one, two, _ = answers.splitlines(keepends=True)
    Path("first/answers.jsonl").unlink()
    Path("first/.answers.part").write_text(one + two[: len(two) // 2], encoding="utf-8")
    code, again = run(capsys, *command)
    assert asked_so_far(installed) == 5
    assert again["metrics"] == first["metrics"]
    assert Path("first/answers.jsonl").read_text(encoding="utf-8").startswith(one)
    assert not Path("first/.answers.part").exists()

    code, other = run(capsys, "evaluate", str(file), "--no-answer", "--path", "none", "--compare", "first")
    assert other["metrics"]["no_cue"]["value"] == 1.0
    assert other["comparison"]["found"]["n"] == 2
    assert other["before"] == first["metrics"]
    assert Path(other["report"]["table"]).parent.parent == installed.home / "evaluations"

    code, refused = run(capsys, *command, "--path", "none")
    assert (code, refused["error"]["message"]) == (2, "The folder holds another run with different options")
    code, refused = run(capsys, *command, "--compare", "nowhere")
    assert (code, refused["error"]["type"]) == (2, "InputError")

    assert main([*command, "--compare", "first"]) == 3  # for a person
    shown = capsys.readouterr().out
    assert "half of a target covered" in shown
    assert "McNemar" in shown
    assert "missing elsewhere" in shown


def test_pictures_of_a_benchmark_are_ingested_and_missing_ones_named(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.effect_noise((400, 300), 60).convert("RGB").save(pictures / "P1.png")
    row: dict[str, Any] = {
        "Text": "Where is the boat?",
        "Answer choices": ["(A) left", "(B) right"],
        "Ground truth": "B",
        "Subtask": "Remote Sensing",
        "Category": "position",
        "gt_toi": [0, 0, 200, 150],
        "img_size": [400, 300],
    }
    rows = [row | {"Question_id": name, "Image": f"{name}.png"} for name in ("P1", "P2")]
    Path("MME_RealWorld.json").write_text(json.dumps(rows), encoding="utf-8")

    code, nothing = run(capsys, "evaluate", "MME_RealWorld.json", "--no-answer")
    assert code == 2
    assert "P1.png" in nothing["error"]["message"]
    assert "--images" in nothing["error"]["fix"]

    code, done = run(capsys, "evaluate", "MME_RealWorld.json", "--no-answer", "--images", str(pictures))
    assert code == 3
    assert done["run"]["missing"] == {"mme-realworld.P2": "P2.png"}
    assert done["questions"] == 1
    assert done["metrics"]["recall"]["position"]["half_covered"]["n"] == 1
    shutil.rmtree(pictures)
