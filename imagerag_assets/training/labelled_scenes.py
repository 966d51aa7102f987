"""Find the scenes that training data is made from: those with labels, in an installation or a STAC source.

`labels` describes labels files, and `instruct_data` decides what is asked about the scenes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagerag_assets.errors import describe
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import list_records, load_record
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem
from imagerag_assets.training.labels import Label, Labels, place_labels


@dataclass(frozen=True)
class LabelledScene:
    """A scene with known objects."""

    key: str
    version: str
    grid: Grid
    labels: tuple[Label, ...]
    """At least one label, clipped to the scene."""
    open: Callable[[], SceneReader]
    """Opens the scene's pixels; the caller closes the reader."""


def installed_scenes(platform: Platform, labels: Labels, file: Path) -> list[LabelledScene]:
    """Return the scenes of an installation that have labels, ordered by key.

    Raises:
        UnknownSceneError: a named scene is not ingested.
        InputError: see :func:`place_labels`.
        StoreError: the store cannot be read.
    """
    keys = set(labels.scenes) | (set(list_records(platform)) if labels.anywhere else set())
    records = {key: load_record(platform, key) for key in sorted(keys)}
    placed = place_labels(labels, {key: record.grid for key, record in records.items()}, file)
    return [
        LabelledScene(
            key, record.scene.version, record.grid, placed[key], partial(open_reader, platform.settings, record)
        )
        for key, record in records.items()
        if key in placed
    ]


def source_scenes(
    settings: Settings, source: str, labels: Labels, file: Path
) -> tuple[list[LabelledScene], tuple[str, ...]]:
    """Return the scenes of a STAC source that have labels, ordered by key, and a note for each item left out.

    Nothing is ingested.

    Raises:
        SourceError: the source cannot be reached or understood.
        UnknownSceneError: a named scene is not in the source.
        InputError: see :func:`place_labels`.
    """
    named = () if labels.anywhere else labels.scenes
    found, grids, notes = {}, {}, []
    for scene in find_scenes(source, settings, scenes=named):
        try:
            if isinstance(scene, FailedItem):
                raise scene.error
            with SceneReader(scene, settings) as reader:
                grids[scene.scene_key] = reader.grid
        except MemoryError:
            raise
        except Exception as error:  # of one scene
            notes.append(f"{scene.scene_key} was left out: {describe(error)}")
            continue
        found[scene.scene_key] = scene
    placed = place_labels(labels, grids, file)
    scenes = [
        LabelledScene(key, found[key].version, grids[key], placed[key], partial(SceneReader, found[key], settings))
        for key in sorted(placed)
    ]
    return scenes, tuple(notes)
