"""Embed a registered scene: its parts become a shard, the source of truth of its vectors.

Where shards are, whether the one that is there is right, and what is cleaned up afterwards belong here.  Reading and
encoding super-tiles is in `embedding`, the format in `stores.shards`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pyarrow as pa

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import FingerprintError, RasterError, StoreError
from imagerag_assets.ingestion.best_patches import choose_best
from imagerag_assets.ingestion.embedding import EmbedJob, PartCount, Progress, embed_parts
from imagerag_assets.ingestion.layers import fetched_layer
from imagerag_assets.ingestion.parts import clear_local, clear_stored, each_part, local_folder, stored_prefix
from imagerag_assets.ingestion.patch_tables import check_patch_count
from imagerag_assets.ingestion.results import EmbedResult
from imagerag_assets.ingestion.workers import run_on_workers
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target, target_of
from imagerag_assets.raster.types import Limits
from imagerag_assets.scenes.reading import clear_overviews, open_reader
from imagerag_assets.scenes.records import SceneRecord, load_record
from imagerag_assets.scenes.replaced import refuse_replaced
from imagerag_assets.stores.shards import Kept, Made, ShardInfo, ShardKey, ShardWriter, assemble, verify_shard


def shard_key(
    platform: Platform, record: SceneRecord, *, encoder: str | None = None, division: str | None = None
) -> ShardKey:
    """Return the key of the shard of a scene as it is; default: of the chosen encoder and the settings' division.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError: the encoder or division is not available.
    """
    return target_of(platform, encoder, division).key(record)


def find_shard(platform: Platform, target: Target, record: SceneRecord) -> ShardInfo | None:
    """Return the shard of a scene as it is, if it is there and was made as the target would make it.

    Raises:
        FingerprintError: another encoder made the shard.
        StoreError: the shard is damaged, or the store cannot be read.
    """
    key = target.key(record)
    if not platform.store.exists(key.path):
        return None
    found = verify_shard(platform.store, key, key.fingerprint)
    if not found.rows and found.kept is None:
        return None  # by a version that kept no patch with too few valid pixels, even if there was no other
    return found if found.made.follows(target.recipe, _limits(record, target)) else None


def _limits(record: SceneRecord, target: Target) -> Limits | None:
    """Display limits that a target uses, as far as the record knows them without reading the imagery."""
    return record.render.limits if target.recipe.fits(record.render) else None


def embed(
    platform: Platform,
    scene_key: str,
    *,
    target: Target | None = None,
    progress: Progress | None = None,
    keep_overviews: bool = False,
) -> EmbedResult:
    """Embed the patches of a registered scene into its shard; continue where a killed run stopped.

    Args:
        platform: The installation.
        scene_key: A registered scene.
        target: Encoder and recipe; default: the chosen ones.
        progress: Called after every super-tile.
        keep_overviews: Leave overviews that had to be built for another encoder; whoever asks for that deletes them.

    Raises:
        UnknownSceneError: no such scene was registered.
        RasterError: the pixels cannot be read, a file was replaced, or there are too many patches.
        EncoderError, UnknownEncoderError: the encoder is not available, or gave unusable vectors.
        FingerprintError: another version of the code made the target's collection.
        StoreError: the store cannot be read or written, or the disk is full.
    """
    started = time.perf_counter()
    record = load_record(platform, scene_key)
    target = target or target_of(platform)
    made = find_shard(platform, target, record)
    if made is not None:
        _clear_parts(platform, target.key(record))  # of a run that was killed right after it
        return _result(made, started, layout=layout_note(target, record), skipped=True)
    job = _job(platform, target, record)
    refuse_replaced(record.scene.file_versions, job.settings)
    of, kept, counts = _parts(job, progress)
    try:
        refuse_replaced(record.scene.file_versions, job.settings)
    except RasterError:
        _clear_parts(platform, target.key(record))  # nobody knows which of the two files a part shows
        raise
    rows, reused = sum(count.patches for count in counts), sum(count.found for count in counts)
    dropped = target.recipe.division_for(record.grid).count(record.grid.width, record.grid.height) - rows
    # What an earlier run did would make this one look faster than it is.
    seconds = None if reused else time.perf_counter() - started
    how = Made.by(target.recipe, job.record.render.limits, seconds=seconds)
    try:
        parts, dim = _tables(of)
        dim = dim or _dim(job)
        with ShardWriter(platform.store, target.key(record), dim=dim, encoder=target.encoder, scratch=job.folder) as to:
            made = assemble(to, parts, dropped=dropped, made=how, kept=kept)
    except (StoreError, OSError, pa.ArrowException) as error:
        made = find_shard(platform, target, record)  # another process may have finished the scene and cleared its parts
        if made is None:
            if isinstance(error, StoreError):
                raise
            message = f"A part of a shard cannot be read: {error}"
            raise StoreError(message, fix="Ingest the scene again", scene=scene_key) from error
    _clear_parts(platform, target.key(record))
    if not keep_overviews:
        clear_overviews(platform.settings, scene_key)
    layout = layout_note(target, record)
    return _result(made, started, layout=layout, dropped=dropped, supertiles=len(counts), reused=reused)


def _parts(
    job: EmbedJob, progress: Progress | None
) -> tuple[tuple[EmbedJob, list[PartCount]] | None, Kept, list[PartCount]]:
    """Make the parts of a scene.

    Returns:
        The job and parts that make up the shard, which patches they hold, and what was done.
    """
    if job.record.render.empty:
        return None, "none", []
    run = run_on_workers if job.settings.dask_scheduler else None
    counts = embed_parts(job, progress, run=run)
    if any(count.patches for count in counts):
        return (job, counts), "valid", counts
    chosen = choose_best((count.index, count.best) for count in counts)
    if not chosen:
        return (job, counts), "none", counts
    below = None if job.stored is None else f"{job.stored}/best"
    best = replace(job, chosen=chosen, folder=job.folder / "best", stored=below)
    again = embed_parts(best, progress, run=run)
    return (best, again), "best", [*counts, *again]


def _tables(of: tuple[EmbedJob, list[PartCount]] | None) -> tuple[Iterator[pa.Table], int]:
    """Return the parts of a shard, and the length of their vectors; 0 if there is no part."""
    if of is None or not of[1]:
        return iter(()), 0
    job, counts = of
    tables = each_part(job.parts, [count.index for count in counts])
    first = next(tables)
    return chain([first], tables), first.schema.field("embedding").type.list_size


def _dim(job: EmbedJob) -> int:
    """Return the length of the encoder's vectors, where no part tells."""
    return load_encoder(job.encoder, job.settings).dim


