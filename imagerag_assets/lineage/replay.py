"""`imagerag replay`: ask a question again from the versions its answer was made of, and report what differs.

Recorded versions are used where they still exist, even if others are in use now.  Where one is gone, the present one
is used instead, and the result says so.  The record is never written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from imagerag_assets import __version__
from imagerag_assets.concepts.store import latest_version
from imagerag_assets.errors import FingerprintError, ModelError, QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, Serving, find_serving, serving_from
from imagerag_assets.knowledge.types import read_current
from imagerag_assets.questions.answer_record import AnswerRecord, RecordedCue, RecordedModel
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.ask import record_of, work_out
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.provenance import DECIDING_SETTINGS, MODEL_SETTINGS, PAPER
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.calibration import Calibration, find_calibration, load_calibration
from imagerag_assets.scenes.records import find_record
from imagerag_assets.scenes.removed import is_asked

TOLERANCE = 1e-6
"""Confidences may differ by this much: sums in another order give other last digits."""
_SHIFT_PX = 2
"""Edges of a cue may move by this much: another processor rounds scores otherwise, and a cue lies around their peak."""
Used = Literal["recorded", "present"]


@dataclass(frozen=True)
class Difference:
    """Something that differs from the record."""

    what: str
    """``scene``, ``encoder``, ``collection``, ``calibration``, ``knowledge``, ``concept``, ``model``, ``setting``,
    ``software``;
    of the outcome ``cue-added``, ``cue-removed``, ``cue-moved``, ``confidence``, ``path``, ``answer``, ``choice``."""
    recorded: Any
    now: Any
    detail: str
    """One line."""
    used: Used | None = None
    """Which of the two the replay used; None of an outcome."""


@dataclass(frozen=True)
class Replay:
    """A replay and what differs from the record."""

    answer_id: str
    record: dict[str, Any]
    """The record that the answer would have, without an id, as it is not stored."""
    same_cues: bool
    """The same patches at the same places, for the same phrases, in the same order."""
    same_answer: bool
    """The same text and the same choice."""
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the result of ``imagerag replay``; ``versions``: whether all, or only some, were those recorded."""
        present = any(each.used == "present" for each in self.differences)
        return {
            "answer_id": self.answer_id,
            "versions": "present where recorded ones are gone" if present else "recorded",
            "same_cues": self.same_cues,
            "same_answer": self.same_answer,
            "differences": [asdict(each) for each in self.differences],
            "replay": self.record,
        }


def replay(platform: Platform, answer_id: str) -> Replay:
    """Ask the question of an answer again.

    Raises:
        UnknownAnswerError: There is no such answer.
        InputError: The question can no longer be asked, e.g. none of its scenes is left.
        FingerprintError, EncoderError, ModelError, StoreError: As `ask`.
    """
    recorded = load_answer(platform, answer_id)
    versions = _Versions(platform, recorded)
    question = versions.question()
    serving = versions.searched(question)
    calibration = versions.calibration(serving)
    versions.compare_knowledge(serving)
    concepts = versions.concepts()
    with Viewer(serving.platform) as viewer:
        answered = work_out(serving, question, viewer, calibration=calibration, concepts=concepts)
        if answered.error is not None:
            raise answered.error
        made = record_of(answered, viewer, answer_id)
    versions.compare_software(made)
    outcome = [*compare_cues(recorded.cues, made.cues), *_compare_answers(recorded, made)]
    kinds = {each.what for each in outcome}
    return Replay(
        answer_id=answer_id,
        record={name: value for name, value in made.to_dict().items() if name != "answer_id"},
        same_cues=not kinds & {"cue-added", "cue-removed", "cue-moved"},
        same_answer=not kinds & {"answer", "choice"},
        differences=(*versions.differences, *outcome),
    )


