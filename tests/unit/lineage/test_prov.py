"""PROV documents: well-formed names, nothing dangling, and a way from the answer to its items."""

from __future__ import annotations

import re
from typing import Any

from imagerag_assets.lineage.prov import prov_document
from imagerag_assets.questions.answer_record import AnswerRecord

# PROV-N's production of a local name, as far as this project's names use it.
_NAME = re.compile(r"imagerag:(?:[A-Za-z0-9_~/-]|%[0-9A-F]{2})+")
_ENDS = {
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
}


def record(**changes: Any) -> AnswerRecord:
    def cue(rank: int, scene: str, row: int) -> dict[str, Any]:
        return {
            "patch_id": f"{scene}:pyramid:0:{row}:0", "scene": scene, "window": [0, 0, 9, 9], "bbox": None, "level": 0,
            "phrase": 'a "ship"', "score": 0.3, "confidence": 0.9, "rank": rank,
        }  # fmt: skip

    made: dict[str, Any] = {
        "answer_id": "20260504T103000-1f2e3d4c",
        "question": "Where?",
        "answer": "there",
        "choice": "A",
        "path": "slow-labels",
        "asked_at": "2026-05-04T10:30:00+00:00",
        "cues": [cue(1, "scene.v1.", 0), cue(2, "scene.v1.", 1), cue(3, "other", 0)],
        "lineage": {
            "fingerprint": "f" * 64,
            "encoder": "demo",
            "collection": "patches_f",
            "scenes": {"scene.v1.": "e" * 64, "other": 'W/"7"'},
            "shards": {"scene.v1.": "embeddings/scene.v1./d/f/e.parquet"},
            "calibration": "c",
            "knowledge": {"knowledge_labels": "v1"},
            "mllm": {"name": "org/model: 7b", "revision": "main"},
            "prompt_sha256": "a" * 64,
            "version": "1.2",
        },
    }
    return AnswerRecord.model_validate(made | changes)


def check(document: dict[str, Any]) -> None:
    """Ids are qualified names of a declared prefix, and every relation leads to a declared id of the right kind."""
    assert document["prefix"]["imagerag"] == "urn:imagerag:"
    for kind in ("entity", "activity", "agent"):
        assert all(_NAME.fullmatch(name) for name in document[kind]), document[kind].keys()
        for about in document[kind].values():
            assert about["prov:type"]["$"].partition(":")[0] in document["prefix"]
    for relation, ends in _ENDS.items():
        for name, related in document[relation].items():
            assert name.startswith("_:")
            assert related.keys() == ends.keys()
            for role, kind in ends.items():
                assert related[role] in document[kind], (relation, related)


def reachable(document: dict[str, Any], start: str) -> set[str]:
    """Entities that an entity goes back to, through derivations, and through activities and what these used."""
    found, waiting = set[str](), [start]
    while waiting:
        entity = waiting.pop()
        if entity in found:
            continue
        found.add(entity)
        waiting += [
            each["prov:usedEntity"]
            for each in document["wasDerivedFrom"].values()
            if each["prov:generatedEntity"] == entity
        ]
        for made in document["wasGeneratedBy"].values():
            if made["prov:entity"] == entity:
                activity = made["prov:activity"]
                waiting += [
                    each["prov:entity"] for each in document["used"].values() if each["prov:activity"] == activity
                ]
    return found


def test_a_full_record() -> None:
    items = {"scene.v1.": {"item_href": "s3://bucket/item.json", "source": "s3://bucket", "properties": {"a": [1]}}}
    document = prov_document(record(), items)
    check(document)
    (answer,) = (name for name in document["entity"] if name.startswith("imagerag:answer/"))
    kinds = {name.removeprefix("imagerag:").split("/")[0] for name in reachable(document, answer)}
    assert kinds == {
        "answer", "question", "cue", "patch", "scene", "item", "shard", "encoder", "collection", "calibration",
        "knowledge_labels", "prompt",
    }  # fmt: skip
    hrefs = [about.get("imagerag:href") for about in document["entity"].values()]
    assert [href for href in hrefs if href] == ["s3://bucket/item.json"]
    assert len([name for name in document["agent"] if "model" in name]) == 1


def test_a_record_of_an_answer_that_was_not_given() -> None:
    lineage = {"fingerprint": "f" * 64, "scenes": {}, "collection": None, "calibration": None, "mllm": None}
    bare = record(cues=[], answer=None, choice=None, path="none", lineage=lineage)
    document = prov_document(bare, {})
    check(document)
    assert "imagerag:text" not in document["entity"]["imagerag:answer/20260504T103000-1f2e3d4c"]


def test_the_same_scene_has_the_same_name_in_every_document() -> None:
    first, second = prov_document(record(), {}), prov_document(record(answer_id="20270504T103000-1f2e3d4c"), {})
    scenes = [{name for name in each["entity"] if name.startswith("imagerag:scene/")} for each in (first, second)]
    assert scenes[0] == scenes[1]
    assert len(scenes[0]) == 2
