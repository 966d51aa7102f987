"""Open a registered scene's imagery, with overviews built where a large file has none."""

from __future__ import annotations

from pathlib import Path

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.settings import Settings


def open_reader(settings: Settings, record: SceneRecord) -> SceneReader:
    """A reader of a registered scene, which keeps overviews it has to build for the next reader.

    Raises:
        RasterError: a file cannot be opened.
    """
    return SceneReader(record.scene, settings, record.render, overview_scratch(settings, record.scene.scene_key))


def overview_scratch(settings: Settings, scene_key: str) -> Path:
    """Folder of the overviews built for a scene that has none."""
    return settings.home / "scratch" / "overviews" / scene_key
