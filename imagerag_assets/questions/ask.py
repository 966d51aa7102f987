"""Asking: phrases, scope, cues, the multimodal LLM, and the record of it all.

The use case only; phrases and cues are found in `retrieval/`, prompts and models are in `answering/`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from imagerag_assets.errors import ModelError, QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving
from imagerag_assets.questions.answer_records import (
    answer_folder,
    list_answers,
    load_answer,
    new_answer_id,
    prompt_key,
    save_answer,
)
from imagerag_assets.questions.change import compare, is_comparison
from imagerag_assets.questions.compared import Compared
from imagerag_assets.questions.cues import find_cues
from imagerag_assets.questions.evidence import Viewer, cue_pictures, store_evidence
from imagerag_assets.questions.examples import Example, load_example
from imagerag_assets.questions.follow_up import about_the_same, former_of, in_scope_of
from imagerag_assets.questions.provenance import lineage_of
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.reply import make_prompt, unfound
from imagerag_assets.retrieval.calibration import Calibration, load_calibration
from imagerag_assets.retrieval.phrases import Analysis, analyse_question
from imagerag_assets.retrieval.types import Cue

__all__ = ["Answer", "Question", "ask", "list_answers", "load_answer"]


@dataclass(frozen=True)
class Answer:
    """An answer; `record` is the contract's JSON, with notes, choices and times added."""

    record: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The record, as `imagerag ask --json` prints it."""
        return self.record

    @property
    def answer_id(self) -> str:
        return str(self.record["answer_id"])


@dataclass(frozen=True)
class Draft:
    """An answer that is not stored, and what its evidence is made of."""

    record: dict[str, Any]
    cues: tuple[Cue, ...]
    pictures: dict[int, Image.Image]
    """The cues' pictures by rank."""
    prompt: str | None
    """What the model was given; None: it was not asked, or gave no answer."""
    error: ModelError | None = None
    """Why the multimodal LLM gave no answer; the record, which has no answer then, says so as well."""


def ask(
    platform: Platform,
    question: Question,
    *,
    viewer: Viewer | None = None,
    keep_failed: bool = True,
    answer_id: str | None = None,
) -> Answer:
    """Answer one question and store its record and evidence.

    Args:
        platform: The installation.
        question: What is asked.
        viewer: Opens the scenes.
        keep_failed: Keep a question that the multimodal LLM failed at, with its cues, so that `retry` finds it.
        answer_id: Of the failed question whose record this answer takes; default: a new one.

    Raises:
        InputError: the question, a scene, the answer it comes after or the area cannot be used, or nothing is in scope.
        FingerprintError: no encoder of the registry has the fingerprint of the collection in use.
        ModelError: the multimodal LLM failed; its id `answer` is the kept question's.
        StoreError: a store failed.
    """
    if viewer is None:
        with Viewer(platform) as own:
            return ask(platform, question, viewer=own, keep_failed=keep_failed, answer_id=answer_id)
    for key in question.scenes:
        viewer.record(key)  # an unknown scene is said before anything is loaded
    made = draft(_serving(platform), question, viewer)
    if made.error is not None and not keep_failed:
        raise made.error
    record = made.record | ({"answer_id": answer_id} if answer_id is not None else {})
    folder = answer_folder(record["answer_id"])
    store_evidence(platform, viewer, folder, record["scene"], made.cues, made.pictures)
    if made.prompt is not None:
        platform.store.write_bytes(prompt_key(record["answer_id"]), made.prompt.encode())
    save_answer(platform, record)
    if made.error is not None:
        ids: dict[str, Any] = made.error.ids | {"answer": record["answer_id"]}
        fix = f"{made.error.fix}; the question is kept: imagerag retry {record['answer_id']}"
        raise ModelError(made.error.message, fix=fix, **ids) from made.error
    return Answer(record)


