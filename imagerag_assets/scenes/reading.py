"""Open a registered scene's imagery, and build overviews for large files that have none."""

from __future__ import annotations

import shutil
from pathlib import Path

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.settings import Settings


def open_reader(
    settings: Settings, record: SceneRecord, *, build_overviews: bool = True, scratch: Path | None = None
) -> SceneReader:
    """Open a registered scene with the display limits that the settings ask for.

    The limits in the record are used if they come from the settings' percentiles, and computed anew otherwise.
    Overviews that have to be built are kept for the next reader.

    Args:
        settings: The settings.
        record: The scene.
        build_overviews: Build overviews that a large file lacks; a question never does, as that reads all of it.
        scratch: Folder of such overviews; default: this installation's.

    Raises:
        RasterError: a file cannot be opened.
    """
    fits = record.render.is_of(settings.stretch_percentiles, without_collars=settings.collars == "exclude")
    render = record.render if fits else None
    scratch = scratch or overview_scratch(settings, record.scene.scene_key)
    return SceneReader(record.scene, settings, render, scratch, build_overviews=build_overviews)


def overview_scratch(settings: Settings, scene_key: str) -> Path:
    """Return the folder of the overviews that were built for a scene without any."""
    return settings.home / "scratch" / "overviews" / scene_key


def clear_overviews(settings: Settings, scene_key: str) -> None:
    """Delete the overviews that were built for a scene: no step needs them any more."""
    shutil.rmtree(overview_scratch(settings, scene_key), ignore_errors=True)
