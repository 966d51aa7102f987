"""What the installation holds: scenes, collections, the chosen encoder, failures and problems.

This only reads: it creates no collection and no Milvus file.
"""

from __future__ import annotations

from typing import Any

from imagerag_assets.errors import EncoderError, ImageRAGError
from imagerag_assets.installation.left_over import at_work
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.objects.store import read_all
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.records import find_record, list_records
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.stores.shards import ShardKey, list_shards


def status(platform: Platform) -> dict[str, Any]:
    """Return the JSON of ``imagerag status``.

    Returns:
        ``scenes``: number of registered scenes; ``stale``: number of scenes whose current version is not embedded by
        the chosen encoder and division, and ``stale_scenes``: their keys; ``collections``: name, alias (or None), kind,
        division, fingerprint, rows; ``encoder``: name and fingerprint (None if it is not available) of the chosen one;
        ``serving``: name, fingerprint and collection that questions are answered with, None before the first ingest;
        ``failures``; ``removed``: scenes that left their source and still answer until they are purged, and scenes that
        a person removed (``asked``), which answer no more;
        ``problems``: lines about parts that could not be read; and what `left_over.at_work` says.

    Raises:
        StoreError: the object store cannot be read.
        UnknownEncoderError, SettingsError: the settings name an encoder or division that does not exist.
    """
    problems: list[str] = []
    scenes = list_records(platform)
    fingerprint = _fingerprint(platform, problems)
    stale = scenes if fingerprint is None else stale_scenes(platform, scenes, fingerprint, problems)
    return {
        "scenes": len(scenes),
        "stale": len(stale),
        "stale_scenes": stale,
        "collections": _collections(platform, problems),
        "encoder": {"name": platform.settings.active_encoder, "fingerprint": fingerprint},
        "serving": _serving(platform, problems),
        "failures": [failure.to_dict() for failure in list_failures(platform)],
        "removed": [mark.to_dict() for mark in list_removed(platform) if not mark.purged],
        "problems": problems,
        **at_work(platform.settings),
    }


def _fingerprint(platform: Platform, problems: list[str]) -> str | None:
    try:
        return platform.fingerprint
    except EncoderError as error:
        problems.append(str(error))
        return None


def _serving(platform: Platform, problems: list[str]) -> dict[str, str] | None:
    if not platform.has_vectors:
        return None
    try:
        serving = find_serving(platform)
    except ImageRAGError as error:
        if str(error) not in problems:
            problems.append(str(error))
        return None
    if serving is None:
        return None
    target = serving.target
    return {"name": target.encoder, "fingerprint": target.fingerprint, "collection": serving.collection}


def stale_scenes(platform: Platform, scenes: list[str], fingerprint: str, problems: list[str]) -> list[str]:
    """Return those of `scenes` whose current version an encoder has not embedded; add what fails to `problems`.

    Raises:
        StoreError: the store cannot be listed.
    """
    division = platform.recipe.key
    there = {ref.path for ref in list_shards(platform.store, division_key=division, fingerprint=fingerprint)}

    def is_stale(scene: str) -> bool:
        try:
            record = find_record(platform, scene)
        except ImageRAGError as error:
            problems.append(str(error))
            return True
        return record is None or ShardKey(scene, division, fingerprint, record.scene.version).path not in there

    flags = read_all(is_stale, scenes)
    return [scene for scene, stale in zip(scenes, flags, strict=True) if stale]


def _collections(platform: Platform, problems: list[str]) -> list[dict[str, Any]]:
    if not platform.has_vectors:
        return []
    try:
        found = platform.vectors.list_collections()
    except ImageRAGError as error:
        problems.append(str(error))
        return []
    return [
        {
            "name": each.name,
            "alias": next(iter(each.aliases), None),
            "kind": each.kind,
            "division": each.division,
            "fingerprint": each.fingerprint,
            "rows": each.rows,
        }
        for each in found
    ]
