"""Read an answer's lineage: what made it, as a tree, with its PROV document and why it is outdated."""

from __future__ import annotations

from typing import Any

from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.outdated import Present
from imagerag_assets.lineage.prov import prov_document
from imagerag_assets.objects.store import HasStore
from imagerag_assets.questions.answer_record import Lineage, RecordedCue
from imagerag_assets.questions.answer_records import load_answer, prompt_key
from imagerag_assets.scenes.records import stored_scene


def trace_tree(platform: HasStore, answer_id: str) -> dict[str, Any]:
    """Return what made an answer as a tree, from the answer down to the items.

    Returns:
        ``{"kind", "label", "detail": {...}, "children": [...]}``, nested.

    Raises:
        UnknownAnswerError, StoreError: as :func:`load_answer`.
    """
    record = load_answer(platform, answer_id)
    lineage = record.lineage
    children = [
        _node("question", record.question, {"choices": record.choices, "phrases": list(record.phrases)}),
        _node(
            "retrieval",
            record.path,
            {"abstained": record.abstained},
            [_cue_node(platform, cue, lineage) for cue in record.cues],
        ),
        _node("calibration", lineage.calibration or "", {"fingerprint": lineage.fingerprint}),
        _node("encoder", lineage.encoder or "", {"fingerprint": lineage.fingerprint}),
        _node("collection", lineage.collection or "", {"fingerprint": lineage.fingerprint}),
    ]
    children += [_node("knowledge", name, {"version": version}) for name, version in lineage.knowledge.items()]
    children += [_node("concept", f"my:{name}", dict(used)) for name, used in lineage.concepts.items()]
    if lineage.after:
        children.append(_node("former answer", lineage.after))
    if lineage.mllm:
        children.append(_node("model", lineage.mllm.name, {"revision": lineage.mllm.revision}))
    if lineage.prompt_sha256:
        key = prompt_key(answer_id)
        detail = {"object": platform.store.url(key) if platform.store.exists(key) else None}
        children.append(_node("prompt", lineage.prompt_sha256, detail))
    scenes = [key for key in lineage.scenes if key not in {cue.scene for cue in record.cues}]
    children += [_scene_node(platform, key, lineage) for key in scenes]
    detail = {
        "answer": record.answer,
        "choice": record.choice,
        "asked_at": record.asked_at,
        "version": lineage.version,
        "error": record.error.message if record.error else None,
    }
    return _node("answer", answer_id, detail, children)


def _node(
    kind: str, label: str, detail: dict[str, Any] | None = None, children: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"kind": kind, "label": label, "detail": detail or {}, "children": children or []}


def _cue_node(platform: HasStore, cue: RecordedCue, lineage: Lineage) -> dict[str, Any]:
    known = cue.to_dict()
    detail = {key: known.get(key) for key in ("window", "bbox", "phrase", "score", "confidence", "level")}
    about = {"level": cue.level, "window": list(cue.window)}
    patch = _node("patch", cue.patch_id, about, [_scene_node(platform, cue.scene, lineage)])
    return _node("cue", f"{cue.rank}: {cue.phrase}", detail, [patch])


def _scene_node(platform: HasStore, scene_key: str, lineage: Lineage) -> dict[str, Any]:
    """Return a scene as it was asked, and what is stored of it now."""
    asked = lineage.scenes.get(scene_key)
    stored = stored_scene(platform, scene_key)
    if stored is None:
        return _node("scene", scene_key, {"etag": asked, "now": "no longer stored"})
    detail = {"etag": asked, "acquired_at": stored.get("acquired_at"), "source": stored.get("source")}
    if stored.get("etag") != asked:
        detail["now"] = f"changed since: version {stored.get('etag')}"
    shard = lineage.shards.get(scene_key)
    item = _node("item", stored.get("item_id") or scene_key, {"href": stored.get("item_href"), "etag": asked})
    return _node("scene", scene_key, detail, ([_node("shard", shard)] if shard else []) + [item])


def trace(platform: Platform, answer_id: str) -> dict[str, Any]:
    """Return the result of ``imagerag trace``.

    Returns:
        The root of the tree, ``{"kind", "label", "detail", "children"}``, with ``outdated``, a list of
        ``{"reason", "detail", "scene"}``, and ``lineage.prov``, a PROV-JSON document.

    Raises:
        UnknownAnswerError: There is no such answer.
        StoreError: The object store cannot be read.
    """
    record = load_answer(platform, answer_id)
    outdated = [reason.to_dict() for reason in Present(platform).reasons(record)]
    items = {key: stored for key in record.lineage.scenes if (stored := stored_scene(platform, key))}
    return {**trace_tree(platform, answer_id), "outdated": outdated, "prov": prov_document(record, items)}
