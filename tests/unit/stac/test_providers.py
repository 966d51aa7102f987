"""Items in the form of the providers that give them: the right bands, and only real pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.formats.picture import like, look
from tests.formats.providers import PROVIDED, Provided
from tests.formats.table import shown


@pytest.mark.parametrize("provided", PROVIDED, ids=[f"{each.provider}, {each.name}" for each in PROVIDED])
def test_an_item_of_a_provider(provided: Provided, tmp_path: Path, settings: Settings) -> None:
    (scene,) = find_scenes(str(provided.write(tmp_path)), settings)
    assert isinstance(scene, Scene), scene.error
    assert shown(scene) == provided.shown
    seen = look(scene, settings)
    assert like(seen.quarters, provided.quarters), seen
    assert seen.valid == pytest.approx(provided.valid, abs=0.011), seen
