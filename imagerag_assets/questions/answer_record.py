"""The record of an answer as a model: what other code reads of it goes through these attributes.

A record is JSON, printed by `imagerag ask --json` and kept for years.  So it is written back exactly as it was read:
keys that this version does not know are kept, and those that an earlier version did not write are not added.  Where
records are kept is in `answer_records`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_serializer,
    model_validator,
)

from imagerag_assets.knowledge.types import KnowledgeKind
from imagerag_assets.questions.objects import Verdict
from imagerag_assets.questions.question import Question

RECORD_VERSION = 3
"""Version of the records that are written now.  Those of version 1, of imagerag-assets 0.1, do not say theirs; from
version 3 on a record has the plan, its results and the verdict of each cue."""


class _Kept(BaseModel):
    """A part of a record: its known keys as attributes; all of it is written back as it was read.

    A key that is null counts as one that is missing.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    _read: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return handler(given)
        made = handler({name: value for name, value in given.items() if value is not None})
        made._read = dict(given)
        return made

    @model_serializer
    def _as_read(self) -> dict[str, Any]:
        return copy.deepcopy(self._read)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON, as it was read or made."""
        return self.model_dump()


class RecordedCue(_Kept):
    """A cue of an answer."""

    patch_id: str
    scene: str
    window: tuple[int, int, int, int]
    """x0, y0, x1, y1 in native pixels."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees; None: the scene has no place on the ground."""
    level: int
    phrase: str
    score: float
    confidence: float
    rank: int
    verdict: Verdict = "unchecked"


class RecordedModel(_Kept):
    """The multimodal LLM that answered."""

    name: str
    revision: str


class Lineage(_Kept):
    """What an answer was made from."""

    fingerprint: str
    encoder: str | None = None
    collection: str | None = None
    scenes: dict[str, str]
    """Versions of the scenes by key."""
    acquired: dict[str, str | None] = {}
    shards: dict[str, str] = {}
    """Object keys of the scenes' shards."""
    calibration: str | None = None
    calibration_kind: str | None = None
    """``labelled``, ``imagery`` or ``default``: what it was fitted on; None: an older record, or the paper's."""
    division: str | None = None
    knowledge: dict[KnowledgeKind, str] = {}
    """Versions of the knowledge bases that had a part in it."""
    settings: dict[str, Any] = {}
    prompt_sha256: str | None = None
    mllm: RecordedModel | None = None
    version: str | None = None
    """Of imagerag-assets."""
    after: str | None = None
    example_sha256: str | None = None
    concepts: dict[str, dict[str, Any]] = {}
    """Versions of the concepts that it names, and what else decided their part, by name."""


class RecordedError(_Kept):
    """Why the multimodal LLM gave no answer."""

    type: str
    message: str
    fix: str = ""


class ComparedScene(_Kept):
    """One of the two scenes of a question about what changed."""

    scene: str
    acquired: str | None = None


class Change(_Kept):
    """What a question about two scenes was answered from."""

    before: ComparedScene
    after: ComparedScene


class AnswerRecord(_Kept):
    """An answer, or a question that the multimodal LLM failed at, with everything that led to it."""

    record_version: int = 1
    id: str | int | float | None = None
    """The caller's own."""
    answer_id: str
    question: str
    answer: str | None = None
    choice: str | None = None
    path: str = "none"
    abstained: bool = False
    phrases: tuple[str, ...] = ()
    cues: tuple[RecordedCue, ...]
    """By rank."""
    timings_ms: dict[str, float] = {}
    lineage: Lineage
    choices: dict[str, str] = {}
    confidence: float | None = None
    mode: str = "imagerag"
    options: dict[str, Any] = {}
    """The question's other fields; :meth:`asked` reads them."""
    scene: str | None = None
    """The scene whose overview was shown."""
    notes: tuple[str, ...] = ()
    asked_at: str | None = None
    """ISO 8601, UTC."""
    after: str | None = None
    change: Change | None = None
    error: RecordedError | None = None
    """In place of an answer."""
    plan: tuple[dict[str, Any], ...] = ()
    """What the question was understood to ask: the parts of a plan (`plans.plan`)."""
    result: tuple[dict[str, Any], ...] = ()
    """What was computed for each part (`plans.result`)."""
    outcome: str | None = None
    answered_by: Literal["evidence", "model", "both"] | None = None

    HEAD: ClassVar = ("answer_id", "asked_at", "question", "answer", "choice", "path", "error")
    """Keys of a list of answers."""

    def asked(self) -> Question:
        """Return the question as it was asked.

        Raises:
            QuestionError: It cannot be asked any more.
        """
        return Question.from_record(self._read)

    def head(self) -> dict[str, Any]:
        """Return the keys that a list of answers shows."""
        return {name: self._read.get(name) for name in self.HEAD}


def what_is_wrong(error: ValidationError) -> str:
    """Return the first thing that a record lacks or has wrong, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'record'}: {first['msg'][:1].lower()}{first['msg'][1:]}"
