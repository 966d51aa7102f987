"""Look at vectors: shards against scenes, rows in Milvus against shards, knowledge against its files, and the aliases.

Shards are the source of truth, so rows are made again from them.  A shard that cannot be used is moved aside, never
deleted.  Collections that are not in use hold what they held when they were replaced; only rows of scenes that are gone
are wrong there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np

from imagerag_assets.errors import EncoderError, FingerprintError, ImageRAGError, StoreError, UnknownEncoderError
from imagerag_assets.ingestion.embed_scene import embed, find_shard
from imagerag_assets.ingestion.index_scene import index
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, Target, find_serving, target_of
from imagerag_assets.knowledge.files import iter_rows, read_about
from imagerag_assets.knowledge.types import (
    KNOWLEDGE_KINDS,
    Current,
    KnowledgeKind,
    images_key,
    read_currents,
    texts_key,
)
from imagerag_assets.knowledge.versions import fill, of_version
from imagerag_assets.maintenance.looks import Progress, each_of, set_aside
from imagerag_assets.scenes.failures import find_failure
from imagerag_assets.scenes.records import SceneRecord, find_record, list_records
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.stores.collection_meta import collection_name
from imagerag_assets.stores.milvus import CollectionInfo
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import ShardRef, iter_batches, list_shards, read_shard, shard_info, version16


def shard_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield shards that are damaged, of no scene, or outdated; and scenes that questions should find and have no shard.

    Every shard is read as a whole.

    Raises:
        StoreError: the store or Milvus cannot be read.
    """
    registered, removed = set(list_records(platform)), {mark.scene for mark in list_removed(platform)}
    target, damaged = answering(platform), set()
    for ref in each_of(list_shards(platform.store), progress, "reading shards"):
        if ref.scene_key not in registered:
            if ref.scene_key not in removed:  # else a purge was killed, and the next one finishes it
                detail = "Its scene is not registered"
                yield Difference("shard", ref.path, detail, "Moves it aside", partial(set_aside, platform, [ref.path]))
            continue
        wrong = _shard_wrong(platform, ref)
        record = _record(platform, ref.scene_key)
        if wrong:
            damaged.add(ref.path)
            mend = partial(_embed_again, platform, target, ref)
            yield Difference("shard", ref.path, wrong, "Moves it aside; if it is in use, embeds the scene again", mend)
        elif record is not None and version16(record.scene.version) != ref.version16:
            current = ref.path.replace(ref.version16, version16(record.scene.version))
            if platform.store.exists(current):
                detail = "It is of an earlier version of the scene, which is embedded anew"
                mend = partial(set_aside, platform, [ref.path])
                yield Difference("shard", ref.path, detail, "Moves it aside", mend)
    if target is None:
        return
    for scene in sorted(registered - removed):
        record = _record(platform, scene)
        if find_failure(platform, scene) is not None:
            continue  # `imagerag status` says why it could not be embedded
        if record is not None and target.key(record).path not in damaged:
            with suppress(ImageRAGError):  # of a damaged one it was said above
                if find_shard(platform, target, record) is None:
                    detail = f"The scene {scene} is registered and not embedded"
                    fix = "Embeds and indexes it"
                    mend = partial(_embedded, platform, target, scene)
                    yield Difference("shard", target.key(record).path, detail, fix, mend)


def answering(platform: Platform) -> Target | None:
    """Return what questions are answered with, or the chosen encoder where nothing was indexed; None: not available."""
    try:
        serving = find_serving(platform, orphaned=True) if platform.has_vectors else None
        return target_of(platform) if serving is None else serving.target
    except (EncoderError, UnknownEncoderError, FingerprintError):  # `imagerag doctor` names it
        return None


def _shard_wrong(platform: Platform, ref: ShardRef) -> str | None:
    try:
        info = shard_info(platform.store, ref.path)
        if info.key.path != ref.path:
            return f"It says that it is {info.key.path}"
        rows = 0
        for batch in iter_batches(platform.store, ref.path):
            rows += batch.num_rows
            if not np.isfinite(embeddings_of(batch)).all():
                return "It holds NaN or infinity"
    except StoreError as error:
        if error.transient:
            raise
        return error.message
    return None if rows == info.rows else f"It has {rows:,} of {info.rows:,} rows"


def _embed_again(platform: Platform, target: Target | None, ref: ShardRef) -> str:
    said = set_aside(platform, [ref.path])
    record = _record(platform, ref.scene_key)
    if target is None or record is None or target.key(record).path != ref.path:
        return said
    return f"{said}; {_embedded(platform, target, ref.scene_key)}"


def _embedded(platform: Platform, target: Target, scene: str) -> str:
    embed(platform, scene, target=target)
    return f"embedded, and {index(platform, scene, target=_named(platform, target), again=True).rows:,} rows written"


