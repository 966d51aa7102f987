"""Questions with their truth, and the judgement of one answer.

Geometry and right or wrong belong here.  `metrics` has figures over many questions, and `loaders` reads files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagerag_assets.evaluation.free_answers import FreeVerdict, judge_free
from imagerag_assets.evaluation.truth import Truth

Window = tuple[int, int, int, int]

COVERED = 0.5
"""Share of a target that a cue must cover to count as showing it."""
TOP = 3
"""Number of cues that recall looks at."""
_NOT_WORDS = re.compile(r"[^\w]+", re.UNICODE)


@dataclass(frozen=True)
class Case:
    """One question of a file, and what is known about its answer."""

    id: str
    question: str
    kind: str
    """What the question asks about (``position``, ``count``, ``absent``...), or the benchmark's own category."""
    scenes: tuple[str, ...] = ()
    """Keys of the scenes that the question is about; `roi` lies in the first."""
    choices: Mapping[str, str] = field(default_factory=dict)
    answer: str | None = None
    """The right letter (if several are right, all of them, sorted and joined), or the right text; None: unknown."""
    roi: tuple[Window, ...] | None = None
    """Targets (x0, y0, x1, y1) in native pixels; empty: the target is absent; None: unknown."""
    images: tuple[Path, ...] = ()
    """Pictures that a benchmark names, one for each scene; empty for scenes from a STAC source."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of `questions.question.Question` that the line sets, e.g. ``bbox``; they override the run's."""
    truth: Truth | None = None
    """What a free answer must say; None: only `answer` is known."""
    several: bool = False
    """Whether more than one choice may be right, as in some questions of its kind."""


@dataclass(frozen=True)
class Judged:
    """An answer measured against its truth.  A failed question has no cues and is not right."""

    case: Case
    failed: bool
    right: bool | None
    """None: no answer was asked for, or the right answer is unknown."""
    overlaps: NDArray[np.float64]
    """float64, (cues, targets): intersection over union."""
    covered: NDArray[np.float64]
    """float64, (cues, targets): share of the target that the cue covers."""
    confidence: NDArray[np.float64]
    """float64, (cues,), in order of rank."""
    free: FreeVerdict | None = None
    """Of a free answer whose truth is known."""

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each cue shows at least half of a target: bool, (cues,)."""
        return np.asarray((self.covered >= COVERED).any(axis=1), dtype=bool)

    @property
    def found(self) -> bool:
        """Whether one of the first three cues shows at least half of a target."""
        return bool(self.hits[:TOP].any())

    @property
    def instances(self) -> int:
        """Number of targets that at least one cue covers by half."""
        return int((self.covered >= COVERED).any(axis=0).sum()) if self.covered.size else 0

    def reaches(self, iou: float) -> bool:
        """Return whether one of the first three cues has at least this intersection over union with a target."""
        return bool((self.overlaps[:TOP] >= iou).any())


def judge(case: Case, answer: Mapping[str, Any], *, answered: bool = True) -> Judged:
    """Measure an answer against its case.

    Only cues of the case's first scene can show its targets.

    Args:
        case: The question with its truth.
        answer: The answer as JSON, or an object with ``error`` if the question failed.
        answered: Whether an answer was asked for, or only cues.
    """
    failed = "error" in answer
    cues = [] if failed else sorted(answer.get("cues", ()), key=lambda cue: cue["rank"])
    elsewhere = np.array([bool(case.scenes) and cue["scene"] != case.scenes[0] for cue in cues], dtype=bool)
    overlaps, covered = compare_windows([cue["window"] for cue in cues], case.roi or ())
    overlaps[elsewhere], covered[elsewhere] = 0.0, 0.0
    confidence = np.array([cue["confidence"] for cue in cues], dtype=np.float64)
    free = judge_free(case.truth, {} if failed else answer) if answered and case.truth is not None else None
    right = free.right if free is not None else _right(case, answer) if answered else None
    return Judged(case, failed, right, overlaps, covered, confidence, free)


def compare_windows(cues: ArrayLike, targets: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare every cue with every target.

    Args:
        cues: n windows (x0, y0, x1, y1), half-open, in native pixels.
        targets: m windows of the same form.

    Returns:
        Two float64 arrays, (n, m): intersection over union, and the share of the target that the cue covers.
    """
    a = np.asarray(cues, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(targets, dtype=np.float64).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = (np.clip(box[:, 2:] - box[:, :2], 0, None).prod(axis=1) for box in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    part = np.divide(shared, area_b[None, :], out=np.zeros_like(shared), where=area_b[None, :] > 0)
    return iou, part


def _right(case: Case, answer: Mapping[str, Any]) -> bool | None:
    if case.answer is None:
        return None
    if case.choices:
        return letters_of(case, answer) == case.answer
    return plain_words(str(answer.get("answer") or "")) == plain_words(case.answer)


def letters_of(case: Case, answer: Mapping[str, Any]) -> str | None:
    """Return the letter of an answer; where several may be right, those with at least an even share of the scores."""
    scores = answer.get("scores")
    if not case.several or not scores:
        return answer.get("choice")
    even = 1 / len(case.choices)
    return "".join(sorted(letter for letter, score in scores.items() if score >= even))


def plain_words(text: str) -> str:
    """Return a text in lower case and without punctuation, to compare free answers."""
    return _NOT_WORDS.sub(" ", text.casefold()).strip()
