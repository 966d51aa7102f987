"""Items in the form of the providers that give them: the right bands, and only real pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.formats.picture import like, look
from tests.formats.providers import PROVIDED, Provided
from tests.formats.table import shown
from tests.unit.raster.scenes import scene_of


@pytest.mark.parametrize("provided", PROVIDED, ids=[f"{each.provider}, {each.name}" for each in PROVIDED])
def test_an_item_of_a_provider(provided: Provided, tmp_path: Path, settings: Settings) -> None:
    (scene,) = find_scenes(str(provided.write(tmp_path)), settings)
    assert isinstance(scene, Scene), scene.error
    assert shown(scene) == provided.shown
    seen = look(scene, settings)
    assert like(seen.quarters, provided.quarters), seen
    assert seen.valid == pytest.approx(provided.valid, abs=0.011), seen


REAL = {
    "opengeos_data/landsat/1985.tif": 1.0,
    "opengeos_data/landsat/2020.tif": 1.0,
    "opengeos_data/naip/m_4709963_se_14_1_20090818.tif": 1.0,
    "opengeos_data/raster/cog.tif": 1.0,
    "rio_tiler/tests/fixtures/cog_gcps.tif": 1.0,
    "rio_tiler/tests/fixtures/cog_nodata_nan.tif": 0.49,
    "rio_tiler/tests/fixtures/cog_rgb.tif": 1.0,
    "rio_tiler/tests/fixtures/cog_rgb_mask.tif": 0.93,
    "rio_tiler/tests/fixtures/cog_hirise_mars.tif": 1.0,
    "deepforest/data/5b90f92da0d7280005fab355_4310.tif": 0.98,
    "geotiff_test_data/files/umbra_mount_yasur.tiff": 0.98,
}
"""Real files, and the share of their pixels that count without collars."""


@pytest.mark.parametrize("name", REAL)
def test_a_real_file(name: str, samples: Path, settings: Settings) -> None:
    scene = scene_of(samples / name)
    scene = replace(scene, imagery=replace(scene.imagery, modality="other"))
    seen = look(scene, settings.model_copy(update={"collars": "exclude"}))
    assert seen.valid == pytest.approx(REAL[name], abs=0.021), seen
    assert any("left out" in note for note in seen.notes) == (REAL[name] == 0.98)
