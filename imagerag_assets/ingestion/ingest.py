"""From a scene to searchable patches: register, divide, embed, index; each step idempotent and safe to kill.

The steps are separate so that an orchestrator can run them one by one; `ingest_scene` runs them in a row.  Finding
scenes is `stac`'s, the work on pixels `embedding`'s, the formats `stores`'.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from imagerag_assets.errors import (
    EncoderError,
    FingerprintError,
    SettingsError,
    StoreError,
    UnknownEncoderError,
    describe,
)
from imagerag_assets.ingestion.embedding import EmbedJob, Progress, embed_parts
from imagerag_assets.ingestion.patch_tables import PatchTableInfo, patch_table
from imagerag_assets.ingestion.rates import note_rate
from imagerag_assets.ingestion.results import EmbedResult, IndexResult, SceneResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, Target, remember_encoder, serving_beside, target_of
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.failures import clear_failure, record_failure
from imagerag_assets.scenes.reading import overview_scratch
from imagerag_assets.scenes.records import SceneRecord, find_record, load_record, overview_key, save_record
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import (
    ShardInfo,
    ShardKey,
    ShardWriter,
    assemble,
    iter_batches,
    list_shards,
    verify_shard,
)

__all__ = [
    "EmbedResult", "IndexResult", "PatchTableInfo", "SceneResult", "embed", "embed_beside", "index", "index_beside",
    "indexed_rows", "ingest_scene", "is_current", "patch_table", "register", "shard_key",
]  # fmt: skip

_log = logging.getLogger(__name__)

T = TypeVar("T")


def shard_key(
    platform: Platform, record: SceneRecord, *, encoder: str | None = None, division: str | None = None
) -> ShardKey:
    """Where the embeddings of a scene as it is are, or are to be; default: the active encoder and division.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError: the encoder or division cannot be had.
    """
    return target_of(platform, encoder, division).key(record)


def register(platform: Platform, scene: Scene) -> SceneRecord:
    """Open a scene's raster, settle its grid, its display limits and its overview, and store them.

    A record that is the same already is left as it is.

    Raises:
        RasterError: a file cannot be opened or read, or its size or type is unusable.
        StoreError: the store cannot be read or written.
    """
    settings = platform.settings
    with SceneReader(scene, settings, scratch=overview_scratch(settings, scene.scene_key)) as reader:
        overview, _ = reader.overview(settings.overview_px)
        notes = [*scene.notes, *reader.notes, *([reader.render.note] if reader.render.note else [])]
        record = SceneRecord(scene, reader.grid, reader.render, tuple(dict.fromkeys(notes)))
    if find_record(platform, scene.scene_key) != record or not platform.store.exists(overview_key(scene.scene_key)):
        save_record(platform, record, overview)
    return record


def embed(
    platform: Platform,
    scene_key: str,
    *,
    progress: Progress | None = None,
    encoder: str | None = None,
    division: str | None = None,
) -> EmbedResult:
    """Embed the patches of a registered scene into its shard; continues where a killed run was.

    Args:
        platform: The installation.
        scene_key: A registered scene.
        progress: Called after every super-tile.
        encoder: Registry name; default: the active one.
        division: Name of a division; default: the settings'.

    Raises:
        UnknownSceneError: no such scene was registered.
        RasterError: the pixels cannot be read.
        EncoderError, UnknownEncoderError: the encoder cannot be had, or gave unusable vectors.
        StoreError: the store cannot be read or written.
    """
    started = time.perf_counter()
    record = load_record(platform, scene_key)
    target = target_of(platform, encoder, division)
    key = target.key(record)
    made = _find_shard(platform, key)
    if made is not None:
        return _embedded(made, started, skipped=True)
    job = EmbedJob(
        settings=platform.settings,
        record=record,
        division=target.division,
        encoder=target.encoder,
        fingerprint=target.fingerprint,
        folder=scratch(platform, key),
    )
    counts = embed_parts(job, progress)
    dropped, reused = sum(count.dropped for count in counts), sum(count.found for count in counts)
    parts = [job.part(count.index) for count in counts]
    try:
        dim = pq.read_schema(parts[0]).field("embedding").type.list_size
        with ShardWriter(platform.store, key, dim=dim, encoder=target.encoder, scratch=job.folder) as writer:
            made = assemble(writer, parts, dropped=dropped)
    except (StoreError, OSError, pa.ArrowException) as error:
        made = _find_shard(platform, key)  # another process may have finished the scene and cleared its parts
        if made is None:
            if isinstance(error, StoreError):
                raise
            message = f"A part of a shard cannot be read: {error}"
            raise StoreError(message, fix="Ingest the scene again", scene=scene_key) from error
    _clear_scratch(platform, key)
    if not reused:  # what an earlier run did would make this one look faster
        note_rate(platform, target, made.rows, time.perf_counter() - started)
    return _embedded(made, started, dropped=dropped, supertiles=len(counts), reused=reused)


def _embedded(
    made: ShardInfo,
    started: float,
    *,
    dropped: int | None = None,
    supertiles: int = 0,
    reused: int = 0,
    skipped: bool = False,
) -> EmbedResult:
    return EmbedResult(
        scene=made.key.scene_key,
        division=made.key.division_key,
        encoder=made.encoder,
        fingerprint=made.key.fingerprint,
        shard=made.key.path,
        patches=made.rows,
        dropped=dropped,
        supertiles=supertiles,
        reused=reused,
        seconds=time.perf_counter() - started,
        skipped=skipped,
    )


def _find_shard(platform: Platform, key: ShardKey) -> ShardInfo | None:
    return verify_shard(platform.store, key, key.fingerprint) if platform.store.exists(key.path) else None


def scratch(platform: Platform, key: ShardKey) -> Path:
    """Folder of an unfinished shard's parts: HOME/scratch/embed/{scene_key}/{version16}/{division}/{fp16}."""
    version16 = Path(key.path).stem
    root = platform.settings.home / "scratch" / "embed"
    return root / key.scene_key / version16 / key.division_key / key.fingerprint[:16]


