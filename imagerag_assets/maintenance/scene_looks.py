"""Look at what is stored of each scene: record, overview, patch tables, and what is left of its embedding."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.ingestion.parts import PARTS
from imagerag_assets.ingestion.patch_tables import patch_table, table_key
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.platform import Platform
from imagerag_assets.maintenance.looks import YOUNG_SECONDS, Progress, each_of, set_aside, stored_item
from imagerag_assets.scenes.records import SCENES, SceneRecord, find_record, list_records, overview_key, record_key
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.shards import PREFIX, version16


def scene_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield records and overviews that are missing or damaged.

    Raises:
        StoreError: the store cannot be read.
    """
    registered = set(list_records(platform))
    known = {mark.scene for mark in list_removed(platform)}
    folders = {key.split("/")[1] for key in platform.store.list(SCENES)}
    for scene in each_of(sorted(registered), progress, "checking records"):
        try:
            find_record(platform, scene)
        except StoreError as error:
            yield _register_again(platform, "record", record_key(scene), scene, error.message)
            continue
        key = overview_key(scene)
        wrong = _picture_wrong(platform, key)
        if wrong:
            yield _register_again(platform, "overview", key, scene, wrong)
    for scene in sorted(folders - registered - known):
        keys = platform.store.list(f"{SCENES}/{scene}")
        if not stored_item(platform, scene) and not _young(platform, f"{SCENES}/{scene}"):
            detail = "There is no record of the scene that it belongs to"
            yield Difference("overview", keys[0], detail, "Moves it aside", partial(set_aside, platform, keys))


def _register_again(platform: Platform, kind: str, key: str, scene: str, wrong: str) -> Difference:
    item = stored_item(platform, scene)
    if item is None:
        return Difference(kind, key, wrong, f"Run: imagerag ingest SOURCE --scene {scene}")
    return Difference(kind, key, wrong, "Registers the scene again", partial(_registered, platform, key, item))


def _registered(platform: Platform, key: str, item: Scene) -> str:
    said = set_aside(platform, [key]) if platform.store.exists(key) else "it was missing"
    register(platform, item)
    return f"registered again ({said})"


def _picture_wrong(platform: Platform, key: str) -> str | None:
    """Say what is wrong with a picture; None: nothing.

    Raises:
        StoreError: the store cannot be read.
    """
    if not platform.store.exists(key):
        return "It is missing"
    try:
        with Image.open(io.BytesIO(platform.store.read_bytes(key))) as picture:
            picture.load()
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        return f"It is damaged: {error}"
    return None


def table_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield patch tables that are damaged, or of another version of their scene.

    Raises:
        StoreError: the store cannot be read.
    """
    recipe = platform.recipe
    for scene in each_of(list_records(platform), progress, "checking patch tables"):
        key = table_key(scene, recipe.division_key)
        record = _record(platform, scene)
        if record is None or not platform.store.exists(key):
            continue
        wrong = _table_wrong(platform, key, record)
        if wrong:
            yield Difference("patch table", key, wrong, "Makes it again", partial(_table_again, platform, scene))


def _table_wrong(platform: Platform, key: str, record: SceneRecord) -> str | None:
    try:
        with platform.store.open(key) as file:
            rows = pq.ParquetFile(file).metadata.num_rows
    except (pa.ArrowException, StoreError) as error:
        return f"It is damaged: {error}"
    expected = platform.recipe.division_for(record.grid).count(record.grid.width, record.grid.height)
    return None if rows == expected else f"It has {rows:,} patches, and the scene has {expected:,}"


def _table_again(platform: Platform, scene: str) -> str:
    key = table_key(scene, platform.recipe.division_key)
    said = set_aside(platform, [key])
    return f"made again with {patch_table(platform, scene).patches:,} patches ({said})"


def scratch_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield parts of embeddings that no run can go on from: of scenes that are done, gone or have changed.

    Raises:
        StoreError: the store cannot be read.
    """
    root = platform.settings.home / "scratch" / "embed"
    folders = sorted(each for each in root.glob("*/*/*/*") if each.is_dir())
    for folder in each_of(folders, progress, "checking unfinished embeddings"):
        why = _needless(platform, *folder.relative_to(root).parts)
        if why and _age(folder) > YOUNG_SECONDS:
            yield Difference("unfinished embedding", str(folder), why, "Removes them", partial(_cleared, folder, root))
    stored: dict[tuple[str, ...], list[str]] = {}
    for key in platform.store.list(PARTS):
        stored.setdefault(tuple(key.split("/")[1:5]), []).append(key)
    for parts, keys in sorted(stored.items()):
        prefix = "/".join((PARTS, *parts))
        if len(parts) == 4 and (why := _needless(platform, *parts)) and not _young(platform, prefix):
            yield Difference("unfinished embedding", prefix, why, "Removes them", partial(_deleted, platform, keys))


def _needless(platform: Platform, scene: str, version: str, division: str, fingerprint: str) -> str | None:
    """Say why no run needs the parts of an embedding; None where one may."""
    record = _record(platform, scene)
    if record is None:
        why = None if stored_item(platform, scene) else "the scene is not registered"
    elif version16(record.scene.version) != version:
        why = "they are of another version of the scene"
    elif platform.store.exists(f"{PREFIX}/{scene}/{division}/{fingerprint}/{version}.parquet"):
        why = "the scene is embedded"
    else:
        why = None
    return f"Parts of an embedding that nobody needs: {why}" if why else None


def _deleted(platform: Platform, keys: list[str]) -> str:
    for key in keys:
        platform.store.delete(key)
    return "removed"


def _cleared(folder: Path, root: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    for parent in folder.parents:
        if parent == root or any(parent.iterdir()):
            break
        parent.rmdir()
    return "removed"


def _age(folder: Path) -> float:
    times = [each.stat().st_mtime for each in [folder, *folder.rglob("*")] if each.exists()]
    return time.time() - max(times, default=0.0)


def _young(platform: Platform, prefix: str) -> bool:
    times = [moment.timestamp() for moment in platform.store.modified(prefix).values()]
    return time.time() - max(times, default=0.0) < YOUNG_SECONDS


def _record(platform: Platform, scene: str) -> SceneRecord | None:
    try:
        return find_record(platform, scene)
    except StoreError:  # `scene_differences` names it
        return None