class _Versions:
    """Finds the versions that an answer was made of; `differences` grows with each part looked at."""

    def __init__(self, platform: Platform, record: AnswerRecord) -> None:
        self._platform, self._record, self._lineage = platform, record, record.lineage
        self.differences: list[Difference] = []

    def question(self) -> Question:
        """Return the question as it was asked, without scenes that are gone while others are left."""
        gone = set()
        for key, version in self._lineage.scenes.items():
            now = find_record(self._platform, key)
            if now is None or is_asked(self._platform, key):
                gone.add(key)
                why = "is no longer stored" if now is None else "was removed"
                self._differs("scene", _short(version), None, f"{key} {why}", "present")
            elif now.scene.version != version:
                self._differs("scene", _short(version), _short(now.scene.version), f"{key} changed", "present")
        question = self._record.asked()
        left = tuple(key for key in question.scenes if key not in gone)
        return question.but(scenes=left) if left else question

    def searched(self, question: Question) -> Serving:
        """Return the recorded collection with its encoder, models and settings; where it is gone, the one in use."""
        platform, lineage = self._platform.using(**self._settings(question)), self._lineage
        collection, fingerprint, vectors = lineage.collection or "", lineage.fingerprint, self._platform.vectors
        found: Serving | None = None
        why = "The collection is no longer there"
        if vectors.exists(collection) and vectors.meta(collection).fingerprint == fingerprint:
            try:
                found = serving_from(platform, collection)
            except FingerprintError as error:
                why = error.message
        present = vectors.alias_target(ALIAS)
        used: Used = "present" if found is None else "recorded"
        if present != collection or found is None:
            detail = why if found is None else "Questions are now answered from another collection"
            self._differs("collection", collection, present, detail, used)
        now = None if present is None else vectors.meta(present).fingerprint
        if now != fingerprint:
            detail = f"{lineage.encoder} no longer answers questions"
            self._differs("encoder", _short(fingerprint), now and _short(now), detail, used)
        found = found or find_serving(platform)
        if found is None:
            raise QuestionError("No scene is indexed now", fix="Run: imagerag ingest SOURCE")
        return found

    def calibration(self, serving: Serving) -> Calibration | None:
        """Return the recorded thresholds; None: use the present ones, or none are needed."""
        recorded, fingerprint, division = (
            self._lineage.calibration or "",
            serving.target.fingerprint,
            serving.target.recipe.division_key,
        )
        if recorded == PAPER:
            return None
        scale = serving.platform.encoder.logit_scale
        now = load_calibration(self._platform.store, fingerprint, division, logit_scale=scale).version
        if fingerprint != self._lineage.fingerprint:
            self._differs("calibration", recorded, now, "Thresholds belong to their encoder", "present")
            return None
        found = find_calibration(self._platform.store, fingerprint, division, recorded)
        if found is None:
            self._differs("calibration", recorded, now, "The recorded thresholds are no longer kept", "present")
        elif now != recorded:
            self._differs("calibration", recorded, now, "Other thresholds are in use now", "recorded")
        return found

    def compare_knowledge(self, serving: Serving) -> None:
        """Compare the knowledge bases, of which only the present version can be searched."""
        for kind, version in self._lineage.knowledge.items():
            current = read_current(self._platform.store, kind, serving.target.fingerprint)
            now = current.version if current is not None else None
            if now != version:
                self._differs("knowledge", _short(version), now and _short(now), f"{kind} changed", "present")

    def concepts(self) -> dict[str, int]:
        """Return the recorded versions of concepts by name: they stay, also of a concept that was removed."""
        recorded = {name: int(used["version"]) for name, used in self._lineage.concepts.items()}
        for name, version in recorded.items():
            now = latest_version(self._platform, name)
            if now != version:
                self._differs("concept", version, now, f"my:{name} has other examples now", "recorded")
        return recorded

    def compare_software(self, made: AnswerRecord) -> None:
        """Compare the multimodal LLM, and this program, the only version that can be run."""
        for name, used in made.lineage.concepts.items():
            before = self._lineage.concepts.get(name, {}).get("sample")
            if before != used["sample"]:
                detail = f"Other patches say what is usual where my:{name} is looked for"
                self._differs("concept", before, used["sample"], detail, "present")
        self.differences.extend(compare_models(self._lineage.mllm, made.lineage.mllm))
        if self._lineage.version != __version__:
            detail = "The version of imagerag-assets differs"
            self._differs("software", self._lineage.version, __version__, detail, "present")

    def _settings(self, question: Question) -> dict[str, Any]:
        """Return the recorded settings, without those of a multimodal LLM that can no longer be loaded."""
        wanted = {name: value for name, value in self._lineage.settings.items() if name in DECIDING_SETTINGS}
        if question.answer and "mllm" in wanted:
            try:
                _ = self._platform.using(**wanted).mllm
            except ModelError as error:
                now = self._platform.settings.mllm
                self._differs("setting", wanted.get("mllm"), now, error.message, "present")
                wanted = {name: value for name, value in wanted.items() if name not in MODEL_SETTINGS}
        for name, value in wanted.items():
            now = getattr(self._platform.settings, name)
            if now != value:
                self._differs("setting", value, now, f"IMAGERAG_{name.upper()} has changed", "recorded")
        return wanted

    def _differs(self, what: str, recorded: Any, now: Any, detail: str, used: Used) -> None:
        self.differences.append(Difference(what, recorded, now, detail, used))


