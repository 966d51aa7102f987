"""The partitions: one for each scene, one for each standing question; and how a scene becomes a partition.

A partition key is only a name.  What the key of a scene stands for, the validated item, is therefore kept in the object
store as ``sources/{scene_key}.json``.  Finding scenes and ingesting them do not belong here.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.errors import ItemError, StoreError, UnknownSceneError
from imagerag_assets.orchestration.names import WATCHES_NAME
from imagerag_assets.stac.keys import folded, is_scene_key
from imagerag_assets.stac.types import Scene

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform

SCENES_NAME = "scenes"
SCENES = dg.DynamicPartitionsDefinition(name=SCENES_NAME)


def add_partition(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> None:
    """Add a scene to the partitions, or replace its stored item.  The item is stored first, so every key has one.

    Raises:
        StoreError: The store does not take the item, or the key is not a scene key (Dagster would accept any text).
        ItemError: The key differs from another partition's only by case.
    """
    add_partitions(platform, instance, [scene])


def add_partitions(platform: Platform, instance: dg.DagsterInstance, scenes: Sequence[Scene]) -> None:
    """Add many scenes as :func:`add_partition` does, listing Dagster's keys once at most."""
    from imagerag_assets.scenes.removed import clear_removed

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
                raise ItemError(
                    "The keys of two scenes differ only by upper and lower case",
                    fix="Delete the partition whose scene is in no source",
                    scene=key,
                    other=taken[folded(key)],
                )
    for scene in scenes:
        if find_partition_scene(platform, scene.scene_key) != scene:
            platform.store.write_json(_entry(scene.scene_key), scene.to_dict())
        clear_removed(platform, scene.scene_key)
    if new:
        instance.add_dynamic_partitions(SCENES_NAME, new)


def partition_scene(platform: Platform, scene_key: str) -> Scene:
    """Return the scene that a partition key stands for.

    Raises:
        UnknownSceneError: No source has named it, e.g. because the key was typed into the UI.
        StoreError: The stored item cannot be read.
    """
    scene = find_partition_scene(platform, scene_key)
    if scene is None:
        raise UnknownSceneError(
            "No source has a scene for this partition",
            fix="Delete the partition, and add scenes with: imagerag ingest SOURCE (or the job scan_source)",
            scene=scene_key[:200],
        )
    return scene


def find_partition_scene(platform: Platform, scene_key: str) -> Scene | None:
    """Return the scene that a partition key stands for, or None where no item is stored for it."""
    if not is_scene_key(scene_key) or not platform.store.exists(_entry(scene_key)):
        return None
    stored = platform.store.read_json(_entry(scene_key))
    try:
        return Scene.from_dict(stored)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # written by another version: the next ingest of its source replaces it


def _entry(scene_key: str) -> str:
    from imagerag_assets.scenes.records import SOURCES

    return f"{SOURCES}/{scene_key}.json"


WATCHES = dg.DynamicPartitionsDefinition(name=WATCHES_NAME)
