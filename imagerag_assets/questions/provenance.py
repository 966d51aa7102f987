"""Make the lineage that an answer's record keeps: what it was made from.  `lineage/` reads it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import imagerag_assets
from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.ingest import shard_key
from imagerag_assets.installation.platform import Platform
from imagerag_assets.knowledge.search import open_knowledge
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.find import Found
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.types import Retrieval
from imagerag_assets.scenes.records import SceneRecord

PAPER = "paper"
"""In place of a calibration's version: the paper's thresholds are part of the program."""
_SCENES_IN_LINEAGE = 200
MODEL_SETTINGS = ("mllm", "mllm_revision", "mllm_adapter", "mllm_name", "mllm_family", "mllm_choices", "mllm_dtype")
"""Settings that choose the multimodal LLM and how it is asked."""
DECIDING_SETTINGS = (
    "top_k",
    "min_confidence",
    "max_phrases",
    "second_look",
    "planner",
    *MODEL_SETTINGS,
    "mllm_context",
    "mllm_max_new_tokens",
    "chain_of_thought",
    "reasoning_max_tokens",
    "ask_without_cues",
    "confirm_cues",
    "looks",
    "count_budget",
)
"""Settings that can change the answer to a question, but for those that encoder and scenes carry."""


def lineage_of(found: Found, viewer: Viewer) -> dict[str, Any]:
    """Return what an answer is made from, as JSON: the versions of everything that has a part in it."""
    resolved, question = found.resolved, found.question
    main = [found.scene] if found.scene else []
    keys = dict.fromkeys([*question.scenes, *(cue.scene for cue in found.cues), *main])
    scenes = {key: viewer.record(key) for key in list(keys)[:_SCENES_IN_LINEAGE]}
    serving, platform, target = resolved.serving, resolved.platform, resolved.serving.target
    division = question.division or target.recipe.division_name
    used = _used_knowledge(question, resolved.analysis.phrases, found.retrieval)
    return {
        "fingerprint": target.fingerprint,
        "encoder": target.encoder,
        "collection": serving.collection,
        "scenes": {key: record.scene.version for key, record in scenes.items()},
        "acquired": {key: _acquired(record) for key, record in scenes.items()},
        "shards": {key: shard_key(platform, record, division=division).path for key, record in scenes.items()},
        "calibration": resolved.calibration.version if question.retrieval == "default" else PAPER,
        "calibration_kind": resolved.calibration.kind if question.retrieval == "default" else None,
        "retrieval": question.retrieval,
        "division": question.division,
        "knowledge": _knowledge(platform) if used else {},
        "settings": {name: getattr(platform.settings, name) for name in DECIDING_SETTINGS},
        "prompt_sha256": None,
        "mllm": None,
        "version": imagerag_assets.__version__,
    }


def _used_knowledge(question: Question, phrases: Sequence[str], found: Retrieval) -> bool:
    """Return whether the knowledge bases played a part in the result, also where nothing was found."""
    if question.mode != "imagerag" or question.path not in ("auto", "slow"):
        return False
    return bool(found.words) or not set(phrases) <= {cue.phrase for cue in found.cues if cue.path == "fast"}


def _knowledge(platform: Platform) -> dict[str, str]:
    versions: dict[str, str] = {}
    for kind in KNOWLEDGE_KINDS.values():
        try:
            current = open_knowledge(platform, kind)
        except StoreError:
            continue
        if current is not None:
            versions[kind] = str(current.version)
    return versions


def _acquired(record: SceneRecord) -> str | None:
    """Return when a scene was acquired: a time, START/END of an interval, or None."""
    ends = record.scene.acquired_at, record.scene.acquired_until
    return "/".join(moment.isoformat() for moment in ends if moment) or None
