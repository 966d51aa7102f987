"""Figures over many judged answers, each with how many it rests on and a 95 % interval, and the comparison of two runs.

Every question whose truth is known counts: one without cues, or that failed, is a miss; a failed question about
something absent is a false cue.  Shares of questions have Wilson's interval.  Figures over cues and targets, which
come several to a question, have a bootstrap interval that draws whole questions.
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
"""Kinds whose answer depends on finding the target; their recall together is the figure to compare systems by."""


@dataclass(frozen=True)
class Figure:
    """A value with what it rests on."""

    value: float | None
    """None: nothing to measure it on."""
    n: int
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-able form."""
        return asdict(self)


def share(outcomes: Iterable[bool]) -> Figure:
    """The share of outcomes that are true, with Wilson's score interval."""
    values = list(outcomes)
    if not values:
        return Figure(None, 0)
    interval = binomtest(sum(values), len(values)).proportion_ci(0.95, method="wilson")
    return Figure(sum(values) / len(values), len(values), float(interval.low), float(interval.high))


def pooled(parts: Sequence[tuple[int, int]]) -> Figure:
    """Sum of the first numbers over the sum of the second (n), a pair a question, with a bootstrap interval."""
    counts = np.array(parts, dtype=np.float64).reshape(-1, 2)
    return bootstrap(len(counts), lambda drawn: _ratio(counts[drawn]), n=int(counts[:, 1].sum()))


def _ratio(counts: NDArray[np.float64]) -> float | None:
    top, bottom = counts.sum(axis=0)
    return float(top / bottom) if bottom else None


def bootstrap(questions: int, measure: Callable[[NDArray[np.intp]], float | None], *, n: int) -> Figure:
    """A figure with the 2.5 and 97.5 % quantiles over questions drawn with replacement; the same at every call.

    Args:
        questions: How many there are to draw from.
        measure: The figure of the questions with these indices, int (k,); None where it has no value.
        n: What the figure rests on.
    """
    value = measure(np.arange(questions)) if questions else None
    if value is None:
        return Figure(None, 0)
    rng = np.random.default_rng(0)
    drawn = [measure(rng.integers(0, questions, questions)) for _ in range(_DRAWS)]
    low, high = np.quantile([each for each in drawn if each is not None], (0.025, 0.975))
    return Figure(value, n, float(low), float(high))


def calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float | None:
    """Expected calibration error over ten bins of equal width: mean gap of confidence and share of hits, by bin size.

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
    """Each of the ten bins: its limits, its mean confidence, its share of hits, and how many cues are in it."""
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
    """All figures of a run.

    Returns:
        ``recall`` by kind (``all``, ``position+count``, ...), with ``half_covered`` and ``iou_0.1`` to ``iou_0.5``;
        ``no_cue`` for a target that is there; ``false_cues`` for absent ones; ``instances_found`` and
        ``cue_precision`` of count questions; ``calibration_error`` and its ``reliability``; ``accuracy`` by kind.
        A figure is ``{"value", "n", "low", "high"}``.
    """
    located = [each for each in judged if each.case.roi]
    absent = [each for each in judged if each.case.roi == ()]
    counted = [each for each in located if each.case.kind == "count"]
    known = [each for each in judged if each.case.roi is not None]
    answered = [each for each in judged if each.right is not None]
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
    """All of them, those of some kinds together, and those of each kind."""
    groups: dict[str, list[Judged]] = {"all": list(judged)}
    if together:
        groups["+".join(together)] = [each for each in judged if each.case.kind in together]
    for each in judged:
        groups.setdefault(each.case.kind, []).append(each)
    return groups


def compare_runs(before: Mapping[str, Judged], after: Mapping[str, Judged]) -> dict[str, Any]:
    """What a run changed against another on the same questions, which are matched by id.

    Returns:
        ``found`` (half of a target covered), ``no_false_cue`` and ``right`` (the answer), each with ``n``, ``before``
        and ``after`` (counts), ``fixed``, ``broken`` and ``p``, McNemar's exact two-sided p; and ``only_before`` and
        ``only_after``, how many questions one of the runs does not have.
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
    """Counts of a paired comparison (before, after), and McNemar's exact two-sided p."""
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
