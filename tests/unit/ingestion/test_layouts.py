"""Patches of so many metres, from explaining a source to questions; and an installation that was laid out in pixels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from imagerag_assets.encoder_switch.backfill import backfill
from imagerag_assets.ingestion.explain import explain
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.ingestion.shard_checks import check_shard
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.installation.status import status
from imagerag_assets.maintenance.scene_looks import table_differences
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.stores.milvus_filter import Filter
from tests.items import scene_at, texture, write_scene


def put(folder: Path) -> dict[str, Path]:
    places = {"coarse": 1.25, "fine": 0.1}
    items = {
        name: write_scene(folder, name, texture(300, 400), profile={"transform": from_origin(500_000, 5.3e6, m, m)})
        for name, m in places.items()
    }
    nowhere = write_scene(folder, "nowhere", texture(300, 400), profile={"crs": None, "transform": None})
    return items | {"nowhere": nowhere}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_scenes_start_at_the_same_ground_and_an_installation_in_pixels_moves_by_a_backfill(
    tmp_path: Path, platform: Platform
) -> None:
    items = put(tmp_path / "source")
    platform = platform.using("tiny", patch_px=128, min_confidence=0.0)
    metres = platform.using("tiny", patch_m=80.0)
    old = ingest_scene(platform, scene_at(items["coarse"], platform.settings))
    assert (old.note, old.patches) == (None, platform.recipe.division_for(None).count(400, 300))
    serving = find_serving(metres)
    assert serving is not None and serving.target.recipe == platform.recipe
    assert status(metres)["stale_scenes"] == ["coarse"]  # a backfill applies the setting

    found = explain(metres, str(tmp_path / "source")).to_dict()
    told = {each["scene"]: each for each in found["scenes"]}
    assert (found["division"], found["patch_m"], found["finer_patches"]) == ("pyramid-p128-o0.5-m80", 80.0, 200_000)
    assert {name: each["start_level"] for name, each in told.items()} == {"coarse": -1, "fine": 1, "nowhere": 0}
    assert "64 px = 80 m a side" in told["coarse"]["smallest_patch"]
    assert "the scene is no larger" in told["fine"]["smallest_patch"]
    assert "no place on the ground" in told["nowhere"]["smallest_patch"]

    for name in ("fine", "nowhere"):
        scene = scene_at(items[name], metres.settings)
        made = ingest_scene(metres, scene)
        assert (made.error is None and "pixels" in (made.note or "")) or name == "fine"
        again = ingest_scene(metres, scene)
        assert (again.status, again.note) == ("skipped", made.note)
    assert backfill(metres, force=True).switched is not None
    serving = find_serving(metres)
    assert serving is not None and serving.collection.endswith("_pyramid_p128_o0p5_m80")

    rows = metres.vectors.query(serving.collection, Filter().scene_in(list(items)), ["scene_key", "level", "x0", "x1"])
    levels = {name: Counter(row["level"] for row in rows if row["scene_key"] == name) for name in items}
    assert {name: min(each) for name, each in levels.items()} == {"coarse": -1, "fine": 1, "nowhere": 0}
    assert {row["x1"] - row["x0"] for row in rows if row["level"] == -1} == {64}
    assert metres.vectors.count(serving.collection, Filter().level_at_most(-1)) == levels["coarse"][-1]
    assert metres.ground_distances.finest_levels(metres.recipe) == {"coarse": -1, "fine": 1, "nowhere": 0}
    for name in items:
        assert all(each.passed for each in check_shard(metres, name) if each.severity == "error")
        assert sum(levels[name].values()) == metres.recipe.division_for(_grid(metres, name)).count(400, 300)
    assert not list(table_differences(metres))

    answer = ask(metres, Question("Where is the forest?", scenes=("coarse",), answer=False, top_k=50)).to_dict()
    assert {cue["level"] for cue in answer["cues"]} <= {-1, 0, 1} and answer["cues"]
    assert min(cue["level"] for cue in answer["cues"]) == -1
    with Viewer(metres) as viewer:
        assert viewer.read("coarse", (0, 0, 64, 64), 0).dtype == np.uint8


def _grid(platform: Platform, name: str) -> object:
    with Viewer(platform) as viewer:
        return viewer.record(name).grid