def _clear_scratch(platform: Platform, key: ShardKey) -> None:
    """Remove a shard's parts, those of the scene as it was before, and overviews that had to be built."""
    parts = scratch(platform, key)
    of_version, of_scene = parts.parents[1], parts.parents[2]
    obsolete = [folder for folder in of_scene.iterdir() if folder != of_version] if of_scene.is_dir() else []
    for folder in (parts, *obsolete, overview_scratch(platform.settings, key.scene_key)):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (parts.parent, of_version, of_scene):
        try:
            folder.rmdir()
        except OSError:  # another shard's parts are in it, or it is gone
            return


def index(
    platform: Platform,
    scene_key: str,
    *,
    encoder: str | None = None,
    division: str | None = None,
    build_index: bool = True,
) -> IndexResult:
    """Make the shard of a scene its only rows in the collection of its encoder and division.

    Rows of the scene as it was go when the new ones are in, and its old shards after that.  The alias is set if there
    is none and the collection is that of the active encoder and division; switching it is a backfill's decision.

    Args:
        platform: The installation.
        scene_key: A scene that was embedded.
        encoder: Registry name; default: the active one.
        division: Name of a division; default: the settings'.
        build_index: Renew Milvus's index; false when more scenes follow and the caller renews it once.

    Raises:
        UnknownSceneError: no such scene was registered.
        StoreError: the scene has no shard, or Milvus or the store fails.
    """
    started = time.perf_counter()
    record = load_record(platform, scene_key)
    target = target_of(platform, encoder, division)
    key = target.key(record)
    made = _find_shard(platform, key)
    if made is None:
        raise StoreError("The scene is not embedded", fix="Run: imagerag ingest", scene=scene_key)
    vectors = platform.vectors
    collection = vectors.ensure_patches(target.fingerprint, made.dim, target.division.name)
    outdated = _outdated_shards(platform, key)
    skipped = not outdated and vectors.count(collection, Filter().scene_in([scene_key])) == made.rows
    if not skipped:
        rows = vectors.replace_scene(collection, scene_key, iter_batches(platform.store, key))
        if rows != made.rows:
            raise StoreError(
                f"Milvus has {rows} rows of a scene with {made.rows} patches",
                fix="Ingest the scene again, one process at a time",
                scene=scene_key,
                collection=collection,
            )
        if build_index:
            vectors.build_index(collection)
    remember_encoder(platform, target)
    alias = vectors.alias_target(ALIAS)
    if alias is None and target.identity == target_of(platform).identity:
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


def embed_beside(platform: Platform, scene_key: str, progress: Progress | None = None) -> EmbedResult | str | None:
    """:func:`embed` with the serving encoder, where another is wanted: new scenes are to be found before a backfill.

    Returns:
        What was embedded; None where the wanted encoder serves; a line where the serving one cannot be had, which is
        no reason to keep a scene from the wanted one.

    Raises:
        As :func:`embed`, except about the encoder.
    """
    return _beside(platform, lambda target: embed(platform, scene_key, progress=progress, **target.options))


