"""A small STAC source with labels, and the training data made of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from imagerag_assets.settings import load_settings
from imagerag_assets.training.instruct_data import build_dataset
from imagerag_assets.training.labelled_scenes import LabelledScene, source_scenes
from imagerag_assets.training.labels import Labels, read_labels
from tests.small_source import write_source

NAMES = ("one", "two", "three")
_CLASSES = ("ship", "pier", "storage tank", "stadium", "bus", "helipad")
_PX = 900


def labelled_scenes(folder: Path) -> tuple[list[LabelledScene], Labels]:
    """Scenes of 900 px with four classes each, one to three objects a class, on a grid so that none hides another."""
    catalog = write_source(folder / "source", NAMES, px=_PX)
    rng = np.random.default_rng(0)
    file = folder / "labels.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number, name in enumerate(NAMES):
            cells = [(int(c) % 6, int(c) // 6) for c in rng.permutation(36)]
            for index in range(4):
                for _ in range(1 + index % 3):
                    x, y = (150 * side + 20 for side in cells.pop())
                    row = {"scene": name, "class": _CLASSES[(number + index) % 6], "window": [x, y, x + 60, y + 80]}
                    out.write(json.dumps(row) + "\n")
    labels = read_labels(file)
    scenes, notes = source_scenes(load_settings(_env_file=None), str(catalog), labels, file)
    assert notes == ()
    return scenes, labels


def write_training_data(folder: Path, *, questions: int = 36) -> Path:
    """Write the scenes and a folder of training data; returns the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes, labels = labelled_scenes(folder)
    out = folder / "data"
    build_dataset(scenes, labels.plurals, out, questions=questions, overview_px=128, patch_px=128)
    return out
