"""Compute figures over many judged answers, each with its sample size and a 95 % interval, and compare two runs.

Every question with a known truth counts.  A question that fails or has no cues is a miss; a failed question about
something absent counts as a false cue.  Shares of questions have Wilson's interval.  One question can have several
cues and targets, so figures over them have a bootstrap interval that draws whole questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from imagerag_assets.evaluation.cases import Judged

IOUS = (0.1, 0.3, 0.5)
BINS = 10
_DRAWS = 2000
LOCATED = ("position", "count")
"""Kinds of question that need the target to be found; compare systems by the recall over both."""


@dataclass(frozen=True)
class Figure:
    """A value with its sample size and interval."""

    value: float | None
    """None: there is nothing to measure."""
    n: int
    """Sample size."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figure as a dictionary for JSON."""
        return asdict(self)


def share(outcomes: Iterable[bool]) -> Figure:
    """Return the share of outcomes that are true, with Wilson's score interval."""
    values = list(outcomes)
    if not values:
        return Figure(None, 0)
    interval = binomtest(sum(values), len(values)).proportion_ci(0.95, method="wilson")
    return Figure(sum(values) / len(values), len(values), float(interval.low), float(interval.high))


def pooled(parts: Sequence[tuple[int, int]]) -> Figure:
    """Divide the sum of the first numbers by the sum of the second (n), with a bootstrap interval.

    Args:
        parts: One pair (part, whole) for each question.
    """
    counts = np.array(parts, dtype=np.float64).reshape(-1, 2)
    return bootstrap(len(counts), lambda drawn: _ratio(counts[drawn]), n=int(counts[:, 1].sum()))


def _ratio(counts: NDArray[np.float64]) -> float | None:
    top, bottom = counts.sum(axis=0)
    return float(top / bottom) if bottom else None


def bootstrap(questions: int, measure: Callable[[NDArray[np.intp]], float | None], *, n: int) -> Figure:
    """Return a figure with the 2.5 and 97.5 % quantiles over questions drawn with replacement.

    The draws are the same at every call.

    Args:
        questions: Number of questions to draw from.
        measure: Function from indices of questions, int (k,), to the figure over them, or None if it has no value.
        n: Sample size of the figure.
    """
    value = measure(np.arange(questions)) if questions else None
    if value is None:
        return Figure(None, 0)
    rng = np.random.default_rng(0)
    drawn = [measure(rng.integers(0, questions, questions)) for _ in range(_DRAWS)]
    low, high = np.quantile([each for each in drawn if each is not None], (0.025, 0.975))
    return Figure(value, n, float(low), float(high))


def calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float | None:
    """Return the expected calibration error over ten bins of equal width, or None without cues.

    It is the mean gap between confidence and share of hits, weighted by the size of the bins.

    Args:
        confidence: float64, (n,), 0 to 1.
        hits: bool, (n,).
    """
    if len(confidence) == 0:
        return None
    bins = _bin_of(confidence)
    gaps = np.bincount(bins, weights=confidence - hits, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def reliability(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> list[dict[str, float | int | None]]:
    """Return the limits, mean confidence, share of hits and number of cues of each of the ten bins.

    Args:
        confidence: float64, (n,), 0 to 1.
        hits: bool, (n,).
    """
    bins = _bin_of(confidence)
    rows: list[dict[str, float | int | None]] = []
    for index in range(BINS):
        inside = bins == index
        n = int(inside.sum())
        mean = float(confidence[inside].mean()) if n else None
        right = float(hits[inside].mean()) if n else None
        rows.append({"from": index / BINS, "to": (index + 1) / BINS, "confidence": mean, "hits": right, "n": n})
    return rows


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.minimum((confidence * BINS).astype(np.intp), BINS - 1)


def measure_run(judged: Sequence[Judged]) -> dict[str, Any]:
    """Compute all figures of a run.

    Returns:
        ``recall`` by kind (``all``, ``position+count``, ...), with ``half_covered`` and ``iou_0.1`` to ``iou_0.5``;
        ``no_cue`` for targets in the scene; ``false_cues`` for absent ones; ``instances_found`` and
        ``cue_precision`` of count questions; ``calibration_error`` and its ``reliability``; ``accuracy`` by kind; of
        free answers about things that are not there, ``presence_asserted`` and ``absence_asserted`` (as a fact).
        A figure is ``{"value", "n", "low", "high"}``.
    """
    located = [each for each in judged if each.case.roi]
    absent = [each for each in judged if each.case.roi == ()]
    counted = [each for each in located if each.case.kind == "count"]
    known = [each for each in judged if each.case.roi is not None]
    answered = [each for each in judged if each.right is not None]
    gone = [each.free for each in judged if each.free is not None and each.free.presence_asserted is not None]
    confidence = np.concatenate([np.zeros(0), *(each.confidence for each in known)])
    hits = np.concatenate([np.zeros(0, dtype=bool), *(each.hits for each in known)])
    return {
        "recall": {name: _recall(group) for name, group in _by_kind(located, together=LOCATED).items()},
        "no_cue": share(len(each.confidence) == 0 for each in located).to_dict(),
        "false_cues": share(each.failed or len(each.confidence) > 0 for each in absent).to_dict(),
        "instances_found": pooled([(each.instances, len(each.case.roi or ())) for each in counted]).to_dict(),
        "cue_precision": pooled([(int(each.hits.sum()), len(each.hits)) for each in counted]).to_dict(),
        "calibration_error": _calibration(known).to_dict(),
        "reliability": reliability(confidence, hits),
        "accuracy": {
            name: share(bool(each.right) for each in group).to_dict() for name, group in _by_kind(answered).items()
        },
        "presence_asserted": share(bool(each.presence_asserted) for each in gone).to_dict(),
        "absence_asserted": share(bool(each.absence_asserted) for each in gone).to_dict(),
    }


def _recall(group: Sequence[Judged]) -> dict[str, Any]:
    figures = {"half_covered": share(each.found for each in group).to_dict()}
    return figures | {f"iou_{iou}": share(each.reaches(iou) for each in group).to_dict() for iou in IOUS}


def _calibration(known: Sequence[Judged]) -> Figure:
    def measure(drawn: NDArray[np.intp]) -> float | None:
        chosen = [known[index] for index in drawn]
        return calibration_error(
            np.concatenate([each.confidence for each in chosen]), np.concatenate([each.hits for each in chosen])
        )

    return bootstrap(len(known), measure, n=sum(len(each.confidence) for each in known))


def _by_kind(judged: Sequence[Judged], *, together: Sequence[str] = ()) -> dict[str, list[Judged]]:
    """Group answers: all of them, those of the kinds in `together`, and those of each kind."""
    groups: dict[str, list[Judged]] = {"all": list(judged)}
    if together:
        groups["+".join(together)] = [each for each in judged if each.case.kind in together]
    for each in judged:
        groups.setdefault(each.case.kind, []).append(each)
    return groups


def compare_runs(before: Mapping[str, Judged], after: Mapping[str, Judged]) -> dict[str, Any]:
    """Compare two runs on the questions that both have, matched by id.

    Returns:
        ``found`` (half of a target covered), ``no_false_cue`` and ``right`` (the answer), each with ``n``, ``before``
        and ``after`` (counts), ``fixed``, ``broken`` and ``p``, McNemar's exact two-sided p; and ``only_before`` and
        ``only_after``, the number of questions that only one of the runs has.
    """
    shared = [(before[id], after[id]) for id in before if id in after]
    located = [pair for pair in shared if pair[0].case.roi]
    absent = [pair for pair in shared if pair[0].case.roi == ()]
    answered = [(a.right, b.right) for a, b in shared if a.right is not None and b.right is not None]
    return {
        "found": paired([(a.found, b.found) for a, b in located]),
        "no_false_cue": paired([(_silent(a), _silent(b)) for a, b in absent]),
        "right": paired(answered),
        "only_before": len(before) - len(shared),
        "only_after": len(after) - len(shared),
    }


def _silent(judged: Judged) -> bool:
    return not judged.failed and len(judged.confidence) == 0


def paired(outcomes: Sequence[tuple[bool, bool]]) -> dict[str, float | int | None]:
    """Count the outcomes of a paired comparison (before, after), and compute McNemar's exact two-sided p."""
    fixed = sum(after and not before for before, after in outcomes)
    broken = sum(before and not after for before, after in outcomes)
    p = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    return {
        "n": len(outcomes),
        "before": sum(before for before, _ in outcomes),
        "after": sum(after for _, after in outcomes),
        "fixed": fixed,
        "broken": broken,
        "p": p if outcomes else None,
    }
