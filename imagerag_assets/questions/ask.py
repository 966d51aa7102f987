"""The use case of a question, in four steps: resolve, find, answer, record.

Each step hands one value to the next: `Resolved` (what is looked for, and where), `Found` (the cues), `Answered` (the
reply), and the record of it all, which is made and stored here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagerag_assets.errors import ModelError, QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving
from imagerag_assets.plans.result import to_json
from imagerag_assets.questions.answer_record import RECORD_VERSION, AnswerRecord
from imagerag_assets.questions.answer_records import (
    answer_folder,
    list_answers,
    load_answer,
    new_answer_id,
    prompt_key,
    save_answer,
)
from imagerag_assets.questions.evidence import Viewer, remove_other_evidence, store_evidence
from imagerag_assets.questions.find import Found, find
from imagerag_assets.questions.provenance import lineage_of
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.reply import Answered, answer
from imagerag_assets.questions.resolve import Resolved, resolve, since
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.scenes.records import list_records
from imagerag_assets.scenes.removed import refuse_removed

Tell = Callable[[Resolved | Found], None]
"""Hears of each step of a question as it ends: what it was understood to ask, and its cues."""

__all__ = ["AnswerRecord", "Question", "ask", "list_answers", "load_answer"]


def ask(
    platform: Platform,
    question: Question,
    *,
    viewer: Viewer | None = None,
    keep_failed: bool = True,
    answer_id: str | None = None,
    tell: Tell | None = None,
) -> AnswerRecord:
    """Answer one question and store its record and evidence.

    Args:
        platform: The installation.
        question: What is asked.
        viewer: Opens the scenes.
        keep_failed: Keep a question that the multimodal LLM failed at, with its cues, so that `retry` finds it.
        answer_id: Of the failed question whose record this answer takes; default: a new one.
        tell: Hears of each step as it ends.

    Returns:
        The record; its `to_dict` is what `imagerag ask --json` prints.

    Raises:
        InputError: The question, a scene, the answer it comes after or the area cannot be used, or nothing is in scope.
        FingerprintError: No encoder of the registry has the fingerprint of the collection in use.
        ModelError: The multimodal LLM failed; its id `answer` is the kept question's.
        StoreError: A store failed.
    """
    question.check_length(platform.settings)
    if viewer is None:
        with Viewer(platform) as own:
            return ask(platform, question, viewer=own, keep_failed=keep_failed, answer_id=answer_id, tell=tell)
    for key in question.scenes:
        refuse_removed(platform, key)
        viewer.record(key)  # an unknown scene is said before anything is loaded
    answered = work_out(_serving(platform), question, viewer, tell=tell)
    if answered.error is not None and not keep_failed:
        raise answered.error
    record = record_of(answered, viewer, answer_id or new_answer_id())
    _store(platform, viewer, answered, record)
    if answered.error is not None:
        ids: dict[str, Any] = answered.error.ids | {"answer": record.answer_id}
        fix = f"{answered.error.fix}; the question is kept: imagerag retry {record.answer_id}"
        raise ModelError(answered.error.message, fix=fix, **ids) from answered.error
    return record


def work_out(
    serving: Serving,
    question: Question,
    viewer: Viewer,
    *,
    calibration: Calibration | None = None,
    concepts: Mapping[str, int] | None = None,
    tell: Tell | None = None,
) -> Answered:
    """Answer one question from one collection, whatever is switched meanwhile, and store nothing.

    If the multimodal LLM fails, the result says so; nothing is raised.

    Args:
        serving: The collection, and the installation with its encoder.
        question: What is asked.
        viewer: Opens the scenes.
        calibration: Thresholds; default: those in use for the encoder and the collection's division.
        concepts: Versions of concepts by name; default: those in use.
        tell: Hears of each step as it ends.

    Raises:
        As :func:`ask`.
    """
    resolved = resolve(serving, question, calibration, concepts)
    if tell is not None:
        tell(resolved)
    found = find(resolved, viewer)
    if tell is not None:
        tell(found)
    return answer(found, viewer)


def record_of(answered: Answered, viewer: Viewer, answer_id: str) -> AnswerRecord:
    """Return the record of an answer, or of a question that the multimodal LLM failed at."""
    found, reply = answered.found, answered.reply
    resolved, retrieval = found.resolved, found.retrieval
    question, platform = resolved.question, resolved.platform
    record: dict[str, Any] = {
        "id": question.id,
        "answer_id": answer_id,
        "question": resolved.analysis.question,
        "answer": answered.text,
        "choice": answered.choice,
        "path": retrieval.path,
        "abstained": retrieval.abstained,
        "phrases": list(resolved.analysis.phrases),
        "cues": [cue.to_dict() | {"verdict": answered.verdict(cue.rank)} for cue in found.cues],
        "timings_ms": {
            "phrases": 0.0,
            "encode": 0.0,
            "search": 0.0,
            "verify": 0.0,
            **retrieval.timings_ms,
            "answer": answered.answer_ms,
            **resolved.timings_ms,
            "total": since(resolved.started),
        },
        "lineage": lineage_of(found, viewer),
        "choices": dict(question.choices),
        "scores": dict(answered.scores),
        "confidence": answered.confidence,
        "reasoning": reply.reasoning if reply else None,
        "tokens": dict(reply.tokens) if reply else {},
        "mode": question.mode,
        "options": question.options(),
        "scene": found.scene,
        "notes": [*retrieval.notes, *answered.notes],
        "asked_at": resolved.asked_at.isoformat(timespec="milliseconds"),
        "record_version": RECORD_VERSION,
        "plan": resolved.plan.steps(),
        "result": to_json(answered.results),
        "outcome": answered.outcome,
        "answered_by": answered.by,
    }
    if resolved.former:
        record["after"] = record["lineage"]["after"] = question.after
    if found.compared:
        record["change"] = found.compared.to_dict()
    if resolved.example:
        record["lineage"]["example_sha256"] = resolved.example.digest
    if resolved.concepts:
        used = {each.concept.name: each.to_lineage() for each in resolved.concepts.values()}
        record["lineage"]["concepts"] = used
    if reply:
        record["lineage"]["prompt_sha256"] = reply.prompt_sha256
        record["lineage"]["mllm"] = {"name": platform.mllm.name, "revision": platform.mllm.revision}
    if answered.error:
        record["error"] = answered.error.to_dict()
    return AnswerRecord.model_validate(record)


def _store(platform: Platform, viewer: Viewer, answered: Answered, record: AnswerRecord) -> None:
    """Store the evidence, then the record, and only then remove the evidence of an earlier try."""
    folder = answer_folder(record.answer_id)
    written = store_evidence(platform, viewer, folder, record.scene, answered.found.cues, answered.found.pictures)
    if answered.reply is not None:
        written.add(prompt_key(record.answer_id))
        platform.store.write_bytes(prompt_key(record.answer_id), answered.reply.prompt.encode())
    save_answer(platform, record)
    remove_other_evidence(platform, folder, written)


def _serving(platform: Platform) -> Serving:
    """Return what this question is answered from: one collection and its own encoder, also if they are switched.

    Raises:
        QuestionError: Nothing was ingested yet.
        FingerprintError: No encoder of the registry has the collection's fingerprint.
    """
    serving = find_serving(platform)
    if serving is None and list_records(platform):
        raise QuestionError("Milvus holds no scene, and the store does", fix="Run: imagerag index rebuild")
    if serving is None:
        raise QuestionError("No scene was ingested yet", fix="Run: imagerag ingest SOURCE")
    return serving
