"""What the knowledge covers, through the command a person types."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.errors import InputError, KnowledgeError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.knowledge.build import build_labels
from imagerag_assets.questions.knowledge_coverage import coverage


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Ponds and pools of the same noise, turbines of another."""
    for label, seed in {"pond": 1, "pool": 1, "wind_turbine": 2}.items():
        (tmp_path / "chips" / label).mkdir(parents=True)
        noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        for number in range(2):
            rolled = np.roll(noise, number * 8, axis=0)
            Image.fromarray(rolled).save(tmp_path / "chips" / label / f"{number}.png")
    words = {"pond": {"also": ["fish basin", "carpry"]}}
    (tmp_path / "chips" / "labels.json").write_text(json.dumps(words))
    return tmp_path / "chips"


def test_groups_and_phrases(platform: Platform, chips: Path, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="There is no knowledge base"):
        coverage(platform)
    report = build_labels(platform, str(chips))
    lines = [
        "Where is the fish basin?",
        "How many fish basins are there?",
        "Where is the medieval dungeon?",
        "Where is the carpry?",
    ]
    asked = tmp_path / "q.jsonl"
    asked.write_text("".join(json.dumps({"question": line}) + "\n" for line in lines))
    found = coverage(platform, [asked])
    assert found["labels"]["version"] == report.version
    groups = {group["label"]: group for group in found["labels"]["groups"]}
    assert {label: (each["exemplars"], each["names"]) for label, each in groups.items()} == {
        "pond": (2, 3),
        "pool": (2, 1),
        "wind turbine": (2, 1),
    }
    assert groups["pond"]["closest"][0]["label"] == "pool"
    assert groups["pond"]["closest"][0]["similarity"] == pytest.approx(1, abs=1e-4)
    assert groups["pond"]["confusable"] and groups["pool"]["confusable"]
    phrases = {each["phrase"]: each for each in found["phrases"]}
    assert (phrases["fish basin"]["questions"], phrases["fish basin"]["label"]) == (2, "pond")
    assert phrases["fish basin"]["similarity"] == pytest.approx(1, abs=1e-3)
    assert phrases["carpry"]["label"] == "pond", "a name of the knowledge base is no typing error"
    assert not phrases["medieval dungeon"]["matched"]
    assert found["unmatched"] == 1
    assert found["phrases"][0]["phrase"] == "medieval dungeon"
    asked.write_text("oops")
    with pytest.raises(InputError, match="Line 1"):
        coverage(platform, [asked])


def test_the_command(
    platform: Platform, chips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build_labels(platform, str(chips))
    for name in ("home", "encoder", "encoders_file"):
        monkeypatch.setenv(f"IMAGERAG_{name.upper()}", str(getattr(platform.settings, name)))
    assert main(["knowledge", "coverage", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["captions"] is None and len(document["labels"]["groups"]) == 3
    assert main(["knowledge", "coverage"]) == 0
    assert "wind turbine" in capsys.readouterr().out
    assert main(["knowledge", "coverage", "--questions", "nowhere.jsonl"]) == 2
    assert "The questions cannot be read" in capsys.readouterr().err
