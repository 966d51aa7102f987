"""Figures of answers, with intervals over scenes, and what was wanted of them.

Questions about one scene share its layout and its chips, so that they are no independent trials: every interval draws
whole scenes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.asked import FREE, REWORDED, TOOL, Asked
from benchmarks.attribution import CAUSES, cause_of
from benchmarks.rows import BLACK, EVIDENCE, FULL, ROWS
from imagerag_assets.evaluation.cases import Case, letters_of
from imagerag_assets.evaluation.free_answers import FreeVerdict, judge_free
from imagerag_assets.evaluation.metrics import Figure, bootstrap, pooled

THERE = ("presence", "count", "position", "typos", "negation", "two-part", "comparison", "relative place")
"""Kinds of free questions about things that are mostly there."""
GONE = ("absent", "unknown")
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """One answer beside its truth."""

    asked: Asked
    row: str
    right: bool
    free: FreeVerdict | None
    line: Line


def judge(asked: Asked, row: str, line: Line) -> Judgement:
    """Judge an answer; one that failed is wrong."""
    if asked.truth is not None:
        free = judge_free(asked.truth, line)
        return Judgement(asked, row, free.right and not line.get("error"), free, line)
    case = Case(asked.id, asked.question, asked.kind, choices=asked.choices, answer=asked.answer)
    return Judgement(asked, row, not line.get("error") and letters_of(case, line) == asked.answer, None, line)


def measure(judged: Sequence[Judgement]) -> dict[str, Any]:
    """Return all figures.

    Returns:
        ``right`` by row, wording and kind; ``reworded``, ``eyes`` and ``without_model``: differences of shares that are
        paired by question; ``gone``: what is said of things that are not there; ``causes`` of wrong answers by wording
        and kind; ``targets``.
    """
    figures: dict[str, Any] = {"right": _right(judged)}
    figures["reworded"] = {
        wording: {row: _loss(judged, wording, row) for row in (FULL, EVIDENCE)} for wording in REWORDED
    }
    eyes = [each for each in judged if each.asked.kind == "eyes"]
    figures["eyes"] = {"all": _against(eyes, BLACK)} | {
        about: _against([each for each in eyes if each.asked.about == about], BLACK)
        for about in sorted({each.asked.about for each in eyes})
    }
    plain = [each for each in judged if each.asked.wording in (FREE, TOOL)]
    figures["without_model"] = {
        kind: _against([each for each in plain if each.asked.kind == kind], EVIDENCE) for kind in ("count", "position")
    }
    figures["gone"] = _gone(judged)
    figures["causes"] = _causes(judged)
    figures["targets"] = targets(figures, judged)
    return figures


def _by_scene(judged: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    scenes: dict[str, list[Judgement]] = {}
    for each in judged:
        scenes.setdefault(each.asked.scene, []).append(each)
    return scenes


def share_over_scenes(
    judged: Iterable[Judgement], good: Callable[[Judgement], bool] = lambda each: each.right
) -> Figure:
    """Return the share of answers that are good, with an interval over scenes."""
    return pooled([(sum(map(good, own)), len(own)) for own in _by_scene(judged).values()])


def difference(pairs: Sequence[tuple[Judgement, Judgement]]) -> Figure:
    """Return by how much more of the first answers are right than of the second, with an interval over scenes."""
    scenes: dict[str, list[int]] = {}
    for one, other in pairs:
        scenes.setdefault(one.asked.scene, []).append(int(one.right) - int(other.right))
    sums = np.array([(sum(each), len(each)) for each in scenes.values()], dtype=np.float64).reshape(-1, 2)

    def mean(drawn: Any) -> float | None:
        top, bottom = sums[drawn].sum(axis=0)
        return float(top / bottom) if bottom else None

    return bootstrap(len(sums), mean, n=len(pairs))


def _right(judged: Sequence[Judgement]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for row in ROWS:
        for wording in (TOOL, *REWORDED, FREE):
            own = [each for each in judged if each.row == row and each.asked.wording == wording]
            if own:
                kinds = {"all": own} | {kind: [each for each in own if each.asked.kind == kind] for kind in _kinds(own)}
                cells = {kind: share_over_scenes(some).to_dict() for kind, some in kinds.items()}
                table.setdefault(row, {})[wording] = cells
    return table


def _kinds(judged: Iterable[Judgement]) -> list[str]:
    return list(dict.fromkeys(each.asked.kind for each in judged))


def _loss(judged: Sequence[Judgement], wording: str, row: str) -> dict[str, Any]:
    """Return how many fewer answers are right with another wording of the same questions."""
    plain = {each.asked.id: each for each in judged if each.asked.wording == TOOL and each.row == row}
    pairs = [
        (plain[each.asked.of or ""], each)
        for each in judged
        if each.asked.wording == wording and each.row == row and each.asked.of in plain
    ]
    return difference(pairs).to_dict()


def _against(judged: Sequence[Judgement], row: str) -> dict[str, Any]:
    """Return how many more answers are right with everything than in another row."""
    others = {each.asked.id: each for each in judged if each.row == row}
    full = [each for each in judged if each.row == FULL]
    return difference([(each, others[each.asked.id]) for each in full if each.asked.id in others]).to_dict()


def _gone(judged: Sequence[Judgement]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for kind in ("both", *GONE):
        kinds = GONE if kind == "both" else (kind,)
        own = [each for each in judged if each.row == FULL and each.asked.wording == FREE and each.asked.kind in kinds]
        own = [each for each in own if each.free is not None and each.free.presence_asserted is not None]
        table[kind] = {
            "presence_not_asserted": share_over_scenes(own, lambda each: not _asserts(each, "presence")).to_dict(),
            "absence_asserted": share_over_scenes(own, lambda each: _asserts(each, "absence")).to_dict(),
        }
    return table


def _asserts(each: Judgement, what: str) -> bool:
    assert each.free is not None
    return bool(each.free.presence_asserted if what == "presence" else each.free.absence_asserted)


def _causes(judged: Sequence[Judgement]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for wording in (TOOL, FREE):
        own = [each for each in judged if each.row == FULL and each.asked.wording == wording]
        for kind in ("all", *_kinds(own)):
            some = [each for each in own if kind in ("all", each.asked.kind)]
            counted = Counter(cause_of(each.asked, each.line) for each in some if not each.right)
            causes = {cause: counted[cause] for cause in CAUSES if counted[cause]}
            table.setdefault(wording, {})[kind] = {"n": len(some), "wrong": sum(counted.values()), "causes": causes}
    return table


def targets(figures: Mapping[str, Any], judged: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Return each figure that was wanted, with what was measured, and whether it is met."""
    free = figures["right"].get(FULL, {}).get(FREE, {})
    tool = figures["right"].get(FULL, {}).get(TOOL, {})
    there = [each for each in judged if each.row == FULL and each.asked.wording == FREE and each.asked.kind in THERE]
    there = [each for each in there if each.free is not None and each.free.presence_asserted is None]
    wanted: list[tuple[str, str, float, Mapping[str, Any] | None]] = [
        ("free questions about things that are there: right", ">=", 0.75, share_over_scenes(there).to_dict())
    ]
    for kind, least in {
        "typos": 0.7,
        "negation": 0.6,
        "two-part": 0.6,
        "comparison": 0.6,
        "relative place": 0.6,
    }.items():
        wanted.append((f"{kind}: right", ">=", least, free.get(kind)))
    gone = figures["gone"]
    wanted += [
        ("absent or unknown: presence not asserted", ">=", 0.95, gone["both"]["presence_not_asserted"]),
        ("unknown: absence asserted as a fact", "<=", 0.05, gone["unknown"]["absence_asserted"]),
        ("multiple choice in the tool's wording: right", ">=", 0.85, tool.get("all")),
        *(
            (f"multiple choice, {_CALLED[wording]}: loss", "<=", 0.05, figures["reworded"][wording][FULL])
            for wording in REWORDED
        ),
        ("questions that need eyes: everything minus pictures black", ">=", 0.15, figures["eyes"]["all"]),
    ]
    for kind in ("count", "position"):
        called = f"{kind}: everything minus evidence without a model"
        wanted.append((called, ">=", 0.0, figures["without_model"][kind]))
    return [target(*each) for each in wanted]


_CALLED = {"sentence": "sentence reworded", "choices": "choices reworded", "order": "choices in another order"}


def target(name: str, sign: str, wanted: float, figure: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return one line of the table of targets."""
    measured = figure or Figure(None, 0).to_dict()
    value = measured["value"]
    met = None if value is None else value >= wanted if sign == ">=" else value <= wanted
    return {"figure": name, "sign": sign, "wanted": wanted, "measured": dict(measured), "met": met}
