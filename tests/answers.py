"""Records of answers for tests that need one without asking anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import answer_folder, save_answer
from imagerag_assets.questions.evidence import Viewer, cue_pictures, store_evidence
from imagerag_assets.retrieval.types import Cue
from tests.items import scene_at, texture, write_scene


def cue(**known: Any) -> dict[str, Any]:
    """JSON of a cue; `known` of it matters to a test."""
    plain = {
        "patch_id": "one:pyramid:0:0:0", "scene": "one", "window": [0, 0, 256, 256], "bbox": None, "level": 0,
        "phrase": "ship", "score": 0.3, "confidence": 0.9, "rank": 1,
    }  # fmt: skip
    return plain | known


def answer_record(**known: Any) -> AnswerRecord:
    """A record; `known` of it matters to a test, also only some keys of its lineage or of its cues."""
    lineage = {"fingerprint": "f" * 64, "scenes": {}} | known.pop("lineage", {})
    cues: list[Mapping[str, Any]] = known.pop("cues", [])
    plain = {"answer_id": "20260504T103000-1f2e3d4c", "question": "Where?", "cues": [cue(**each) for each in cues]}
    return AnswerRecord.model_validate(plain | {"lineage": lineage} | known)


def kept_answer(
    platform: Platform, folder: Path, *, title: str = "Harbour", size: int = 600, **known: Any
) -> AnswerRecord:
    """An answer that is kept with its evidence, about a scene that is drawn and registered for it.

    Args:
        platform: The installation.
        folder: Where the scene's file and item are written; its name is the scene's id.
        title: Of the scene.
        size: Of the scene in pixels of half a metre.
        known: Of the record, as `answer_record` takes it; the first cue is confirmed, the second rejected.
    """
    register(platform, scene_at(write_scene(folder, folder.name, texture(size, size), title=title), platform.settings))
    with Viewer(platform) as viewer:
        version = viewer.record(folder.name).scene.version
        cues: list[dict[str, Any]] = [
            {"rank": rank, "window": window, "phrase": phrase, "verdict": verdict, "confidence": sure,
             "scene": folder.name, "bbox": viewer.bbox(folder.name, window)}
            for rank, window, phrase, verdict, sure in (
                (1, (40, 60, 168, 188), "ship", "confirmed", 0.93),
                (2, (300, 320, 428, 448), "crane", "rejected", 0.41))
        ]  # fmt: skip
        lineage = {"scenes": {folder.name: version}, "acquired": {folder.name: "2024-05-06T07:08:09+00:00"}}
        plain = {
            "question": "Where are the ships?",
            "answer": "1 ship was found, in the upper left.",
            "asked_at": "2026-05-04T10:30:00.000+00:00",
            "answered_by": "both",
            "confidence": 0.91,
            "outcome": "found",
            "path": "fast",
            "scene": folder.name,
            "plan": [{"op": "where", "thing": {"name": "ship", "look_for": ""}}],
            "result": [{"kind": "where", "phrase": "ship", "outcome": "found", "cues": [1],
                        "places": [{"cue": 1, "name": "upper left", "size_m": [64.0, 64.0]}]}],
        }  # fmt: skip
        record = answer_record(**{"cues": cues, "lineage": lineage, **plain, **known})
        kept = [
            Cue(each.patch_id, each.scene, each.window, each.bbox, each.level, each.phrase, each.score,
                each.confidence, each.rank, "fast")
            for each in record.cues
        ]  # fmt: skip
        pictures, _ = cue_pictures(viewer, kept)
        store_evidence(platform, viewer, answer_folder(record.answer_id), folder.name, kept, pictures)
    save_answer(platform, record)
    return record
