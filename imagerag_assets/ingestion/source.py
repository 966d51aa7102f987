"""Ingest a whole source in this process, without Dagster: find its scenes and ingest them one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from imagerag_assets.errors import describe
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.ingestion.results import SceneResult
from imagerag_assets.scenes.failures import record_failure
from imagerag_assets.scenes.identity import SceneKeys
from imagerag_assets.scenes.removed import again, clear_removed, find_removed, list_asked, said_of
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

if TYPE_CHECKING:
    from imagerag_assets.ingestion.embedding import Progress
    from imagerag_assets.installation.platform import Platform


def ingest(
    platform: Platform,
    source: str,
    *,
    collections: Sequence[str] = (),
    scenes: Sequence[str] = (),
    limit: int | None = None,
    progress: Progress | None = None,
) -> Iterator[SceneResult]:
    """Ingest the scenes of a source, each when its result is asked for.

    A scene that fails is recorded as failed; the others are still ingested.  Dagster records nothing of this; use
    ``imagerag ingest`` where the history matters.

    Args:
        platform: The installation.
        source: Catalog, collection, item, folder, bucket prefix or API.
        collections: Take only items of these collections.
        scenes: Take only these scene keys or item ids.
        limit: Stop after so many results.
        progress: Called with done, total, and what is being done, after every super-tile.

    Yields:
        One result a scene: ``ingested``, ``skipped`` (nothing to do), ``empty`` (no valid pixel) or ``failed``, with a
        note where questions cannot find the scene yet.  A scene that a person removed is skipped unless it is named.

    Raises:
        SourceError: The source cannot be reached or is not STAC.
        UnknownSceneError: At the end, if a named scene was not in the source.
        SettingsError, UnknownEncoderError: No scene can be ingested with these settings.
    """
    with platform.renewing_indexes_once():
        yield from each_scene(
            platform,
            source,
            lambda scene: ingest_scene(platform, scene, progress=progress, build_index=False),
            collections=collections,
            scenes=scenes,
            limit=limit,
        )


def each_scene(
    platform: Platform,
    source: str,
    take: Callable[[Scene], SceneResult],
    *,
    collections: Sequence[str] = (),
    scenes: Sequence[str] = (),
    limit: int | None = None,
) -> Iterator[SceneResult]:
    """Find the scenes of a source and yield what `take` makes of each; record items that are not usable as failed.

    A scene that a person removed is left out, with a note, unless it is among `scenes` or the source is its own item.
    The other arguments, and what is raised besides `take`'s errors, are those of :func:`ingest`.
    """
    asked: frozenset[str] | None = None
    keys = SceneKeys(platform)
    for found in find_scenes(source, platform.settings, collections=collections, scenes=scenes, limit=limit):
        if isinstance(found, FailedItem):
            record_failure(platform, found.scene_key, found.error, item_href=found.item_href)
            yield SceneResult(found.scene_key, "failed", 0, 0.0, describe(found.error))
            continue
        found = keys.own(found)
        asked = list_asked(platform) if asked is None else asked
        if found.scene_key in asked:
            if not scenes and not _is_itself(found, source):
                yield SceneResult(found.scene_key, "skipped", 0, 0.0, note=_left_out(platform, found.scene_key))
                continue
            clear_removed(platform, found.scene_key, asked=True)
        yield take(found)


def _is_itself(scene: Scene, source: str) -> bool:
    """Return whether a source is the document of the scene's own item, which names the scene."""
    return scene.item_href is not None and scene.item_href in (scene.source, os.path.abspath(source))


def _left_out(platform: Platform, scene_key: str) -> str:
    mark = find_removed(platform, scene_key)
    return f"{said_of(mark) if mark else 'The scene was removed'}. {again(scene_key)}"
