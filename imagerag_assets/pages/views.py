"""What pages say of an answer: a record in the words and numbers that people read.

Made from the record alone; what is known of scenes and pictures is given.  Templates only arrange it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagerag_assets.pages.plan_words import plan_words, result_words
from imagerag_assets.plans.whereabouts import coordinates, metres
from imagerag_assets.questions.answer_record import AnswerRecord, RecordedCue
from imagerag_assets.raster.geo import middle_of_box
from imagerag_assets.scenes.ground import box_size_m

_LONG = 160
"""Characters from which an answer is set as text rather than as a headline."""
_BY = {
    "evidence": "Computed from the evidence",
    "model": "Said by the model, from what it saw",
    "both": "Computed from the evidence, with what the model saw",
}
_REMARKS = ("Choice by the evidence", "A further look for")
"""How notes begin that say how an answer came about (`questions/reply.py`, `questions/looks.py`)."""
_OUTCOMES = {
    "not_found": "Nothing of what was asked about was found. That does not mean that it is not there.",
    "unrecognised": "The encoder in use cannot tell what was asked about from other things.",
    "rejected": "Something was found, and rejected on a closer look.",
}
_PATHS = {
    "fast": "by words",
    "slow-labels": "by labels of the knowledge base",
    "slow-captions": "by captions of the knowledge base",
    "change": "by comparing two dates",
}


@dataclass(frozen=True)
class CueView:
    """A cue as a card shows it."""

    rank: int
    phrase: str
    verdict: str
    """``confirmed``, ``rejected`` or ``unchecked``."""
    confidence: float | None
    scene: str
    """Title of the scene, or its key."""
    day: str
    """Of the scene; empty: not known."""
    part: str
    """Part of the scene: "upper left"; empty: not known."""
    degrees: str
    """Of its middle: "48.12345 N, 11.12345 E"; empty: no place on the ground."""
    metres: str
    """Of its middle in a projected CRS: "448251 E, 5411932 N (EPSG:32631)"; empty: not known."""
    size: str
    """On the ground: "64 m × 64 m", else in pixels."""
    window: tuple[int, int, int, int]
    """x0, y0, x1, y1 in native pixels of the scene."""
    picture: str | None = None
    """Address of its picture, also a `data:` address; None: there is none."""


@dataclass(frozen=True)
class StepView:
    """A part of the plan, and what came of it."""

    asked: str
    result: str
    cues: tuple[int, ...] = ()
    """Ranks of the cues that the result stands on."""


@dataclass(frozen=True)
class AnswerView:
    """An answer as a page shows it."""

    answer_id: str
    question: str
    said: str
    """The sentence that a person reads; of a failed question, that it failed."""
    failed: str
    """Why there is no answer, and what to do; empty: there is one."""
    choice: str | None
    choices: Mapping[str, str]
    confidence: float | None
    by: str
    """How the answer came about, in words; empty: not known."""
    notes: tuple[str, ...]
    """What changes how the answer is read, the most important first."""
    remarks: tuple[str, ...]
    """How it came about, where that does not change how it is read."""
    plan: tuple[StepView, ...]
    cues: tuple[CueView, ...]
    asked_at: str
    path: str
    """How the cues were found, in words; empty: there are none."""
    outdated: tuple[str, ...] = ()
    """Why time has passed the answer by."""

    @property
    def is_long(self) -> bool:
        """Whether the answer is text rather than a headline."""
        return len(self.said) > _LONG


@dataclass(frozen=True)
class SceneFacts:
    """What cards say of a scene; all of it may be missing."""

    title: str = ""
    day: str = ""
    metres: Mapping[int, str] = field(default_factory=dict)
    """Of the middle of each cue in this scene, by rank."""


def answer_view(
    record: AnswerRecord,
    *,
    scenes: Mapping[str, SceneFacts] | None = None,
    pictures: Mapping[int, str] | None = None,
    outdated: Sequence[str] = (),
) -> AnswerView:
    """Return what a page says of an answer.

    Args:
        record: The answer's record, of any version.
        scenes: What is known of the scenes, by key.
        pictures: Addresses of the cues' pictures, by rank.
        outdated: Why time has passed the answer by, in sentences.
    """
    scenes, pictures = scenes or {}, pictures or {}
    places = _places(record)
    cues = tuple(
        _cue_view(cue, scenes.get(cue.scene, SceneFacts()), record, places.get(cue.rank, {}), pictures.get(cue.rank))
        for cue in record.cues
    )
    failed = ". ".join(filter(None, (record.error.message, record.error.fix))) if record.error else ""
    own = [_OUTCOMES[record.outcome]] if record.outcome in _OUTCOMES and record.answer is None else []
    return AnswerView(
        answer_id=record.answer_id,
        question=record.question or _asked_without_words(record),
        said=record.answer or ("This question could not be answered." if failed else "No answer was asked for."),
        failed=failed,
        choice=record.choice,
        choices=record.choices,
        confidence=record.confidence,
        by=_BY.get(record.answered_by or "", ""),
        notes=(*own, *(note for note in record.notes if not note.startswith(_REMARKS))),
        remarks=tuple(note for note in record.notes if note.startswith(_REMARKS)),
        plan=_steps(record),
        cues=cues,
        asked_at=(record.asked_at or "")[:16].replace("T", " "),
        path=_PATHS.get(record.path, ""),
        outdated=tuple(outdated),
    )


def _asked_without_words(record: AnswerRecord) -> str:
    return "More like the example" if record.options.get("like") else "A plan without words"


def _steps(record: AnswerRecord) -> tuple[StepView, ...]:
    lines = plan_words(record.plan)
    results = [*record.result, *({} for _ in lines)]
    return tuple(
        StepView(asked, result_words(result), tuple(result.get("cues") or ()))
        for asked, result in zip(lines, results, strict=False)
    )


def _places(record: AnswerRecord) -> dict[int, Mapping[str, Any]]:
    """Return the place of each cue, by rank, as the first result that has it says."""
    found: dict[int, Mapping[str, Any]] = {}
    for result in record.result:
        ends = [result.get("place"), result.get("to"), *(result.get("ends") or ())]
        for place in [*(result.get("places") or ()), *ends]:
            if isinstance(place, Mapping) and "cue" in place:
                found.setdefault(place["cue"], place)
    return found


def _cue_view(
    cue: RecordedCue, scene: SceneFacts, record: AnswerRecord, place: Mapping[str, Any], picture: str | None
) -> CueView:
    x0, y0, x1, y1 = cue.window
    size = place.get("size_m") or (box_size_m(cue.bbox) if cue.bbox else None)
    acquired = record.lineage.acquired.get(cue.scene) or ""
    return CueView(
        rank=cue.rank,
        phrase=cue.phrase,
        verdict=cue.verdict,
        confidence=cue.confidence if math.isfinite(cue.confidence) else None,
        scene=scene.title or cue.scene,
        day=scene.day or acquired[:10],
        part=str(place.get("name") or ""),
        degrees=coordinates(middle_of_box(cue.bbox)) if cue.bbox else "",
        metres=scene.metres.get(cue.rank, ""),
        size=" × ".join(map(metres, size)) if size else f"{x1 - x0} × {y1 - y0} pixels",
        window=cue.window,
        picture=picture,
    )
