"""Gathering calibration samples from an installation, on vectors of known geometry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import InputError
from imagerag_assets.evaluation.calibrate import calibrate, covers, read_targets
from imagerag_assets.retrieval.phrases import analyse_question
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Search
from tests.unit.retrieval.world import AxisEncoder, unit, worlds

ASKED = {"In which part of the image is the ship?": "ship", "How many tennis courts are there?": "tennis court"}


def line(scene: str, question: str, roi: list[list[int]]) -> str:
    return json.dumps({"id": "1", "scene": scene, "question": question, "roi": roi})


def test_targets_are_the_questions_about_one_thing() -> None:
    where = [[0, 0, 256, 256]]
    lines = [
        line("a", question, where) for question in [*ASKED, "Which of these can be seen?", "Is a ship in a harbor?"]
    ]
    targets = read_targets(["", *lines, line("a", "Where is the ship?", where), line("b", "Where is the ship?", [])])
    assert [(t.scene, t.phrase, len(t.windows)) for t in targets] == [
        ("a", "ship", 1),
        ("a", "tennis court", 1),
        ("b", "ship", 0),
    ]


@pytest.mark.parametrize("bad", ["x", "[]", '{"scene": "a"}', '{"scene": "a", "question": "ship?", "roi": [[1]]}'])
def test_a_bad_line_is_named(bad: str) -> None:
    with pytest.raises(InputError, match="line=2"):
        read_targets([line("a", "Where is the ship?", []), bad])


def test_a_hit_covers_half_of_a_target() -> None:
    windows = np.array([(0, 0, 256, 256), (128, 0, 384, 256), (129, 0, 385, 256), (0, 0, 4000, 4000)])
    assert covers(windows, [(0, 0, 256, 256)]).tolist() == [True, True, False, True]
    assert not covers(windows, []).any()


def test_a_fitted_calibration_lets_hits_pass_and_misses_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with worlds(tmp_path / "home") as make:
        world = make(AxisEncoder({"ship": 0, "tennis court": 1}))
        targets = []
        for scene in ("s0", "s1", "s2"):
            windows = [(300 * index, 0, 300 * index + 256, 256) for index in range(20)]
            vectors = [unit((20 + index, 1.0), (40, rng.uniform(0, 1))) for index in range(20)]
            if scene != "s2":
                vectors[3] = unit((0, 0.5), (23, 1.0), (40, 0.4))
                vectors[9] = unit((1, 0.6), (29, 1.0), (40, 0.4))
            world.add(scene, windows, vectors)
            there = scene != "s2"
            targets += [
                line(scene, question, [list(windows[index])] if there else [])
                for question, index in zip(ASKED, (3, 9), strict=True)
            ]
        made, told = calibrate(world, read_targets(targets), data="drawn vectors")
        assert made.fingerprint == world.encoder.fingerprint
        assert "precision 1.000, recall 1.000" in told[0]
        assert "not fitted" in told[1]
        analysis = analyse_question("Where is the ship?", {}, max_phrases=5, sentences=None)
        found = retrieve(world, analysis, Search(made, path="fast"))
        assert {cue.patch_id for cue in found.cues} == {"s0:pyramid:0:0:3", "s1:pyramid:0:0:3"}
