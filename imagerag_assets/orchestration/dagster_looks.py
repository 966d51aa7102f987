"""Look at Dagster's partitions and materializations against the scenes and standing questions that there are.

Runs are looked at by `dead_runs`.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import dagster as dg

from imagerag_assets.errors import ImageRAGError, StoreError
from imagerag_assets.ingestion.index_scene import indexed_shard
from imagerag_assets.ingestion.patch_tables import table_key
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target
from imagerag_assets.maintenance.looks import Progress, each_of, stored_item
from imagerag_assets.maintenance.vector_looks import answering
from imagerag_assets.orchestration._dagster_private import data_version_tags, is_made, partitions_made
from imagerag_assets.orchestration.assets.scenes import embeddings_version
from imagerag_assets.orchestration.names import WATCHES_NAME
from imagerag_assets.orchestration.partitions import SCENES_NAME, add_partition
from imagerag_assets.scenes.records import SOURCES, SceneRecord, find_record, list_records
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.stac.types import Scene
from imagerag_assets.standing_questions.store import list_watches

SCENE_ASSETS = ("scene", "patch_table", "patch_embeddings", "patch_collection")


def partition_differences(
    platform: Platform, instance: dg.DagsterInstance, progress: Progress | None = None
) -> Iterator[Difference]:
    """Yield scenes and standing questions without a partition, and partitions that stand for nothing.

    Raises:
        StoreError: the store cannot be read.
    """
    partitions, registered = set(instance.get_dynamic_partitions(SCENES_NAME)), set(list_records(platform))
    items = {key.rpartition("/")[2].removesuffix(".json") for key in platform.store.list(SOURCES)}
    marks = {mark.scene: mark for mark in list_removed(platform)}
    gone = {scene for scene, mark in marks.items() if mark.asked}
    for scene in each_of(sorted(registered | items), progress, "comparing partitions"):
        item = stored_item(platform, scene)
        if item is None and scene in registered and (record := _record(platform, scene)) is not None:
            detail, fix = "The item that its partition stands for is missing or unreadable", "Stores that of its record"
            mend = partial(_added, platform, instance, record.scene)
            yield Difference("partition", scene, detail, fix, mend)
        elif item is not None and scene not in partitions and scene not in gone:
            mend = partial(_added, platform, instance, item)
            yield Difference("partition", scene, "The scene has no partition in Dagster", "Adds it", mend)
    for key in sorted(partitions):
        if key in gone and marks[key].done:
            detail, fix = "The scene was removed and has a partition still", "Deletes the partition"
            yield Difference("partition", key, detail, fix, partial(_deleted, instance, SCENES_NAME, key))
        elif key not in items and key not in registered and key not in marks:
            detail, fix = "No scene is stored for it", "Deletes the partition; its events stay"
            yield Difference("partition", key, detail, fix, partial(_deleted, instance, SCENES_NAME, key))
    watches, asked = set(list_watches(platform)), set(instance.get_dynamic_partitions(WATCHES_NAME))
    for watch in sorted(watches - asked):
        detail = "The standing question has no partition in Dagster"
        yield Difference("partition", watch, detail, "Adds it", partial(_watch_added, instance, watch))
    for watch in sorted(asked - watches):
        detail, fix = "There is no such standing question", "Deletes the partition; its events stay"
        yield Difference("partition", watch, detail, fix, partial(_deleted, instance, WATCHES_NAME, watch))


def event_differences(
    platform: Platform, instance: dg.DagsterInstance, progress: Progress | None = None
) -> Iterator[Difference]:
    """Yield scenes that are there although Dagster knows of no materialization: the run was killed in between.

    Raises:
        StoreError: the store or Milvus cannot be read.
    """
    target = answering(platform)
    if target is None or not platform.has_vectors:
        return
    made = {asset: partitions_made(instance, asset) for asset in SCENE_ASSETS}
    partitions = set(instance.get_dynamic_partitions(SCENES_NAME))
    for scene in each_of(sorted(partitions & set(list_records(platform))), progress, "comparing events"):
        missing = [asset for asset in SCENE_ASSETS if scene not in made[asset]]
        record = _record(platform, scene) if missing else None
        if record is None:
            continue
        versions = _versions(platform, target, record)
        missing = [asset for asset in missing if asset in versions]
        if missing:
            detail = f"Dagster knows of no {', '.join(missing)} of it, and they are there"
            mend = partial(_reported, instance, scene, {asset: versions[asset] for asset in missing})
            yield Difference("materialization", scene, detail, "Reports them", mend)


def report_unknown(platform: Platform, instance: dg.DagsterInstance, scene_key: str) -> None:
    """Report what there is of a scene and Dagster does not know of, as the run was killed in between.

    Raises:
        StoreError: the store or Milvus cannot be read.
    """
    target, record = answering(platform), _record(platform, scene_key)
    if target is None or record is None:
        return
    versions = _versions(platform, target, record)
    unknown = {asset: each for asset, each in versions.items() if not is_made(instance, asset, scene_key)}
    _reported(instance, scene_key, unknown)


def _versions(platform: Platform, target: Target, record: SceneRecord) -> dict[str, tuple[str, int | None]]:
    """Return the data version, and the number of rows, of what there is of a scene, by asset."""
    version, recipe = record.scene.version, target.recipe
    found: dict[str, tuple[str, int | None]] = {"scene": (version, None)}
    if platform.store.exists(table_key(record.scene.scene_key, recipe.division_key)):
        found["patch_table"] = (f"{recipe.division_key}:{version}", None)
    try:
        shard = indexed_shard(platform, target, record)
    except ImageRAGError:  # `vector_looks` names it
        shard = None
    if shard is not None:
        found["patch_embeddings"] = (embeddings_version(target.fingerprint, recipe.key, version), shard.rows)
        found["patch_collection"] = (f"{target.collection}:{version}", shard.rows)
    return found


def _reported(instance: dg.DagsterInstance, scene: str, versions: dict[str, tuple[str, int | None]]) -> str:
    for asset, (version, rows) in versions.items():
        metadata = {} if rows is None else {"dagster/row_count": dg.MetadataValue.int(rows)}
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=asset,
                partition=scene,
                metadata=metadata,
                tags=data_version_tags(version),
                description="Found later: the run that made it was killed",
            )
        )
    return "reported"


def _added(platform: Platform, instance: dg.DagsterInstance, scene: Scene) -> str:
    add_partition(platform, instance, scene)
    return "added"


def _watch_added(instance: dg.DagsterInstance, watch: str) -> str:
    instance.add_dynamic_partitions(WATCHES_NAME, [watch])
    return "added"


def _deleted(instance: dg.DagsterInstance, name: str, key: str) -> str:
    instance.delete_dynamic_partition(name, key)
    return "deleted"


def _record(platform: Platform, scene: str) -> SceneRecord | None:
    try:
        return find_record(platform, scene)
    except StoreError:  # `scene_looks` names it
        return None
