"""Index an embedded scene: make its shard its only rows in the collection of its encoder and recipe."""

from __future__ import annotations

import time

from imagerag_assets.errors import RemovedSceneError, StoreError
from imagerag_assets.ingestion.embed_scene import find_shard
from imagerag_assets.ingestion.results import IndexResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, Target, remember_encoder, target_of
from imagerag_assets.scenes.records import SceneRecord, load_record
from imagerag_assets.scenes.removed import refuse_removed
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import ShardInfo, ShardKey, iter_batches, list_shards


def index(
    platform: Platform,
    scene_key: str,
    *,
    target: Target | None = None,
    build_index: bool = True,
    again: bool = False,
) -> IndexResult:
    """Make the shard of a scene its only rows in the target's collection.

    Rows of the scene as it was go when the new ones are in, and its old shards after that.  The alias is set if there
    is none and the target is the chosen one; only a backfill moves it.

    Args:
        platform: The installation.
        scene_key: A scene that was embedded.
        target: Encoder and recipe; default: the chosen ones.
        build_index: Renew Milvus's index; false when more scenes follow and the caller renews it once, for all.
        again: Write the rows even if there are as many as the shard has: they may be others.

    Raises:
        RemovedSceneError: a person removed the scene, before or meanwhile.
        UnknownSceneError: no such scene was registered.
        StoreError: the scene has no shard, or Milvus or the store fails.
    """
    started = time.perf_counter()
    refuse_removed(platform, scene_key)
    record = load_record(platform, scene_key)
    wanted = target_of(platform)
    target = target or wanted
    key = target.key(record)
    made = find_shard(platform, target, record)
    if made is None:
        raise StoreError("The scene is not embedded", fix="Run: imagerag ingest", scene=scene_key)
    vectors = platform.vectors
    if target.named is None:
        collection = vectors.ensure_patches(target.fingerprint, made.dim, target.recipe)
    else:
        collection = target.named
        vectors.verify(collection, target.fingerprint)
    outdated = _outdated_shards(platform, key)
    before = vectors.count(collection, Filter().scene_in([scene_key]))
    skipped = not again and not outdated and before == made.rows
    if not skipped:
        rows = vectors.replace_scene(collection, scene_key, iter_batches(platform.store, key), before=before)
        if rows != made.rows:
            raise StoreError(
                f"Milvus has {rows} rows of a scene with {made.rows} patches",
                fix="Ingest the scene again, one process at a time",
                scene=scene_key,
                collection=collection,
            )
        if build_index:
            vectors.build_index(collection)
        else:
            vectors.renew_if_due(collection)
        _undo_if_removed(platform, collection, scene_key)
    remember_encoder(platform, target)
    alias = vectors.alias_target(ALIAS)
    if alias is None and collection == wanted.collection:
        vectors.point_alias(ALIAS, collection)
        alias = collection
    for path in outdated:
        platform.store.delete(path)
    return IndexResult(
        scene=scene_key,
        collection=collection,
        alias=ALIAS if alias == collection else None,
        rows=made.rows,
        removed_shards=len(outdated),
        seconds=time.perf_counter() - started,
        skipped=skipped,
    )


def renew_patch_indexes(platform: Platform) -> dict[str, str]:
    """Renew the index of the collection behind the alias and of the chosen encoder's; return the index types by name.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError: the chosen encoder or division is not available.
        StoreError: Milvus fails.
    """
    vectors = platform.vectors
    names = {vectors.alias_target(ALIAS), target_of(platform).collection}
    return {name: vectors.build_index(name) for name in sorted(each for each in names if each) if vectors.exists(name)}


def _undo_if_removed(platform: Platform, collection: str, scene_key: str) -> None:
    """Take the rows back if a person removed the scene while they were written: the removal may not have seen them."""
    try:
        refuse_removed(platform, scene_key)
    except RemovedSceneError:
        platform.vectors.delete_scene(collection, scene_key)
        raise


def indexed_rows(platform: Platform, target: Target, record: SceneRecord) -> int | None:
    """Return the number of rows of a scene that a target has embedded and indexed in full, as it is now; else None.

    Raises:
        StoreError: Milvus or the object store fails.
    """
    found = indexed_shard(platform, target, record)
    return None if found is None else found.rows


def indexed_shard(platform: Platform, target: Target, record: SceneRecord) -> ShardInfo | None:
    """Return the shard of a scene that a target has embedded and indexed in full, as it is now; else None.

    Raises:
        StoreError: Milvus or the object store fails.
    """
    made = find_shard(platform, target, record)
    collection = target.collection
    if made is None or _outdated_shards(platform, target.key(record)) or not platform.vectors.exists(collection):
        return None
    platform.vectors.verify(collection, target.fingerprint)
    rows = platform.vectors.count(collection, Filter().scene_in([record.scene.scene_key]))
    return made if rows == made.rows else None


def _outdated_shards(platform: Platform, key: ShardKey) -> list[str]:
    """Return the shards of the scene's other versions.  As long as there is one, the rows in Milvus may be its."""
    refs = list_shards(
        platform.store, scene_key=key.scene_key, division_key=key.division_key, fingerprint=key.fingerprint
    )
    return [ref.path for ref in refs if ref.path != key.path]
