"""Records that come with an export hold what a record holds, or are refused in one line."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.exchange.importing import read_record
from imagerag_assets.raster.types import Grid, RenderSpec
from imagerag_assets.scenes.records import SceneRecord
from tests.mutations import mutated_item
from tests.unit.raster.scenes import scene_of

RECORD = SceneRecord(
    scene_of("s3://bucket/x.tif"),
    Grid(10, 20, None, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), False),
    RenderSpec(((0, 1), (0, 1), (0, 1)), "uint8", "optical"),
    ("a note",),
)


def read(folder: Path, document: Any) -> SceneRecord:
    path = folder / "record.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_record(path, str(path))


def test_a_record_comes_as_it_was(tmp_path: Path) -> None:
    came = read(tmp_path, RECORD.to_dict())
    assert came == replace(RECORD, scene=replace(RECORD.scene, imported_from=str(tmp_path / "record.json")))


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("scene", {"scene_key": "../../../x"}, "key or size"),
        ("scene", {"scene_key": 7}, "scene.scene_key: Input should be a valid string"),
        ("scene", {"properties": []}, "scene.properties: "),
        ("grid", {"width": 0}, "key or size"),
        ("grid", {"height": "tall"}, "grid.height: "),
        ("render", {"modality": None}, "render.modality: "),
    ],
)
def test_a_record_of_other_types_is_refused(tmp_path: Path, part: str, change: dict[str, Any], said: str) -> None:
    record = RECORD.to_dict()
    with pytest.raises(StoreError, match=said):
        read(tmp_path, record | {part: record[part] | change})


def test_mutated_records(tmp_path: Path) -> None:
    rng, came, refused = random.Random(15), 0, []
    for _ in range(200):
        try:
            read(tmp_path, mutated_item(RECORD.to_dict(), rng))
            came += 1
        except StoreError as error:
            refused.append(str(error))
    assert 20 < came < 180
    assert all(line.isprintable() and line.startswith("The scene's record cannot be read") for line in refused)
