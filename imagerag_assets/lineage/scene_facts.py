"""Everything that is known of one scene: record, place, failures, removal, vectors of each encoder, rows and answers.

Nothing is changed.  `ingestion.inventory` lists all scenes.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from imagerag_assets.errors import ImageRAGError, StoreError, UnknownSceneError
from imagerag_assets.ingestion.embed_scene import find_shard
from imagerag_assets.ingestion.inventory import answering_target, facts_of, notes_of, status_of
from imagerag_assets.ingestion.remove import count_rows
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import read_all
from imagerag_assets.questions.answer_records import list_answers, read_answers
from imagerag_assets.raster.geo import window_geometry
from imagerag_assets.scenes.failures import find_failure, list_failures
from imagerag_assets.scenes.records import SceneRecord, find_record, list_records
from imagerag_assets.scenes.removed import find_removed, list_removed
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stores.shards import ShardRef, list_shards, shard_info, version16

LATEST = 10
"""Answers that are named."""


def scene_facts(platform: Platform, scene_key: str) -> dict[str, Any]:
    """Return all that is known of a scene; one of ``scenes`` in the result of ``imagerag scenes show``.

    Returns:
        What `ingestion.inventory.list_scenes` gives, and ``version``, ``item_href``, ``footprint`` (GeoJSON), ``crs``,
        ``cloud_cover``, ``modality``, ``bands``, ``files``, ``shown`` (how values become a picture), ``properties``,
        ``failure``, ``removed``, ``patch_tables``, ``embeddings`` (each shard), ``rows`` (of each collection) and
        ``answers`` (how many used it, and the latest).  What is not known is None: a scene may only have failed.

    Raises:
        UnknownSceneError: nothing is known of it; the message names similar keys.
        StoreError: the store or Milvus cannot be read.
    """
    record, problem = _record(platform, scene_key)
    failure = find_failure(platform, scene_key) if is_scene_key(scene_key) else None
    mark = find_removed(platform, scene_key)
    if record is None and not problem and failure is None and mark is None:
        raise _unknown(platform, scene_key)
    about = {
        "failure": None if failure is None else failure.to_dict(),
        "removed": None if mark is None else mark.to_dict(),
        "patch_tables": _tables(platform, scene_key),
        "embeddings": _shards(platform, scene_key, record),
        "rows": _rows(platform, scene_key),
        "answers": _answers(platform, scene_key),
    }
    if record is None:
        status = "removed" if mark is not None and mark.asked else "unreadable" if problem else "failed"
        return {"scene": scene_key, "status": status, "notes": [problem] if problem else [], **about}
    return {**_of_record(platform, record), **about}


def _record(platform: Platform, scene_key: str) -> tuple[SceneRecord | None, str]:
    try:
        return find_record(platform, scene_key), ""
    except StoreError as error:
        return None, str(error)


def _of_record(platform: Platform, record: SceneRecord) -> dict[str, Any]:
    scene, grid, render = record.scene, record.grid, record.render
    target, mark = answering_target(platform), find_removed(platform, scene.scene_key)
    made, notes = None, []
    try:
        made = None if target is None else find_shard(platform, target, record)
    except ImageRAGError as error:
        notes.append(str(error))
    return {
        **facts_of(record),
        "patches": None if made is None else made.rows,
        "status": status_of(record, made, mark),
        "notes": list(dict.fromkeys([*notes, *notes_of(platform, record, made, mark)])),
        "version": scene.version,
        "item_href": scene.item_href,
        "footprint": window_geometry(grid, grid.window) or scene.geometry,
        "crs": grid.crs_wkt.split('"')[1] if grid.crs_wkt and '"' in grid.crs_wkt else None,
        "overviews_in_file": grid.has_overviews,
        "cloud_cover": scene.cloud_cover,
        "modality": scene.imagery.modality,
        "bands": [
            {"asset": band.asset_key, "index": band.index, "name": band.name or band.common_name}
            for band in scene.imagery.bands
        ],
        "files": list(scene.imagery.hrefs),
        "shown": {"source_dtype": render.source_dtype, "limits": render.limits, "how": render.note},
        "properties": scene.properties,
    }


def _tables(platform: Platform, scene_key: str) -> list[dict[str, Any]]:
    """Return the patch tables: the scene as it is cut, before anything is embedded."""
    if not is_scene_key(scene_key):
        return []

    def about(key: str) -> dict[str, Any]:
        patches, version = None, None
        try:
            with platform.store.open(key) as file:
                footer = pq.read_metadata(file)
            stored = json.loads((footer.metadata or {})[b"imagerag"])
            patches, version = footer.num_rows, stored.get("etag")
        except (StoreError, pa.ArrowException, KeyError, ValueError):
            pass  # the next ingest makes it again
        name = key.rpartition("/")[2].removesuffix(".parquet")
        return {"division": name, "patches": patches, "version": version, "object": platform.store.url(key)}

    return read_all(about, [key for key in platform.store.list(f"patches/{scene_key}") if key.endswith(".parquet")])


def _shards(platform: Platform, scene_key: str, record: SceneRecord | None) -> list[dict[str, Any]]:
    """Return every shard of the scene, of any encoder, recipe and version."""
    if not is_scene_key(scene_key):
        return []

    def about(ref: ShardRef) -> dict[str, Any]:
        known: dict[str, Any] = {"encoder": None, "patches": None, "kept": None, "stored_at": None, "problem": None}
        try:
            made = shard_info(platform.store, ref.path)
            stored = made.made.stored_at
            known |= {"encoder": made.encoder, "patches": made.rows, "kept": made.kept}
            known["stored_at"] = None if stored is None else stored.isoformat()
        except StoreError as error:
            known["problem"] = str(error)
        return {
            **known,
            "fingerprint": ref.fingerprint16,
            "division": ref.division_key,
            "version": ref.version16,
            "current": record is not None and ref.version16 == version16(record.scene.version),
            "object": platform.store.url(ref.path),
        }

    refs = {ref.path: ref for ref in list_shards(platform.store, scene_key=scene_key)}
    return read_all(lambda path: about(refs[path]), sorted(refs))


def _rows(platform: Platform, scene_key: str) -> list[dict[str, Any]]:
    if not platform.has_vectors or not is_scene_key(scene_key):
        return []
    alias = {target: name for name, target in platform.vectors.aliases().items()}
    found = count_rows(platform, [scene_key])[scene_key]
    return [{"collection": name, "alias": alias.get(name), "rows": rows} for name, rows in sorted(found.items())]


def _answers(platform: Platform, scene_key: str) -> dict[str, Any]:
    """Return how many answers used the scene, and the latest of them."""
    used = [
        record
        for record in read_answers(platform, list_answers(platform)[::-1], [])
        if scene_key in record.lineage.scenes
    ]
    latest = [
        {
            "answer_id": each.answer_id,
            "question": each.question,
            "asked_at": each.asked_at,
            "version": each.lineage.scenes[scene_key],
        }
        for each in used[:LATEST]
    ]
    return {"total": len(used), "latest": latest}


def _unknown(platform: Platform, scene_key: str) -> UnknownSceneError:
    failed, removed = (each.scene for each in list_failures(platform)), (each.scene for each in list_removed(platform))
    known = sorted({*list_records(platform), *failed, *removed})
    close = difflib.get_close_matches(scene_key, known, n=3, cutoff=0.5)
    if close:
        fix = f"Did you mean {' or '.join(close)}?"
    else:
        fix = "See: imagerag scenes" if known else "No scene has been ingested yet; run: imagerag ingest SOURCE"
    return UnknownSceneError("There is no such scene", fix=fix, scene=scene_key[:200])