def row_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield scenes whose rows in Milvus are not those of their shard, and rows of scenes that are gone.

    Raises:
        StoreError: the store or Milvus cannot be read.
    """
    registered = list_records(platform)
    gone = {mark.scene for mark in list_removed(platform) if mark.asked}
    target = answering(platform)
    collections = platform.vectors.list_collections() if platform.has_vectors else []
    patches = [each for each in collections if each.kind == "patches"]
    for each in patches:
        with platform.vectors.borrowed(each.name):
            there = platform.vectors.rows_of_scenes(each.name)
        for scene in sorted(there):
            if scene not in registered or scene in gone:
                why = "was removed" if scene in gone else "is not registered"
                detail = f"It has {there[scene]:,} rows of {scene}, which {why}"
                mend = partial(_rows_deleted, platform, each.name, scene)
                yield Difference("rows", each.name, detail, "Deletes these rows", mend)
    if target is None:
        return
    exists = any(each.name == target.collection for each in patches)
    for scene in each_of([key for key in registered if key not in gone], progress, "comparing rows"):
        record = _record(platform, scene)
        wrong = None if record is None else _rows_wrong(platform, target, record, exists)
        if wrong:
            mend = partial(_rows_again, platform, target, scene)
            yield Difference("rows", target.collection, wrong, "Writes the rows of its shard again", mend)


def _rows_wrong(platform: Platform, target: Target, record: SceneRecord, exists: bool) -> str | None:
    try:
        made = find_shard(platform, target, record)
        if made is None:
            return None  # `shard_differences` names it
        wanted = set(read_shard(platform.store, made.key, columns=["patch_id"]).column("patch_id").to_pylist())
    except (StoreError, FingerprintError):
        return None  # likewise
    scene = record.scene.scene_key
    there = platform.vectors.ids_of_scene(target.collection, scene) if exists else set()
    if there == wanted:
        return None
    return (
        f"The scene {scene} has {len(wanted):,} patches; {len(wanted - there):,} of their rows are missing, and"
        f" {len(there - wanted):,} rows are of none of them"
    )


def _rows_deleted(platform: Platform, collection: str, scene: str) -> str:
    with platform.vectors.borrowed(collection):
        platform.vectors.delete_scene(collection, scene)
    return "deleted"


def _rows_again(platform: Platform, target: Target, scene: str) -> str:
    done = index(platform, scene, target=_named(platform, target), again=True)
    return f"{done.rows:,} rows written"


def _named(platform: Platform, target: Target) -> Target | None:
    """Return the target for `index`; None, which is the chosen one, where its collection has to be made first."""
    there = platform.has_vectors and platform.vectors.exists(target.collection)
    return target if there else None


def alias_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield aliases that are missing, or that lead to collections of another encoder than the one in use.

    Raises:
        StoreError: Milvus cannot be read.
    """
    if not platform.has_vectors:
        return
    collections = {each.name: each for each in platform.vectors.list_collections()}
    aliases, target = platform.vectors.aliases(), answering(platform)
    if target is not None and ALIAS not in aliases and target.collection in collections:
        detail, fix = "It is missing, so that questions find nothing", f"Points it to {target.collection}"
        yield Difference("alias", ALIAS, detail, fix, partial(_pointed, platform, ALIAS, target.collection))
    used = collections.get(aliases.get(ALIAS, ""))
    for kind in KNOWLEDGE_KINDS.values():
        if used is not None and kind in aliases and collections[aliases[kind]].fingerprint != used.fingerprint:
            yield _mixed(platform, kind, used, collections)


def _mixed(
    platform: Platform, kind: KnowledgeKind, used: CollectionInfo, collections: dict[str, CollectionInfo]
) -> Difference:
    wanted = collection_name(kind, used.fingerprint)
    detail = f"It leads to another encoder's collection than {ALIAS}: a switch was killed"
    if wanted in collections:
        return Difference("alias", kind, detail, f"Points it to {wanted}", partial(_pointed, platform, kind, wanted))
    return Difference("alias", kind, detail, f"Run: imagerag knowledge build {kind.removeprefix('knowledge_')}")


def _pointed(platform: Platform, alias: str, collection: str) -> str:
    platform.vectors.point_alias(alias, collection)
    return f"points to {collection}"


def knowledge_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield knowledge bases whose rows in Milvus are not those of their files.

    Raises:
        StoreError: the store or Milvus cannot be read.
    """
    for kind in KNOWLEDGE_KINDS.values():
        for live in read_currents(platform.store, kind):
            files = (
                (live.images, live.fingerprint, images_key(kind, live.version, live.fingerprint), live.image_rows),
                (live.texts, live.text_fingerprint, texts_key(kind, live.version), live.text_rows),
            )
            for collection, fingerprint, key, rows in files:
                there = _knowledge_rows(platform, collection, live)
                if there == rows:
                    continue
                detail = f"It has {there:,} of {rows:,} rows of {live.source}"
                fix, mend = "Writes the rows of its file again", partial(_filled, platform, live, fingerprint, key)
                if platform.store.exists(key):
                    yield Difference("knowledge", collection, detail, fix, mend)
                else:
                    build = f"Run: imagerag knowledge build {kind.removeprefix('knowledge_')}"
                    yield Difference("knowledge", collection, f"{detail}, and its file is missing", build)


def _knowledge_rows(platform: Platform, collection: str, live: Current) -> int:
    if not platform.has_vectors or not platform.vectors.exists(collection):
        return 0
    with platform.vectors.borrowed(collection):
        return platform.vectors.count(collection, of_version(live.version))


def _filled(platform: Platform, live: Current, fingerprint: str, key: str) -> str:
    first = next(iter(iter_rows(platform.store, key, rows=1)))
    dim = len(first.column("embedding")[0])
    collection = fill(platform, live.kind, fingerprint, dim, live.version, key)
    if live.kind not in platform.vectors.aliases() and collection == live.images:
        target = answering(platform)
        if target is not None and target.fingerprint == live.fingerprint:
            platform.vectors.point_alias(live.kind, collection)
    return f"{read_about(platform.store, key)['rows']:,} rows written"


def _record(platform: Platform, scene: str) -> SceneRecord | None:
    try:
        return find_record(platform, scene)
    except StoreError:  # `scene_looks` names it
        return None
