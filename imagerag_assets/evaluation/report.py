"""Write the report of an evaluation for people and programs: `metrics.json`, a Markdown table and a plot (SVG).

The plot is written by hand, because a plotting library would be the project's largest dependency, for two panels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagerag_assets.errors import InputError
from imagerag_assets.escaping import markdown as escaped
from imagerag_assets.evaluation.svg import drawing, line, text
from imagerag_assets.objects.aside import replace_text

Figures = Mapping[str, Any]
METRICS, TABLE, PLOT = "metrics.json", "report.md", "report.svg"

_NAMES = {
    "half_covered": "half of a target covered by the top 3",
    "iou_0.1": "IoU of the top 3 at least .1",
    "iou_0.3": "IoU of the top 3 at least .3",
    "iou_0.5": "IoU of the top 3 at least .5",
    "no_cue": "no cue for a target in the scene",
    "false_cues": "cue offered for an absent target",
    "instances_found": "count: instances found",
    "cue_precision": "count: cues that are right",
    "calibration_error": "calibration error (ECE)",
    "presence_asserted": "not there: the answer says that it is",
    "absence_asserted": "not there: the answer says so as a fact",
}
_LEFT, _WIDTH, _ROW, _TOP = 330, 300, 20, 40
_COLOURS = ("#1f5fa8", "#c2571a")


def figure_rows(metrics: Figures) -> Iterator[tuple[str, Figures]]:
    """Yield the name and figure of every row of the table; figures with an empty sample are left out."""
    for kind, figures in metrics["recall"].items():
        for name, figure in figures.items():
            if figure["n"]:
                yield f"{kind}: {_NAMES[name]}", figure
    for name in ("no_cue", "false_cues", "instances_found", "cue_precision", "calibration_error"):
        if metrics[name]["n"]:
            yield _NAMES[name], metrics[name]
    for kind, figure in metrics["accuracy"].items():
        if figure["n"]:
            yield f"{kind}: right answers", figure
    for name in ("presence_asserted", "absence_asserted"):
        if metrics.get(name, {}).get("n"):  # runs of earlier versions have none
            yield _NAMES[name], metrics[name]


def told(figure: Figures) -> str:
    """Format a value for a person: ``0.820``, or nothing if there is no value."""
    return "" if figure["value"] is None else f"{figure['value']:.3f}"


def interval(figure: Figures) -> str:
    """Format the 95 % interval for a person."""
    return "" if figure["low"] is None else f"{figure['low']:.3f} to {figure['high']:.3f}"


def comparison_rows(comparison: Figures) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings and rows of a comparison, for a person."""
    counts = ("n", "before", "after", "fixed", "broken")
    rows = [
        (name, *(str(each[count]) for count in counts), f"{each['p']:.3f}")
        for name, each in comparison.items()
        if isinstance(each, dict) and each["n"]
    ]
    return ("", *counts, "McNemar p"), rows


def write_report(folder: Path, document: Mapping[str, Any]) -> dict[str, str]:
    """Write the three files of the report and return their paths.

    Args:
        folder: Where to write.
        document: What `evaluate.evaluate` measured, without ``report``.

    Raises:
        InputError: the folder cannot be written.
    """
    texts = {
        METRICS: json.dumps(document, ensure_ascii=False, indent=1),
        TABLE: markdown(document),
        PLOT: plot(document["metrics"], document.get("before")),
    }
    try:
        for name, content in texts.items():
            replace_text(folder / name, content)
    except OSError as error:
        raise InputError(f"The report cannot be written: {error}", fix="Give another folder", folder=folder) from None
    return {"metrics": str(folder / METRICS), "table": str(folder / TABLE), "plot": str(folder / PLOT)}


