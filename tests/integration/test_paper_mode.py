"""`--retrieval paper` from the command line: its own shards, its divisions, several scenes, an area, the slow path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.patches.divisions import division as make_division
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import PX, write_source


def ask(capsys: pytest.CaptureFixture[str], question: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["ask", question, "--retrieval", "paper", "--no-answer", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("milvus_stays")
def test_the_papers_retrieval(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["ingest", str(write_source(tmp_path / "source", ("one", "two")))]) == 0
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")  # an encoder of random weights is sure of nothing

    code, first = ask(capsys, "Where is the boat?", "--scene", "one")
    assert code == 0
    assert (first["path"], first["lineage"]["retrieval"], first["lineage"]["division"]) == ("fast", "paper", "cc")
    assert any("patches of division cc" in note for note in first["notes"])
    shard = installed.home / "objects" / first["lineage"]["shards"]["one"]
    assert shard.is_file()
    windows = {patch.window for patch in make_division("cc").patches(PX, PX)}
    assert 1 <= len(first["cues"]) <= 2  # one phrase, one row: its best two
    for rank, cue in enumerate(first["cues"], start=1):
        assert tuple(cue["window"]) in windows
        assert cue["patch_id"].startswith("one:cc:")
        assert (cue["rank"], cue["scene"], cue["path"], cue["phrase"]) == (rank, "one", "fast", "boat")
        assert 0 < cue["confidence"] < 1
        assert -1 <= cue["score"] <= 1
    assert first["cues"] == sorted(first["cues"], key=lambda cue: -cue["confidence"])

    made = shard.stat().st_mtime_ns
    code, again = ask(capsys, "Where is the boat?", "--scene", "one")
    assert again["cues"] == first["cues"]
    assert shard.stat().st_mtime_ns == made  # the shard was kept
    assert not any("embedded" in note for note in again["notes"])

    # Each scene has a softmax of its own: another scene in scope changes no score.
    code, both = ask(capsys, "Where is the boat?")
    assert {cue["scene"] for cue in both["cues"]} == {"one", "two"}
    assert [cue for cue in both["cues"] if cue["scene"] == "one"] == [
        cue | {"rank": here["rank"]}
        for cue, here in zip(first["cues"], (c for c in both["cues"] if c["scene"] == "one"), strict=True)
    ]

    code, cells = ask(capsys, "Where is the boat?", "--scene", "one", "--division", "grid")
    assert {cue["patch_id"].split(":")[1] for cue in cells["cues"]} == {"grid"}
    west, south = cells["cues"][0]["bbox"][:2]
    code, inside = ask(capsys, "Where is the boat?", "--bbox", f"{west},{south},{west},{south}")
    assert code == 0
    for cue in inside["cues"]:
        assert cue["bbox"][0] <= west <= cue["bbox"][2]
        assert cue["bbox"][1] <= south <= cue["bbox"][3]

    # The choices are not looked at, so there is nothing to look for.
    code, nothing = ask(capsys, "Which of these can be seen?", "--choice", "A=boat", "--choice", "B=tree")
    assert (nothing["phrases"], nothing["cues"], nothing["path"]) == ([], [], "none")

    assert ask(capsys, "Where?", "--division", "pyramid")[0] == 2
    assert main(["ask", "Where?", "--division", "cc", "--json"]) == 2  # a division belongs to the paper's retrieval


@pytest.mark.usefixtures("milvus_stays")
def test_the_slow_path_where_the_fast_one_is_not_sure(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["ingest", str(write_source(tmp_path / "source", ("one",)))]) == 0
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "1")  # no softmax score is greater
    code, none = ask(capsys, "Where is the boat?", "--scene", "one")
    assert (code, none["path"], none["abstained"], none["cues"]) == (0, "none", True, [])
    assert sum("no knowledge base" in note for note in none["notes"]) == 2

    labels = tmp_path / "labels"
    rng = np.random.default_rng(1)
    for label in ("boat", "forest"):
        (labels / label).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(labels / label / f"{number}.png")
    assert main(["knowledge", "build", "labels", str(labels)]) == 0
    code, slow = ask(capsys, "Where is the boat?", "--scene", "one")
    assert (slow["path"], slow["abstained"]) == ("slow-labels", False)
    assert all(cue["path"] == "slow-labels" and cue["phrase"] == "boat" for cue in slow["cues"])
    assert slow["lineage"]["knowledge"].keys() == {"knowledge_labels"}
    code, far = ask(capsys, "Where is the runway?", "--scene", "one")
    assert (far["path"], far["cues"]) == ("none", [])
    assert any("No labels are near enough" in note for note in far["notes"])