def index_beside(platform: Platform, scene_key: str, *, build_index: bool = True) -> IndexResult | str | None:
    """:func:`index` of what :func:`embed_beside` embedded; returns and raises likewise."""
    return _beside(platform, lambda target: index(platform, scene_key, build_index=build_index, **target.options))


def _beside(platform: Platform, step: Callable[[Target], T]) -> T | str | None:
    try:
        target = serving_beside(platform)
        return None if target is None else step(target)
    except (EncoderError, UnknownEncoderError, FingerprintError) as error:
        _log.warning("The serving encoder is left out: %s", error)
        return str(error)


def _outdated_shards(platform: Platform, key: ShardKey) -> list[str]:
    """Shards of the scene with other versions.  As long as there is one, the rows in Milvus may be its."""
    refs: Iterable[Any] = list_shards(
        platform.store, scene_key=key.scene_key, division_key=key.division_key, fingerprint=key.fingerprint
    )
    return [ref.path for ref in refs if ref.path != key.path]


def is_current(platform: Platform, scene: Scene) -> bool:
    """Whether ingesting a scene would change nothing: its record, shard and rows are there and of its version.

    Loads no encoder whose fingerprint is known.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError, StoreError: it cannot be told.
    """
    return _current_rows(platform, scene) is not None


def _current_rows(platform: Platform, scene: Scene) -> int | None:
    """Number of patches of a scene that is current, else None."""
    record = find_record(platform, scene.scene_key)
    if record is None or record.scene.version != scene.version or record.scene.imagery != scene.imagery:
        return None
    if platform.vectors.alias_target(ALIAS) is None:
        return None
    rows = indexed_rows(platform, target_of(platform), record)
    beside = _beside(platform, lambda target: indexed_rows(platform, target, record) is not None)
    return None if beside is False else rows


def indexed_rows(platform: Platform, target: Target, record: SceneRecord) -> int | None:
    """Rows of a scene where a target has its shard as it is, no older one, and all its rows in Milvus; else None.

    Raises:
        StoreError: Milvus or the object store fails.
    """
    key = target.key(record)
    collection = platform.vectors.patches_name(target.fingerprint, target.division.name)
    made = _find_shard(platform, key)
    if made is None or _outdated_shards(platform, key) or not platform.vectors.exists(collection):
        return None
    platform.vectors.verify(collection, target.fingerprint)
    rows = platform.vectors.count(collection, Filter().scene_in([record.scene.scene_key]))
    return rows if rows == made.rows else None


def ingest_scene(
    platform: Platform, scene: Scene, progress: Progress | None = None, *, build_index: bool = True
) -> SceneResult:
    """Register, divide, embed and index one scene; a scene that is current is skipped.

    What is wrong with a scene does not raise: it is in the result and among the failures in the store, and rows that
    the scene had before stay as they are.

    Args:
        platform: The installation.
        scene: A validated scene.
        progress: Called with super-tiles done, their number, and what is being done.
        build_index: As in :func:`index`.

    Raises:
        UnknownEncoderError, SettingsError: no scene can be ingested with these settings.
    """
    started = time.perf_counter()
    key = scene.scene_key
    platform = platform.using(platform.settings.active_encoder)
    try:
        rows = _current_rows(platform, scene)
        skipped = rows is not None
        if rows is None:
            register(platform, scene)
            patch_table(platform, key)
            steps = [
                embed(platform, key, progress=progress),
                indexed := index(platform, key, build_index=build_index),
                embed_beside(platform, key, progress),
                index_beside(platform, key, build_index=build_index),
            ]
            rows, skipped = indexed.rows, all(getattr(step, "skipped", True) for step in steps)
        clear_failure(platform, key)
    except (UnknownEncoderError, SettingsError):
        raise
    except Exception as error:
        _log.debug("ingesting %s failed", key, exc_info=True)
        try:
            record_failure(platform, key, error, item_href=scene.item_href)
        except StoreError:
            _log.debug("the failure of %s could not be recorded", key, exc_info=True)
        return SceneResult(key, "failed", 0, time.perf_counter() - started, describe(error))
    return SceneResult(key, "skipped" if skipped else "ingested", rows, time.perf_counter() - started)