def draft(
    serving: Serving,
    question: Question,
    viewer: Viewer,
    *,
    calibration: Calibration | None = None,
) -> Draft:
    """Answer one question from one collection, whatever is switched meanwhile, and store nothing.

    That the multimodal LLM failed is not raised, but in the draft.

    Args:
        serving: The collection, and the installation with its encoder.
        question: What is asked.
        viewer: Opens the scenes.
        calibration: Thresholds; default: those in use for the encoder and the collection's division.

    Raises:
        As :func:`ask`.
    """
    started, asked_at = time.perf_counter(), datetime.now(UTC)
    platform, collection = serving.platform, serving.collection
    former = former_of(platform, question)
    question = in_scope_of(question, former)
    _require_rows(platform, question, collection)

    before = time.perf_counter()
    _ = platform.encoder  # loads at the first question of a process; not part of what a question costs
    load_ms, before = _since(before), time.perf_counter()
    example = load_example(platform, question.like, collection) if question.like else None
    analysis = _analysis(platform, question, example)
    analysis = about_the_same(analysis, former, platform.settings.max_phrases)
    phrases_ms = _since(before)
    target = serving.target
    used = calibration or load_calibration(platform.store, target.fingerprint, target.division.key)
    compared: Compared | None = None
    main: str | None
    if is_comparison(question, analysis):
        compared = compare(serving, question, analysis, viewer, used)
        found, main = compared.found, compared.scenes[1]
        pictures, notes = compared.pictures(viewer)
    else:
        found = find_cues(serving, question, analysis, viewer, used, example)
        main = _main_scene(platform, question, found.cues, collection)
        pictures, notes = cue_pictures(viewer, found.cues)

    before = time.perf_counter()
    told = compared.analysis if compared else analysis
    reply, failure = None, None
    said = unfound(platform.settings, question, told, found) if question.answer else None
    if question.answer and said is None:
        try:
            prompt, left_out = make_prompt(platform, question, told, found.cues, main, viewer, pictures, compared)
            reply = platform.mllm.answer(prompt)
            notes = (*notes, *left_out, *reply.notes)
        except ModelError as error:
            failure = error
    answer_ms = _since(before)

    asked = question.but(scenes=compared.scenes) if compared else question
    record: dict[str, Any] = {
        "id": question.id,
        "answer_id": new_answer_id(),
        "question": analysis.question,
        "answer": reply.text if reply else said,
        "choice": reply.choice if reply else None,
        "path": found.path,
        "abstained": found.abstained,
        "phrases": list(analysis.phrases),
        "cues": [cue.to_dict() for cue in found.cues],
        "timings_ms": {
            "phrases": phrases_ms,
            "encode": 0.0,
            "search": 0.0,
            "verify": 0.0,
            **found.timings_ms,
            "answer": answer_ms,
            "load": load_ms,
            "total": _since(started),
        },
        "lineage": lineage_of(serving, asked, analysis.phrases, found, main, viewer, used),
        "choices": dict(question.choices),
        "scores": dict(reply.scores) if reply else {},
        "confidence": reply.confidence if reply else None,
        "reasoning": reply.reasoning if reply else None,
        "tokens": dict(reply.tokens) if reply else {},
        "mode": question.mode,
        "options": question.options(),
        "scene": main,
        "notes": [*found.notes, *notes],
        "asked_at": asked_at.isoformat(timespec="milliseconds"),
    }
    if former:
        record["after"] = record["lineage"]["after"] = question.after
    if compared:
        record["change"] = compared.to_dict()
    if example:
        record["lineage"]["example_sha256"] = example.digest
    if reply:
        record["lineage"]["prompt_sha256"] = reply.prompt_sha256
        record["lineage"]["mllm"] = {"name": platform.mllm.name, "revision": platform.mllm.revision}
    if failure:
        record["error"] = failure.to_dict()
    return Draft(record, found.cues, pictures, reply.prompt if reply else None, failure)


def _serving(platform: Platform) -> Serving:
    """What this question is answered from: one collection and its own encoder, also if they are switched meanwhile.

    Raises:
        QuestionError: nothing was ingested yet.
        FingerprintError: no encoder of the registry has the collection's fingerprint.
    """
    serving = find_serving(platform)
    if serving is None:
        raise QuestionError("No scene was ingested yet", fix="Run: imagerag ingest SOURCE")
    return serving


def _require_rows(platform: Platform, question: Question, collection: str) -> None:
    """Raise QuestionError when no patch is in scope: an answer about nothing would be wrong in silence."""
    if not question.scope:
        return
    if platform.vectors.count(collection, question.scope) == 0:
        limits = [
            f"{name} {value}"
            for name, value in (
                ("scene", ", ".join(question.scenes)),
                ("area", question.bbox),
                ("time", question.datetime),
                ("cloud cover of at most", None if question.cloud_at_most is None else f"{question.cloud_at_most:g} %"),
            )
            if value
        ]
        raise QuestionError(
            f"Nothing that was ingested lies within {' and '.join(limits)}",
            fix="Widen it; `imagerag status` lists what is there",
        )


def _analysis(platform: Platform, question: Question, example: Example | None) -> Analysis:
    """What is looked for: what the question names, or what looks like the example."""
    if example is not None and not question.question.strip():
        return Analysis("", (example.label,), "other", wants_all=False)
    # The paper looks at the question only.
    choices = {} if question.retrieval == "paper" else question.choices
    analysis = analyse_question(
        question.question, choices, max_phrases=platform.settings.max_phrases, sentences=platform.sentences
    )
    return analysis if example is None else replace(analysis, phrases=(example.label,))


def _main_scene(platform: Platform, question: Question, cues: tuple[Cue, ...], collection: str) -> str | None:
    """The scene whose overview is shown: the best cue's, or the only one in scope, or the first one there."""
    if cues:
        return cues[0].scene
    if question.scenes:
        return question.scenes[0]
    rows = platform.vectors.query(collection, question.scope, ["scene_key"], limit=1)
    return str(rows[0]["scene_key"]) if rows else None


def _since(start: float) -> float:
    return round(1000 * (time.perf_counter() - start), 2)