def _job(platform: Platform, target: Target, record: SceneRecord) -> EmbedJob:
    """Settle what all tasks of a scene have in common, the display limits among it."""
    if target.outdated_code:
        raise FingerprintError(
            f"Version {target.recipe.code_version} of the code made the collection; this one makes other vectors",
            fix="Run: imagerag backfill",
            collection=target.collection,
        )
    settings = target.platform(platform).settings
    division = target.recipe.division_for(record.grid)
    check_patch_count(settings, division, (record.grid.width, record.grid.height), record.scene.scene_key)
    fetched_layer(platform, record.scene)  # its raster can be fetched again
    if _limits(record, target) is None:
        with open_reader(settings, record) as reader:
            record = SceneRecord(record.scene, record.grid, reader.render, record.notes)
    return EmbedJob(
        settings=settings,
        record=record,
        division=division,
        encoder=target.encoder,
        fingerprint=target.fingerprint,
        folder=scratch(platform, target.key(record)),
        stored=_stored(platform, target.key(record)),
    )


def _stored(platform: Platform, key: ShardKey) -> str | None:
    """Return the prefix of a shard's parts in the store, where workers make them or made some in an earlier run."""
    prefix = stored_prefix(key)
    return prefix if platform.settings.dask_scheduler or platform.store.list(prefix) else None


def _result(
    made: ShardInfo,
    started: float,
    *,
    layout: str | None,
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
        note=shortage(made),
        layout=layout,
    )


def layout_note(target: Target, record: SceneRecord) -> str | None:
    """Say in one line that a scene could not be laid out in metres, as the recipe wants it; None where it was."""
    start = target.recipe.start_for(record.grid)
    return None if start is None or start.known else f"The smallest patches are {start.why}"


def shortage(made: ShardInfo) -> str | None:
    """Say in one line that a scene has too few valid pixels, and what was done about it; None where it has enough."""
    if not made.rows:
        why = "nodata value, mask, alpha band, or files that lie apart"
        return f"The scene is empty: no pixel holds data ({why}); questions find nothing in it"
    if made.kept != "best":
        return None
    least, what = made.made.min_valid_fraction, "patch" if made.rows == 1 else "patches"
    return (
        f"No patch has {least:.0%} of valid pixels (IMAGERAG_MIN_VALID_FRACTION), so the {made.rows:,} {what} with the "
        "most were kept"
    )


def scratch(platform: Platform, key: ShardKey) -> Path:
    """Return the folder of a shard's parts on this machine."""
    return local_folder(platform.settings.home, key)


def is_begun(platform: Platform, key: ShardKey) -> bool:
    """Return whether some parts of a shard were made, here or by workers.

    Raises:
        StoreError: the store cannot be read.
    """
    return any(scratch(platform, key).glob("*.parquet")) or bool(platform.store.list(stored_prefix(key)))


def _clear_parts(platform: Platform, key: ShardKey) -> None:
    """Delete a shard's parts, and those of the scene's earlier versions."""
    clear_local(scratch(platform, key))
    clear_stored(platform.store, key)
