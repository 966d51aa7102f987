"""Records of answers for tests that need one without asking anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagerag_assets.questions.answer_record import AnswerRecord


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
