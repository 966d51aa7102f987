"""A process killed while it ingests: the next one goes on from what it left, and nothing half-made is ever seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.ingestion.ingest import embed, ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.installation import shards_in
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401

PROGRAM = """
import sys
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes

settings = load_settings(_env_file=None)
with Platform(settings) as platform:
    for scene in find_scenes(sys.argv[1], settings):
        print(ingest_scene(platform, scene), flush=True)
"""


@pytest.fixture
def fine(tiny_settings: Settings) -> Settings:  # noqa: F811
    """Many patches in many super-tiles, so that embedding takes a while."""
    return tiny_settings.model_copy(update={"patch_px": 64, "batch_size": 16})


def start(item: Path, settings: Settings) -> subprocess.Popen[bytes]:
    variables = {
        "IMAGERAG_HOME": str(settings.home),
        "IMAGERAG_ENCODER": str(settings.encoder),
        "IMAGERAG_ENCODERS_FILE": str(settings.encoders_file),
        "IMAGERAG_PATCH_PX": str(settings.patch_px),
        "IMAGERAG_SUPERTILE_PX": str(settings.supertile_px),
        "IMAGERAG_BATCH_SIZE": str(settings.batch_size),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(item)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Kill the process, with no chance to clean up, as soon as `reached`."""
    while not reached():
        try:
            output, _ = process.communicate(timeout=0.03)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"it ended first: {output.decode()[-800:]}")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()


def parts_in(settings: Settings) -> list[Path]:
    return sorted((settings.home / "scratch" / "embed").rglob("[0-9]*.parquet"))


def test_killed_while_embedding_the_next_run_makes_only_the_missing_parts(tmp_path: Path, fine: Settings) -> None:
    item = write_scene(tmp_path, "plain", texture(1100, 1600))
    kill_when(start(item, fine), lambda: len(parts_in(fine)) >= 3)
    left = {part: part.stat().st_mtime_ns for part in parts_in(fine)}
    assert shards_in(fine) == []

    last: dict[Path, int] = {}

    def watch(done: int, total: int, _what: str) -> None:
        if done == total:
            last.update({part: part.stat().st_mtime_ns for part in parts_in(fine)})

    with Platform(fine) as platform:
        result = embed(platform, "plain", progress=watch)
        assert result.reused == len(left) < result.supertiles == len(last)
        assert {part: last[part] for part in left} == left
        assert parts_in(fine) == []
        assert ingest_scene(platform, scene_at(item, fine)).patches == result.patches
        resumed = read_shard(platform.store, list_shards(platform.store)[0].path)

    with Platform(fine.model_copy(update={"home": tmp_path / "elsewhere"})) as other:
        ingest_scene(other, scene_at(item, other.settings))
        whole = read_shard(other.store, list_shards(other.store)[0].path)
    assert resumed.drop_columns("embedding").equals(whole.drop_columns("embedding"))
    np.testing.assert_allclose(embeddings_of(resumed), embeddings_of(whole), atol=1e-6)


def test_killed_after_the_shard_the_next_run_indexes_it(tmp_path: Path, fine: Settings) -> None:
    item = write_scene(tmp_path, "plain", texture(500, 600))
    kill_when(start(item, fine), lambda: bool(shards_in(fine)))
    (shard,) = shards_in(fine)
    written = shard.stat().st_mtime_ns

    with Platform(fine) as platform:
        result = ingest_scene(platform, scene_at(item, fine))
        assert (result.error, result.patches) == (None, platform.recipe.division_for(None).count(600, 500))
        assert shards_in(fine) == [shard]
        assert shard.stat().st_mtime_ns == written
        assert ingest_scene(platform, scene_at(item, fine)).status == "skipped"
