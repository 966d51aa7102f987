from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from imagerag_assets.ingestion.ingest import register
from imagerag_assets.ingestion.patch_tables import patch_table
from imagerag_assets.installation.platform import Platform
from imagerag_assets.patches.divisions import division
from imagerag_assets.settings import Settings
from tests.items import scene_at, texture, write_scene


def test_the_table_is_geoparquet_with_every_patch_and_its_estimated_validity(
    tmp_path: Path, settings: Settings
) -> None:
    pixels = texture(500, 1600) | 1
    pixels[:, :, :800] = 0
    platform = Platform(settings.model_copy(update={"patch_px": 64}))
    scene = scene_at(write_scene(tmp_path, "coast", pixels, profile={"nodata": 0}), settings)
    register(platform, scene)

    info = patch_table(platform, "coast")
    frame = gpd.read_parquet(platform.store.url(info.path))

    assert info.patches == len(frame) == platform.recipe.division_for(None).count(1600, 500)
    assert info.levels == {level: int((frame.level == level).sum()) for level in sorted(set(frame.level))}
    assert info.to_embed == int((frame.valid_fraction >= settings.min_valid_fraction).sum())
    # Coarser windows may be padded beyond the scene.
    np.testing.assert_allclose(frame[frame.level == 0].total_bounds, scene.bbox, atol=2e-5)
    np.testing.assert_array_equal(frame.valid_fraction[frame.x1 <= 780], 0)
    np.testing.assert_array_equal(frame.valid_fraction[frame.x0 >= 820], 1)


def test_it_is_written_once_for_a_scene_as_it_is(tmp_path: Path, settings: Settings) -> None:
    platform = Platform(settings)
    register(platform, scene_at(write_scene(tmp_path, "a", texture(300, 300)), settings))
    first = patch_table(platform, "a")
    written = platform.store.version(first.path)
    again = patch_table(platform, "a")

    assert (first.skipped, again.skipped) == (False, True)
    assert (again.levels, again.to_embed, again.patches) == (first.levels, first.to_embed, first.patches)
    assert platform.store.version(first.path) == written
    other = patch_table(platform, "a", division=division("cc"))
    assert other.path != first.path

    register(platform, scene_at(write_scene(tmp_path, "a", texture(600, 300)), settings))
    changed = patch_table(platform, "a")
    assert not changed.skipped
    assert changed.patches > first.patches


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_scene_smaller_than_a_patch_and_without_crs_has_one_patch(tmp_path: Path, settings: Settings) -> None:
    platform = Platform(settings)
    item = write_scene(tmp_path, "tiny", texture(40, 50), profile={"crs": None, "transform": None})
    register(platform, scene_at(item, settings))
    info = patch_table(platform, "tiny")
    frame = gpd.read_parquet(platform.store.url(info.path))

    assert (info.patches, info.to_embed) == (1, 1)
    assert frame.geometry[0] is None
    assert frame.valid_fraction[0] == 1
