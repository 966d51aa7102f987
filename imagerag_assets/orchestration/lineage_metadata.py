"""Lineage of an answer as metadata of the UI: links to assets and partitions, paths of objects, and texts.

The lineage itself is in the answer's record (`questions.answer_records`).
See https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.errors import StoreError
from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.previews import markdown_table

if TYPE_CHECKING:
    from imagerag_assets.questions.answer_record import AnswerRecord, Lineage

_PROMPT_SHOWN = 4_000  # characters in the event log; the object has the whole prompt


def lineage_metadata(platform: Platform, record: AnswerRecord) -> dict[str, Any]:
    """Return where to find the cues, scenes, items, encoder, thresholds, knowledge, prompt and model of an answer.

    Args:
        platform: The installation.
        record: The answer's record.
    """
    from imagerag_assets.questions.answer_records import prompt_key

    lineage, model = record.lineage, record.lineage.mllm
    found: dict[str, Any] = {
        "upstream": dg.MetadataValue.md(_upstream(platform, lineage)),
        "patches": dg.MetadataValue.md(_patches(record)),
        "encoder": dg.MetadataValue.asset(dg.AssetKey("encoder")),
        "encoder_fingerprint": lineage.fingerprint,
        "collection": dg.MetadataValue.asset(dg.AssetKey("patch_collection")),
        "thresholds": _thresholds(platform, lineage),
        "lineage": dg.MetadataValue.json(lineage.to_dict()),
    }
    for kind, version in lineage.knowledge.items():
        found[kind] = dg.MetadataValue.asset(dg.AssetKey(kind))
        found[f"{kind}_version"] = version
    if model:
        found["model"] = f"{model.name} ({model.revision})"
    if lineage.prompt_sha256:
        key = prompt_key(record.answer_id)
        found["prompt_file"] = dg.MetadataValue.path(platform.store.url(key))
        try:
            found["prompt"] = platform.store.read_bytes(key).decode()[:_PROMPT_SHOWN]
        except StoreError:  # an earlier version kept only its digest
            found["prompt"] = lineage.prompt_sha256
    return found


def _upstream(platform: Platform, lineage: Lineage) -> str:
    from imagerag_assets.scenes.records import stored_scene

    links = []
    for key in sorted(lineage.scenes):  # keys are URL-safe
        item = (stored_scene(platform, key) or {}).get("item_href") or "no longer stored"
        links.append(f"- scene [{markdown(key)}](/assets/scene?partition={key}), item {markdown(item)}")
    assets = ["patch_collection", "encoder", *lineage.knowledge]
    return "\n".join([*links, *(f"- [{name}](/assets/{name})" for name in assets)])


def _patches(record: AnswerRecord) -> str:
    shards = record.lineage.shards
    rows = [{"cue": cue.rank, "patch": cue.patch_id, "shard": shards.get(cue.scene, "")} for cue in record.cues]
    return markdown_table(rows)


def _thresholds(platform: Platform, lineage: Lineage) -> str:
    """Return the version of the calibration, and its object if this installation stores one."""
    from imagerag_assets.retrieval.calibration import calibration_key

    division = str(lineage.division or platform.recipe.division_key)
    key = calibration_key(lineage.fingerprint, division)
    stored = platform.store.url(key) if platform.store.exists(key) else "packaged, or generic"
    return f"calibration {lineage.calibration} ({stored})"
