"""What the benchmarks of speed stand on: scenes of repeated blocks, and the rows of their table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from benchmarks.make_repeated_scene import make_repeated_scene
from benchmarks.speed_ingest import rows_of
from benchmarks.speed_tables import speed_table


def test_a_repeated_scene_repeats_in_all_levels(tmp_path: Path) -> None:
    item = make_repeated_scene(tmp_path, 5000, period=1024)
    with rasterio.open(item.with_suffix(".tif")) as scene:
        assert scene.shape == (5000, 5000)
        assert scene.overviews(1) == [2, 4, 8, 16]
        assert (scene.bounds.left, scene.bounds.top) == (500_000.0, 5_300_000.0)
        first = scene.read(window=Window(0, 0, 1024, 1024))
        np.testing.assert_array_equal(first, scene.read(window=Window(3072, 2048, 1024, 1024)))
    for level, side in enumerate((512, 256, 128, 64)):
        with rasterio.open(item.with_suffix(".tif"), overview_level=level) as reduced:
            part = reduced.read(window=Window(0, 0, side, side))
        means = first.reshape(3, side, 1024 // side, side, 1024 // side).mean(axis=(2, 4))
        assert np.abs(part - means).mean() < 8  # JPEG


def test_rows_are_those_that_were_measured() -> None:
    memory = {"memory_mib": {"beyond_loaded": 1000.0}, "supertiles": {"read": 12, "of": 1000}}
    fixed = {"fixed_processor_seconds": 0.5, "fixed_seconds": 0.7, "patches_each": 20}
    rows = rows_of({"memory-100000": memory, "fixed": fixed})
    assert [(row["value"], row["met"]) for row in rows] == [(1000.0, True), (0.5, False)]
    assert "first 12 of 1000 super-tiles" in rows[0]["of"]
    lines = speed_table({"rows": rows})
    assert lines[2].startswith("| peak memory") and "| at most 2,048 | 1,000 | yes |" in lines[2]
    assert len(lines) == 4


@pytest.mark.parametrize("part", ["reading", "encoder"])
def test_a_part_alone_gives_its_row(part: str) -> None:
    found = {"ratio": 1.2, "rounds": 3, "best": {"ratio": 3.0, "cosine": 0.9999, "setting": "ours-bfloat16"}}
    (row,) = rows_of({part: found})
    assert row["met"]
