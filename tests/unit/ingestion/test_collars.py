"""A frame that nothing declares: told with the scene, and without patches where the setting says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import load_record
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.items import scene_at, texture, write_scene


def test_patches_of_a_frame_go_where_the_setting_says_so(tmp_path: Path, platform: Platform) -> None:
    pixels = texture(512, 1024) | 1
    pixels[:, :, 512:] = 0
    pixels[:, 200:220, 200:220] = 0
    scene = scene_at(write_scene(tmp_path, "framed", pixels), platform.settings)
    kept = ingest_scene(platform, scene)
    assert kept.patches == platform.recipe.division_for(None).count(1024, 512)
    assert "50.0% of the scene, at its border" in " ".join(load_record(platform, "framed").notes)

    without = platform.using(collars="exclude")
    left = ingest_scene(without, scene)
    assert left.status == "ingested"
    assert 0 < left.patches < kept.patches * 0.7
    record = load_record(platform, "framed")
    with open_reader(without.settings, record) as reader:
        valid = reader.read(reader.grid.window)[1]
    assert np.array_equal(valid, np.broadcast_to(np.arange(1024) < 512, valid.shape))
    newest = next(path for path in list_shards(platform.store) if "pyramid-" in path.path and "-k/" in path.path)
    shard = read_shard(platform.store, newest.path)
    assert len(shard) == left.patches
    assert min(shard.column("valid_fraction").to_pylist()) >= 0.5
    assert ingest_scene(without, scene).status == "skipped"
