"""The learning curve of a training run, as CSV for programs and as a plot (SVG) for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagerag_assets.evaluation.svg import drawing, line, polyline, text
from imagerag_assets.objects.aside import replace_text

CSV, PLOT = "curve.csv", "curve.svg"
COLUMNS = ("step", "loss", "accuracy", "validation_loss", "validation_accuracy")
_LOGGED = {
    "loss": "loss",
    "mean_token_accuracy": "accuracy",
    "eval_loss": "validation_loss",
    "eval_mean_token_accuracy": "validation_accuracy",
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 340, 240, 55, 40, 75
_COLOURS = ("#1f5fa8", "#c2571a")


@dataclass(frozen=True)
class Curve:
    """Measurements by step: loss per reply token, and the share of reply tokens that were right."""

    rows: tuple[Mapping[str, float], ...]
    """One row per step, in order.  The keys are those of `COLUMNS`; any of them but ``step`` may be missing."""

    @classmethod
    def of(cls, history: Iterable[Mapping[str, Any]]) -> Curve:
        """Read a trainer's log history; if a step was logged twice, as after a resume, the later values count."""
        steps: dict[int, dict[str, float]] = {}
        for entry in history:
            found = {name: float(entry[key]) for key, name in _LOGGED.items() if key in entry}
            if found:
                step = int(entry["step"])
                steps.setdefault(step, {"step": step}).update(found)
        return cls(tuple(steps[step] for step in sorted(steps)))

    def column(self, name: str) -> list[tuple[float, float]]:
        """Return (step, value) for each step that has a value."""
        return [(row["step"], row[name]) for row in self.rows if name in row]

    def ends(self, name: str) -> dict[str, float | None]:
        """Return the first and the last value of a column."""
        values = [value for _, value in self.column(name)]
        return {"first": values[0] if values else None, "last": values[-1] if values else None}

    def write(self, folder: Path) -> None:
        """Write both files and replace earlier ones.

        Raises:
            OSError: the folder cannot be written.
        """
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        for name, content in ((CSV, table.getvalue()), (PLOT, self.plot())):
            replace_text(folder / name, content)

    def plot(self) -> str:
        """Return an SVG with two panels over the steps: loss, and share of right tokens, each for both sets."""
        parts = [
            text(_LEFT + 90 * index, 14, name, colour=colour)
            for index, (name, colour) in enumerate(zip(("training", "validation"), _COLOURS, strict=True))
        ]
        parts += self._panel(_LEFT, "loss per reply token", "loss", "validation_loss")
        parts += self._panel(_LEFT + _WIDTH + _GAP, "right reply tokens", "accuracy", "validation_accuracy", top=1.0)
        return drawing(2 * _LEFT + 2 * _WIDTH + _GAP, _TOP + _HEIGHT + 40, parts)

    def _panel(self, left: float, title: str, *names: str, top: float | None = None) -> list[str]:
        curves = [self.column(name) for name in names]
        steps, values = _reach(curves)
        top = top or values or 1.0
        bottom = _TOP + _HEIGHT

        def place(point: tuple[float, float]) -> tuple[float, float]:
            return left + _WIDTH * point[0] / steps, bottom - _HEIGHT * point[1] / top

        parts = [text(left, _TOP - 8, title)]
        for share in (0.0, 0.5, 1.0):
            x, y = left + share * _WIDTH, bottom - share * _HEIGHT
            parts.append(line(left, y, left + _WIDTH, y, "#dddddd"))
            parts.append(text(left - 6, y + 4, f"{share * top:.3g}", anchor="end"))
            parts.append(text(x, bottom + 16, f"{share * steps:g}", anchor="middle"))
        shown = zip(curves, _COLOURS, strict=True)
        return parts + [polyline([place(point) for point in curve], colour) for curve, colour in shown if curve]


def _reach(curves: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """Return the last step, at least 1, and the largest value of all curves."""
    points = [point for curve in curves for point in curve]
    return max([1.0, *(x for x, _ in points)]), max([0.0, *(y for _, y in points)])
