"""From a scene to searchable patches: register, divide, embed, index; each step idempotent and safe to kill.

The steps are separate so that an orchestrator can run them one by one; `ingest_scene` runs them in a row.  Finding
scenes belongs to `stac`, embedding to `embed_scene`, indexing to `index_scene`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Literal

from imagerag_assets.errors import SettingsError, StoreError, UnknownEncoderError, describe
from imagerag_assets.ingestion.beside import can_make, embed_beside, index_beside, unavailable
from imagerag_assets.ingestion.embed_scene import embed, shard_key
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.index_scene import index, indexed_rows
from imagerag_assets.ingestion.layers import fetched_layer
from imagerag_assets.ingestion.patch_tables import PatchTableInfo, patch_table
from imagerag_assets.ingestion.results import EmbedResult, IndexResult, SceneResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, serving_beside, target_of
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.failures import clear_failure, record_failure
from imagerag_assets.scenes.identity import refuse_another
from imagerag_assets.scenes.reading import overview_scratch
from imagerag_assets.scenes.records import (
    SceneRecord,
    find_record,
    made_notes,
    overview_key,
    recorded_made_notes,
    save_record,
)
from imagerag_assets.stac.types import Scene

__all__ = [
    "Current", "EmbedResult", "IndexResult", "PatchTableInfo", "SceneResult", "embed", "embed_beside", "find_current",
    "index", "index_beside", "indexed_rows", "ingest_scene", "is_current", "patch_table", "register", "shard_key",
]  # fmt: skip

_log = logging.getLogger(__name__)
_NOTHING_TO_FIND = "no patch has enough valid pixels: questions find nothing in it (IMAGERAG_MIN_VALID_FRACTION)"


def register(platform: Platform, scene: Scene) -> SceneRecord:
    """Open a scene's raster, settle its grid, display limits and overview, and store them.

    The raster of an online layer is fetched first, unless it is there.  A record that is the same already is left as it
    is.

    Raises:
        ItemError: another scene is stored under the key of this one.
        SourceError: an online layer cannot be reached, or its key is not known.
        RasterError: a file cannot be opened or read, or its size or type is unusable, or tiles of a layer are missing.
        StoreError: the store cannot be read or written.
    """
    refuse_another(platform, scene)
    settings = platform.settings
    layer = fetched_layer(platform, scene)
    with SceneReader(scene, settings, scratch=overview_scratch(settings, scene.scene_key)) as reader:
        overview, _ = reader.overview(settings.overview_px)
        notes = [*scene.notes, *layer, *reader.notes, *([reader.render.note] if reader.render.note else [])]
        record = SceneRecord(scene, reader.grid, reader.render, tuple(dict.fromkeys(notes)))
    if find_record(platform, scene.scene_key) != record or not platform.store.exists(overview_key(scene.scene_key)):
        save_record(platform, record, overview)
    return record


@dataclass(frozen=True)
class Current:
    """A scene that an ingest would not change."""

    rows: int
    """Rows of the chosen encoder and settings."""
    note: str | None = None
    """Why questions cannot find it yet; None: they can."""


def find_current(platform: Platform, scene: Scene) -> Current | None:
    """Return what there is of a scene whose record, shard and rows are complete and current; None where any is not.

    Load no encoder whose fingerprint is known.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError, StoreError: it cannot be told.
    """
    record = find_record(platform, scene.scene_key)
    if record is None or record.scene.version != scene.version or record.scene.imagery != scene.imagery:
        return None
    if platform.vectors.alias_target(ALIAS) is None:
        return None
    rows = indexed_rows(platform, target_of(platform), record)
    if rows is None:
        return None
    target = serving_beside(platform, orphaned=True)
    if target is None:
        return Current(rows)
    if can_make(target):
        return None if indexed_rows(platform, target, record) is None else Current(rows)
    return Current(rows, unavailable(platform, target, record))


def is_current(platform: Platform, scene: Scene) -> bool:
    """Whether ingesting a scene would change nothing; raise as :func:`find_current` does."""
    return find_current(platform, scene) is not None


def ingest_scene(platform: Platform, scene: Scene, progress: Progress | None = None) -> SceneResult:
    """Register, divide, embed and index one scene; skip a scene that is current.

    An error of one scene is not raised: it stands in the result and among the failures in the store, and rows that the
    scene had before stay as they are.

    Args:
        platform: The installation.
        scene: A validated scene.
        progress: Called with super-tiles done, their number, and what is being done.

    Raises:
        UnknownEncoderError, SettingsError: no scene can be ingested with these settings.
    """
    started = time.perf_counter()
    key = scene.scene_key
    platform = platform.using(platform.settings.active_encoder)
    try:
        current = find_current(platform, scene)
        if current is not None:
            rows, note, skipped = current.rows, current.note, True
        else:
            register(platform, scene)
            patch_table(platform, key)
            steps = [
                embed(platform, key, progress=progress, keep_overviews=True),
                indexed := index(platform, key),
                beside := embed_beside(platform, key, progress),
                None if isinstance(beside, str) else index_beside(platform, key),
            ]
            note = next((step for step in steps if isinstance(step, str)), None)
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
        return SceneResult(key, "failed", 0, time.perf_counter() - started, describe(error), notes=made_notes(scene))
    seconds = time.perf_counter() - started
    note = note if rows or note else _NOTHING_TO_FIND
    status: Literal["ingested", "skipped"] = "skipped" if skipped else "ingested"
    return SceneResult(key, status, rows, seconds, note=note, notes=recorded_made_notes(platform, scene))
