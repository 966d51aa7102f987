"""Keep the serving collection complete while another encoder or other settings are chosen.

Until a backfill moves the alias, questions are answered from the serving collection.  A new scene is embedded for it
too, with its encoder and its settings, so that questions find the scene.  Where that is not possible, a note says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from imagerag_assets.errors import EncoderError, FingerprintError, ImageRAGError, UnknownEncoderError
from imagerag_assets.ingestion.embed_scene import embed, find_shard
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.index_scene import index, indexed_rows
from imagerag_assets.ingestion.results import EmbedResult, IndexResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import UNKNOWN, Target, serving_beside
from imagerag_assets.scenes.reading import clear_overviews
from imagerag_assets.scenes.records import SceneRecord, load_record

_log = logging.getLogger(__name__)

T = TypeVar("T")


def embed_beside(platform: Platform, scene_key: str, progress: Progress | None = None) -> EmbedResult | str | None:
    """Embed a scene for the serving collection, where another is chosen.  The last step that reads its imagery.

    Returns:
        What was embedded; None where there is nothing to do; a note where questions cannot find the scene yet because
        the serving encoder is not available, which does not keep the chosen encoder from embedding the scene.

    Raises:
        As :func:`embed`, except about the encoder.
    """
    done = _beside(platform, scene_key, lambda target: embed(platform, scene_key, target=target, progress=progress))
    clear_overviews(platform.settings, scene_key)
    return done


def index_beside(platform: Platform, scene_key: str, *, build_index: bool = True) -> IndexResult | str | None:
    """Index what :func:`embed_beside` embedded; return and raise as it does; `build_index` as for :func:`index`."""

    def step(target: Target) -> IndexResult | None:
        if find_shard(platform, target, load_record(platform, scene_key)) is None:
            return None  # its encoder is not available, as the note of `embed_beside` says
        return index(platform, scene_key, target=target, build_index=build_index)

    return _beside(platform, scene_key, step)


def _beside(platform: Platform, scene_key: str, step: Callable[[Target], T]) -> T | str | None:
    target = serving_beside(platform, orphaned=True)
    if target is None:
        return None
    try:
        note = unavailable(platform, target, load_record(platform, scene_key))
        if note is None:
            return step(target) if can_make(target) else None
    except (EncoderError, UnknownEncoderError, FingerprintError) as error:
        note = _note(error)
    _log.warning("%s: %s", scene_key, note)
    return note


def can_make(target: Target) -> bool:
    """Whether vectors of the serving target can be made here, as far as can be told without loading its encoder."""
    return target.encoder != UNKNOWN and not target.outdated_code


def unavailable(platform: Platform, target: Target, record: SceneRecord) -> str | None:
    """Say why questions cannot find a scene yet; None where they can, or will after the next step.

    Raises:
        StoreError: Milvus or the object store fails.
    """
    if can_make(target) or indexed_rows(platform, target, record) is not None:
        return None
    if target.outdated_code:
        version = target.recipe.code_version
        return _note(
            FingerprintError(
                f"version {version} of the code made the collection that questions are answered from",
                fix="Run: imagerag backfill",
                collection=target.collection,
            )
        )
    try:
        serving_beside(platform)
    except FingerprintError as error:
        return _note(error)
    return None


def _note(error: ImageRAGError) -> str:
    return f"Questions cannot find the scene yet: {error}"
