"""Scenes as Dagster partitions: the definition, and how a scene found in a source becomes a key.

A partition key is only a name, so what the key stands for (the validated item) is kept beside it in the object store,
as ``sources/{scene_key}.json``.  Finding scenes and ingesting them belong elsewhere.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.errors import StoreError, UnknownSceneError
from imagerag_assets.orchestration.names import WATCHES_NAME
from imagerag_assets.scenes.records import SOURCES
from imagerag_assets.scenes.removed import clear_removed
from imagerag_assets.stac.keys import clash, folded, is_scene_key
from imagerag_assets.stac.types import Scene

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform

SCENES_NAME = "scenes"
SCENES = dg.DynamicPartitionsDefinition(name=SCENES_NAME)


def add_partition(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> None:
    """Make a scene known to Dagster, or replace what was known of it.  The entry first: a key always has one.

    Raises:
        StoreError: the store does not take the entry, or the scene's key is no scene key (Dagster takes any text).
        ItemError: the key differs from another partition's only by case.
    """
    add_partitions(platform, instance, [scene])


def add_partitions(platform: Platform, instance: dg.DagsterInstance, scenes: Sequence[Scene]) -> None:
    """As :func:`add_partition`, for many: Dagster's keys are listed once at most."""
    new: list[str] = []
    for scene in scenes:
        if not is_scene_key(scene.scene_key):
            raise StoreError(f"{scene.scene_key!r} is not a scene key", fix="Give the item another id")
        if not instance.has_dynamic_partition(SCENES_NAME, scene.scene_key):
            new.append(scene.scene_key)
    if new:
        taken = {folded(key): key for key in [*new, *instance.get_dynamic_partitions(SCENES_NAME)]}
        for key in new:
            if taken[folded(key)] != key:
                raise clash(key, taken[folded(key)])
    for scene in scenes:
        if find_partition_scene(platform, scene.scene_key) != scene:
            platform.store.write_json(_entry(scene.scene_key), scene.to_dict())
        clear_removed(platform, scene.scene_key)
    if new:
        instance.add_dynamic_partitions(SCENES_NAME, new)


def partition_scene(platform: Platform, scene_key: str) -> Scene:
    """The scene that a partition key stands for.

    Raises:
        UnknownSceneError: it was never announced, e.g. the key was typed into the UI.
        StoreError: the entry cannot be read.
    """
    scene = find_partition_scene(platform, scene_key)
    if scene is None:
        raise UnknownSceneError(
            "This partition stands for no scene of a source",
            fix="Delete it and add scenes with: imagerag ingest SOURCE (or the job scan_source)",
            scene=scene_key[:200],
        )
    return scene


def find_partition_scene(platform: Platform, scene_key: str) -> Scene | None:
    """As :func:`partition_scene`, None where there is no entry."""
    if not is_scene_key(scene_key) or not platform.store.exists(_entry(scene_key)):
        return None
    stored = platform.store.read_json(_entry(scene_key))
    try:
        return Scene.from_dict(stored)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # of another version: the next announcement replaces it


def _entry(scene_key: str) -> str:
    return f"{SOURCES}/{scene_key}.json"


WATCHES = dg.DynamicPartitionsDefinition(name=WATCHES_NAME)