def compare_cues(recorded: Sequence[RecordedCue], made: Sequence[RecordedCue]) -> list[Difference]:
    """Return what became of each cue: removed, added, moved (place or rank), or another confidence."""
    before = {(cue.patch_id, cue.phrase): cue for cue in recorded}
    after = {(cue.patch_id, cue.phrase): cue for cue in made}
    differences: list[Difference] = []
    for key in dict.fromkeys([*before, *after]):
        old, new, name = before.get(key), after.get(key), f"{key[1]} in {key[0]}"
        if new is None or old is None:
            what = "cue-removed" if new is None else "cue-added"
            rank, now = old and old.rank, new and new.rank
            differences.append(Difference(what, rank, now, name))
            continue
        places = [(cue.rank, list(cue.window)) for cue in (old, new)]
        shift = max(abs(a - b) for a, b in zip(old.window, new.window, strict=True))
        if old.rank != new.rank or shift > _SHIFT_PX:
            differences.append(Difference("cue-moved", list(places[0]), list(places[1]), name))
        if abs(old.confidence - new.confidence) > TOLERANCE:
            differences.append(Difference("confidence", old.confidence, new.confidence, name))
    return differences


def compare_models(recorded: RecordedModel | None, made: RecordedModel | None) -> list[Difference]:
    """Return what differs between the multimodal LLM of an answer and that of its replay: at most one difference.

    Args:
        recorded: Its `name` and `revision`; None for a question that failed.
        made: The same of the replay; None if it asked no model.
    """
    before, now = _model(recorded), _model(made)
    if before is None or before == now:
        return []
    return [Difference("model", before, now, "Another multimodal LLM answers now", "present")]


def _compare_answers(recorded: AnswerRecord, made: AnswerRecord) -> Iterator[Difference]:
    for what in ("path", "choice", "answer"):
        old, new = getattr(recorded, what), getattr(made, what)
        if old != new:
            yield Difference(what, old, new, f"The {what} differs")
    before, now = recorded.lineage.prompt_sha256, made.lineage.prompt_sha256
    if before != now:
        yield Difference("prompt", before, now, "The model was given another prompt")


def _model(mllm: RecordedModel | None) -> str | None:
    """Return name and revision. Some model servers add the default revision, `@main`, and some leave it out."""
    return f"{mllm.name} {mllm.revision}".removesuffix("@main") if mllm else None


def _short(version: str) -> str:
    return version[:16]