def markdown(document: Mapping[str, Any]) -> str:
    """Return the tables as Markdown, with the plot below."""
    about = document["run"]
    options = ", ".join(escaped(f"{name} {value}") for name, value in about["options"].items() if value is not None)
    lines = [
        "# Evaluation",
        "",
        f"{document['questions']} questions, {document['failed']} failed; encoder {escaped(about['encoder'])} "
        f"({about['fingerprint'][:12]}); {options}.",
        *_missing(document),
        *_protocols(document),
        "",
        *_table(
            ("figure", "value", "95 % interval", "n"),
            ((name, told(f), interval(f), f["n"]) for name, f in figure_rows(document["metrics"])),
        ),
    ]
    if document.get("comparison"):
        columns, changes = comparison_rows(document["comparison"])
        lines += ["", "Against the other run:", "", *_table(columns, iter(changes))]
    return "\n".join([*lines, "", f"![Figures and reliability]({PLOT})", ""])


def _missing(document: Mapping[str, Any]) -> list[str]:
    missing = document["run"]["missing"]
    if not missing:
        return []
    names = ", ".join(map(escaped, missing.values()))
    return ["", f"Not asked: {document['left_out']} questions about {len(missing)} missing scenes: {names}."]


def _protocols(document: Mapping[str, Any]) -> list[str]:
    named = [
        f"- {escaped(Path(each['file']).name)}: {escaped(each['protocol'])}"
        for each in document.get("files", ())
        if each.get("protocol")
    ]
    return ["", *named] if named else []


def _table(head: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> list[str]:
    lines = (map(escaped, head), ["---"] * len(head), *(map(escaped, row) for row in rows))
    return [f"| {' | '.join(line)} |" for line in lines]


def plot(metrics: Figures, before: Figures | None = None) -> str:
    """Return an SVG with two panels: figures with intervals (of both runs), and the reliability of confidence."""
    rows, others = list(figure_rows(metrics)), dict(figure_rows(before)) if before else {}
    height = max(_TOP + _ROW * len(rows) + 40, 380)
    parts = [*_axis(_LEFT, _TOP - 10, _WIDTH, height - 70 - _TOP + 30)]
    if others:
        for index, (name, colour) in enumerate(zip(("this run", "the other run"), _COLOURS, strict=True)):
            parts.append(text(_LEFT + 90 * index, _TOP - 22, name, colour=colour))
    for index, (name, figure) in enumerate(rows):
        y = _TOP + _ROW * index + _ROW / 2
        parts.append(text(_LEFT - 8, y + 4, f"{name} (n {figure['n']})", anchor="end"))
        for shift, each, colour in ((-3, figure, _COLOURS[0]), (4, others.get(name), _COLOURS[1])):
            if each is not None and each["value"] is not None:
                parts += _whisker(each, y + (shift if others else 0), colour)
    parts += _reliability(metrics["reliability"], x=_LEFT + _WIDTH + 70, y=_TOP, side=280)
    return drawing(_LEFT + _WIDTH + 380, height, parts)


def _axis(x: float, y: float, width: float, height: float) -> list[str]:
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        at = x + tick * width
        parts.append(line(at, y, at, y + height, "#dddddd"))
        parts.append(text(at, y + height + 14, f"{tick:g}", anchor="middle"))
    return parts


def _whisker(figure: Figures, y: float, colour: str) -> list[str]:
    low, value, high = (_LEFT + _WIDTH * min(1.0, figure[name]) for name in ("low", "value", "high"))
    return [line(low, y, high, y, colour), f'<circle cx="{value:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>']


def _reliability(bins: Sequence[Figures], *, x: float, y: float, side: float) -> list[str]:
    parts = [
        text(x, y - 16, "share of right cues by confidence (area: number of cues)"),
        *_axis(x, y, side, side),
        f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="none" stroke="#999999"/>',
        line(x, y + side, x + side, y, "#bbbbbb"),
    ]
    most = max((each["n"] for each in bins), default=0)
    for each in bins:
        if each["n"]:
            radius = 3 + 9 * (each["n"] / most) ** 0.5
            at = (x + side * each["confidence"], y + side * (1 - each["hits"]))
            parts.append(
                f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}" fill="{_COLOURS[0]}" fill-opacity=".6"/>'
            )
    return parts
