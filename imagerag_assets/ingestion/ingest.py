"""From a scene to searchable patches: register, divide, embed, index; each step idempotent and safe to kill.

The steps are separate so that an orchestrator can run them one by one; `ingest_scene` runs them in a row.  Finding
scenes belongs to `stac`, embedding to `embed_scene`, indexing to `index_scene`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Literal

from imagerag_assets.errors import (
    EmptyRasterError,
    SettingsError,
    StoreError,
    UnknownEncoderError,
    describe,
)
from imagerag_assets.ingestion.beside import can_make, embed_beside, index_beside, unavailable
from imagerag_assets.ingestion.embed_scene import embed, layout_note, shard_key, shortage
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.index_scene import index, indexed_rows, indexed_shard
from imagerag_assets.ingestion.layers import fetched_layer
from imagerag_assets.ingestion.patch_tables import PatchTableInfo, check_patch_count, patch_table
from imagerag_assets.ingestion.results import EmbedResult, IndexResult, SceneResult, Status
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, serving_beside, target_of
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.failures import clear_failure, record_failure
from imagerag_assets.scenes.identity import refuse_another
from imagerag_assets.scenes.place import require_place
from imagerag_assets.scenes.reading import overview_scratch
from imagerag_assets.scenes.records import (
    SceneRecord,
    find_record,
    made_notes,
    overview_key,
    recorded_made_notes,
    save_record,
)
from imagerag_assets.scenes.removed import refuse_removed
from imagerag_assets.scenes.replaced import as_it_is_now, refuse_replaced
from imagerag_assets.stac.types import Scene

__all__ = [
    "Current", "EmbedResult", "IndexResult", "PatchTableInfo", "SceneResult", "embed", "embed_beside", "find_current",
    "index", "index_beside", "indexed_rows", "ingest_scene", "is_current", "patch_table", "register", "said_of",
    "shard_key",
]  # fmt: skip

_log = logging.getLogger(__name__)


def register(platform: Platform, scene: Scene) -> SceneRecord:
    """Open a scene's raster, settle its grid, display limits and overview, and store them.

    The raster of an online layer is fetched first, unless it is there.  A record that is the same already is left as it
    is.  A scene without a pixel that holds data is registered, too: it is known, and not looked at again until it
    changes.

    Raises:
        RemovedSceneError: a person removed the scene.
        ItemError: another scene is stored under the key of this one.
        SourceError: an online layer cannot be reached, or its key is not known.
        RasterError: a file cannot be opened or read, its size or type is unusable or passes a limit, tiles of a layer
            are missing, or it lies elsewhere than the item says.
        StoreError: the store cannot be read or written.
    """
    refuse_removed(platform, scene.scene_key)
    replaced = refuse_another(platform, scene)
    settings = platform.settings
    layer = fetched_layer(platform, scene)
    scratch = overview_scratch(settings, scene.scene_key)
    scene = as_it_is_now(scene, settings)
    with SceneReader(scene, settings, scratch=scratch) as reader:
        require_place(scene, reader.grid)
        grid, division = reader.grid, platform.recipe.division_for(reader.grid)
        check_patch_count(settings, division, (grid.width, grid.height), scene.scene_key)
        try:
            overview, _ = reader.overview(settings.overview_px)
            render = reader.render
        except EmptyRasterError:
            render = reader.nothing
            with SceneReader(scene, settings, render, scratch) as dark:
                overview, _ = dark.overview(settings.overview_px)
        notes = [*scene.notes, *layer, *reader.notes, *filter(None, (render.note, replaced))]
        record = SceneRecord(scene, reader.grid, render, tuple(dict.fromkeys(notes)))
    refuse_replaced(scene.file_versions, settings)
    found = find_record(platform, scene.scene_key)
    known = found == record and found.scene.file_versions == scene.file_versions
    if not known or not platform.store.exists(overview_key(scene.scene_key)):
        save_record(platform, record, overview)
    return record


@dataclass(frozen=True)
class Current:
    """A scene that an ingest would not change."""

    rows: int
    """Rows of the chosen encoder and settings."""
    note: str | None = None
    """Why questions cannot find it yet, or that it has too few valid pixels."""
    findable: bool = True
    """Whether questions find it."""

    @property
    def status(self) -> Literal["skipped", "empty"]:
        """What an ingest says of it."""
        return "skipped" if self.rows else "empty"


def find_current(platform: Platform, scene: Scene) -> Current | None:
    """Return what there is of a scene whose record, shard and rows are complete and current; None where any is not.

    Load no encoder whose fingerprint is known.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError, StoreError: it cannot be told.
    """
    record = find_record(platform, scene.scene_key)
    if record is None or record.scene.version != scene.version or record.scene.imagery != scene.imagery:
        return None
    if record.scene.acquired_until != scene.acquired_until:  # older versions kept one end of an interval
        return None
    if platform.vectors.alias_target(ALIAS) is None:
        return None
    chosen = target_of(platform)
    made = indexed_shard(platform, chosen, record)
    if made is None:
        return None
    target = serving_beside(platform, orphaned=True)
    if target is not None and can_make(target) and indexed_rows(platform, target, record) is None:
        return None
    unfound = None if target is None or can_make(target) else unavailable(platform, target, record)
    return Current(made.rows, *said_of(made.rows, shortage(made), unfound, layout_note(chosen, record)))


def said_of(rows: int, shortage: str | None, unfound: str | None, layout: str | None = None) -> tuple[str | None, bool]:
    """Return the note of a result, and whether questions find the scene.

    Args:
        rows: Rows of the scene.
        shortage: That it has too few valid pixels.
        unfound: Why questions cannot find it yet.
        layout: That it could not be laid out in metres.
    """
    if not rows:
        return shortage, False
    return unfound or "; ".join(filter(None, (shortage, layout))) or None, unfound is None


def is_current(platform: Platform, scene: Scene) -> bool:
    """Whether ingesting a scene would change nothing; raise as :func:`find_current` does."""
    return find_current(platform, scene) is not None


def ingest_scene(
    platform: Platform, scene: Scene, progress: Progress | None = None, *, build_index: bool = True
) -> SceneResult:
    """Register, divide, embed and index one scene; skip a scene that is current.

    A scene without a pixel that holds data is ``empty``.
    An error of one scene is not raised: it stands in the result and among the failures in the store, and rows that the
    scene had before stay as they are.

    Args:
        platform: The installation.
        scene: A validated scene.
        progress: Called with super-tiles done, their number, and what is being done.
        build_index: Renew Milvus's index; false when more scenes follow, and `Platform.renew_indexes` after them.

    Raises:
        UnknownEncoderError, SettingsError: no scene can be ingested with these settings.
    """
    started = time.perf_counter()
    key = scene.scene_key
    platform = platform.using(platform.settings.active_encoder)
    try:
        current = find_current(platform, scene)
        if current is not None:
            rows, note, findable, skipped = current.rows, current.note, current.findable, True
        else:
            register(platform, scene)
            patch_table(platform, key)
            steps = [
                embedded := embed(platform, key, progress=progress, keep_overviews=True),
                indexed := index(platform, key, build_index=build_index),
                beside := embed_beside(platform, key, progress),
                None if isinstance(beside, str) else index_beside(platform, key, build_index=build_index),
            ]
            unfound = next((step for step in steps if isinstance(step, str)), None)
            note, findable = said_of(indexed.rows, embedded.note, unfound, embedded.layout)
            rows, skipped = indexed.rows, all(getattr(step, "skipped", True) for step in steps)
        clear_failure(platform, key, scene.item_href)
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
    status: Status = "empty" if not rows else "skipped" if skipped else "ingested"
    notes = recorded_made_notes(platform, scene)
    return SceneResult(key, status, rows, seconds, note=note, findable=findable, notes=notes)
