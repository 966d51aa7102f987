"""Answer records: where they are kept, and the lineage they hold as a tree.

A record is the contract's answer with its notes, and stands at `answers/{answer_id}/answer.json`; its pictures and the
prompt are beside it.  It is written last, so that where there is a record there is its evidence.  A question that the
multimodal LLM failed at has a record as well, with `error` in place of an answer.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any, Protocol

from imagerag_assets.errors import StoreError, UnknownAnswerError
from imagerag_assets.stores.objects import ObjectStore

ANSWERS = "answers"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")


class HasStore(Protocol):
    """A platform, as far as records need one."""

    @property
    def store(self) -> ObjectStore: ...


def new_answer_id() -> str:
    """An id that sorts by time and is not given twice, e.g. ``20260504T103000-1f2e3d4c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def answer_folder(answer_id: str) -> str:
    """Key prefix of an answer's record and evidence.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    if not _ID.fullmatch(answer_id):
        raise UnknownAnswerError(
            f"{answer_id[:60]!r} is not an answer id", fix="Take the answer_id that `imagerag ask` printed"
        )
    return f"{ANSWERS}/{answer_id}"


def prompt_key(answer_id: str) -> str:
    """Object key of the prompt that an answer was given to: its text, with a line for each picture.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    return f"{answer_folder(answer_id)}/prompt.txt"


def save_answer(platform: HasStore, record: dict[str, Any]) -> None:
    """Store a record.

    Raises:
        StoreError: the store does not take it.
    """
    platform.store.write_json(f"{answer_folder(record['answer_id'])}/answer.json", record)


def load_answer(platform: HasStore, answer_id: str) -> dict[str, Any]:
    """The record of an answer, as `imagerag ask --json` printed it.

    Raises:
        UnknownAnswerError: there is none.
        StoreError: it cannot be read.
    """
    key = f"{answer_folder(answer_id)}/answer.json"
    if not platform.store.exists(key):
        raise UnknownAnswerError(
            "There is no such answer", fix="Check IMAGERAG_HOME and IMAGERAG_STORE", answer=answer_id
        )
    record: dict[str, Any] = platform.store.read_json(key)
    return record


def find_answer(platform: HasStore, answer_id: str) -> dict[str, Any] | None:
    """As :func:`load_answer`; None where there is no record, or one that cannot be understood."""
    try:
        record = load_answer(platform, answer_id)
    except (StoreError, UnknownAnswerError):
        return None
    return record if isinstance(record, dict) and {"lineage", "cues", "question"} <= record.keys() else None


def list_answers(platform: HasStore) -> list[str]:
    """Ids of all answers, oldest first."""
    parts = (key.split("/") for key in platform.store.list(ANSWERS))
    return sorted(part[1] for part in parts if len(part) == 3 and part[2] == "answer.json")


def trace_tree(platform: HasStore, answer_id: str) -> dict[str, Any]:
    """What made an answer, from the answer down to the items.

    Returns:
        ``{"kind", "label", "detail": {...}, "children": [...]}``, nested.

    Raises:
        UnknownAnswerError, StoreError: as :func:`load_answer`.
    """
    record = load_answer(platform, answer_id)
    lineage = record["lineage"]
    model = lineage.get("mllm") or {}
    children = [
        _node("question", record["question"], {"choices": record.get("choices") or {}, "phrases": record["phrases"]}),
        _node(
            "retrieval",
            record["path"],
            {"abstained": record["abstained"]},
            [_cue_node(platform, cue, lineage) for cue in record["cues"]],
        ),
        _node("calibration", lineage.get("calibration") or "", {"fingerprint": lineage["fingerprint"]}),
        _node("encoder", lineage.get("encoder", ""), {"fingerprint": lineage["fingerprint"]}),
        _node("collection", lineage.get("collection") or "", {"fingerprint": lineage["fingerprint"]}),
    ]
    children += [
        _node("knowledge", name, {"version": version}) for name, version in (lineage.get("knowledge") or {}).items()
    ]
    if lineage.get("after"):
        children.append(_node("former answer", lineage["after"]))
    if model:
        children.append(_node("model", model["name"], {"revision": model["revision"]}))
    if lineage.get("prompt_sha256"):
        key = prompt_key(answer_id)
        detail = {"object": platform.store.url(key) if platform.store.exists(key) else None}
        children.append(_node("prompt", lineage["prompt_sha256"], detail))
    scenes = [key for key in lineage["scenes"] if key not in {cue["scene"] for cue in record["cues"]}]
    children += [_scene_node(platform, key, lineage) for key in scenes]
    detail = {
        "answer": record["answer"],
        "choice": record["choice"],
        "asked_at": record.get("asked_at"),
        "version": lineage.get("version"),
        "error": (record.get("error") or {}).get("message"),
    }
    return _node("answer", answer_id, detail, children)


def _node(
    kind: str, label: str, detail: dict[str, Any] | None = None, children: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"kind": kind, "label": label, "detail": detail or {}, "children": children or []}


def _cue_node(platform: HasStore, cue: dict[str, Any], lineage: dict[str, Any]) -> dict[str, Any]:
    detail = {key: cue.get(key) for key in ("window", "bbox", "phrase", "score", "confidence", "level")}
    patch = _node(
        "patch",
        cue["patch_id"],
        {"level": cue["level"], "window": cue["window"]},
        [_scene_node(platform, cue["scene"], lineage)],
    )
    return _node("cue", f"{cue['rank']}: {cue['phrase']}", detail, [patch])


def _scene_node(platform: HasStore, scene_key: str, lineage: dict[str, Any]) -> dict[str, Any]:
    """The scene as it was asked, and what is stored of it now."""
    asked = lineage["scenes"].get(scene_key)
    stored = stored_scene(platform, scene_key)
    if stored is None:
        return _node("scene", scene_key, {"etag": asked, "now": "no longer stored"})
    detail = {"etag": asked, "acquired_at": stored.get("acquired_at"), "source": stored.get("source")}
    if stored.get("etag") != asked:
        detail["now"] = f"changed since: etag {stored.get('etag')}"
    shard = (lineage.get("shards") or {}).get(scene_key)
    item = _node("item", stored.get("item_id") or scene_key, {"href": stored.get("item_href"), "etag": asked})
    return _node("scene", scene_key, detail, ([_node("shard", shard)] if shard else []) + [item])


def stored_scene(platform: HasStore, scene_key: str) -> dict[str, Any] | None:
    """What is stored of a scene now, as JSON (`stac.types.Scene`); None where there is nothing legible."""
    try:
        stored: dict[str, Any] = platform.store.read_json(f"scenes/{scene_key}/record.json")["scene"]
    except (StoreError, KeyError, TypeError):
        return None
    return stored
