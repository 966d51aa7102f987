"""Make the quality tables of `docs/results.md`, in Markdown, from the JSON files in `benchmarks/results`.

`docs/make.py` puts them between the markers ``<!-- table: NAME -->`` and ``<!-- end -->``. Nothing is measured here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.markdown import SIGNS, met, table
from benchmarks.speed_tables import SPEED_TABLES

Record = Mapping[str, Any]
_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

GOALS = {
    "found": (.85, "position and count: half of the target is covered by one of the top 3 cues"),
    "instances_found": (.70, "count: instances found"),
    "cue_precision": (.70, "count: cues that are right"),
    "false_cues": (.15, "absent target: a cue is offered (lower is better)"),
    "calibration_error": (.08, "calibration error of the cues (ECE, 10 bins; lower is better)"),
}  # fmt: skip
"""Our goal for each figure of retrieval, and the name of the figure."""
_PUBLISHED = "paper, cc"
"""The division of the published retrieval that was best on training mosaics."""


def blocks(page: str) -> dict[str, str]:
    """Return the text between the markers of a page, by name of the table."""
    return {match[2]: match[3] for match in _BLOCK.finditer(page)}


def fill(page: str, records: Mapping[str, Record]) -> str:
    """Replace the text between the markers of each table that was measured.

    Raises:
        ValueError: the page has no place for a table.
    """
    if homeless := records.keys() - blocks(page).keys():
        raise ValueError(f"docs/results.md has no markers for: {', '.join(sorted(homeless))}")

    def block(match: re.Match[str]) -> str:
        record = records.get(match[2])
        return match[0] if record is None else f"{match[1]}{section(record)}\n{match[4]}"

    return _BLOCK.sub(block, page)


def section(record: Record) -> str:
    """Return one table with the command, commit, machine and data that it was measured with."""
    machine = record["machine"]
    about = [
        f"- **Command**: `{record['command']}`",
        f"- **Commit**: `{record['commit'][:10]}`, measured on {record['date']}",
        f"- **Machine**: {machine['cpu']}, {machine['cores']} cores",
        f"- **Data**: {_data(record['data'])}",
    ]
    return "\n".join([*about, "", *_TABLES[record["table"]](record["figures"])])


def _data(data: Mapping[str, Any]) -> str:
    parts = []
    for each in data.get("mosaics", ()):
        first, last = each["seeds"]
        seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
        parts.append(f"{_many(each['scenes'], 'mosaic')} of {each['cells']} x {each['cells']} cells ({seeds})")
    if "chips" in data:
        parts.append(f"{data['chips']} chips of split `{data['split']}`")
    parts += data.get("other", ())
    return "; ".join(parts)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _share(figure: Mapping[str, Any] | None) -> str:
    """Return ``.86 (.79-.91, n 120)``, or a dash for a figure without a value."""
    if figure is None or figure["value"] is None:
        return "-"
    low, high = _number(figure["low"]), _number(figure["high"])
    return f"{_number(figure['value'])} ({low}-{high}, n {figure['n']})"


def _encoders(figures: Record) -> list[str]:
    encoders = [name for name in figures if name != "classes"]
    rows = [[f"`{name}`", *(_share(figures[name][how]) for how in ("phrases", "names"))] for name in encoders]
    columns = (
        "encoder",
        f"zero-shot top-1 over {figures['classes']} classes, mean of each class's phrases",
        "bare names",
    )
    return table(columns, rows)


def _retrieval(figures: Record) -> list[str]:
    sizes = [size for size in figures if size != "together"]
    short = {size: size.removesuffix(" cells") for size in sizes}
    divisions = [name for name in figures[sizes[0]] if name != "ours"]
    published = _PUBLISHED if _PUBLISHED in divisions else None
    columns = [(f"ours, {short[size]}", figures[size]["ours"]) for size in sizes]
    if published:
        columns += [(f"published, {short[size]}", figures[size][published]) for size in sizes]
    if "together" in figures:
        columns.append(("ours, all", figures["together"]["ours"]))
    rows = [
        [called, *(_share(system[key]) for _, system in columns), _number(goal)]
        for key, (goal, called) in GOALS.items()
    ]
    lines = table(["figure", *(name for name, _ in columns), "goal"], rows)
    others = [name for name in divisions if name != published]
    if others:
        keys = ("found", "false_cues")
        names = [f"{what}, {short[size]}" for what in ("found", "absent target: a cue is offered") for size in sizes]
        rows = [
            [f"`{name.removeprefix('paper, ')}`", *(_share(figures[size][name][key]) for key in keys for size in sizes)]
            for name in others
        ]
        lines += ["", *table(["other published divisions", *names], rows)]
    return lines


def _growth(figures: Record) -> list[str]:
    rows = [[where, f"{each['mean']:.3f}", f"{each['largest']:.3f}", str(each["n"])] for where, each in figures.items()]
    return table(("place in the large scene", "change of confidence, mean", "largest", "n"), rows)


def _jargon(figures: Record) -> list[str]:
    called = {"glossary": "terms of the glossary", "other": "terms that the glossary does not hold", "all": "all terms"}
    rows = [[called[row["terms"]], *(_share(row[how]) for how in ("auto", "fast", "paper"))] for row in figures["rows"]]
    return table(("target found", "with the knowledge base", "without", "published, with it"), rows)


def answers_table(figures: Record) -> list[str]:
    """Return the tables of answers: targets, right answers by row and kind, rewordings, and causes of wrong answers."""
    rows = [
        [
            each["figure"],
            f"{SIGNS[each['sign']]} {_number(each['wanted'])}",
            _share(each["measured"]),
            met(each["met"]),
        ]
        for each in figures["targets"]
    ]
    lines = table(("figure", "wanted", "measured", "met"), rows)
    for wording, called in (("tool", "The mosaic tool's wording, multiple choice"), ("free", "People's wording")):
        by_row = {row: kinds[wording] for row, kinds in figures["right"].items() if wording in kinds}
        if not by_row:
            continue
        kinds = list(dict.fromkeys(kind for cells in by_row.values() for kind in cells))
        cells = [[kind, *(_share(each.get(kind)) for each in by_row.values())] for kind in kinds]
        lines += ["", f"{called}: right answers.", "", *table(("kind", *by_row), cells)]
    full = figures["right"].get("everything", {})
    rows = [
        [wording, _share(full[wording]["all"]), *(_share(each) for each in figures["reworded"][wording].values())]
        for wording in figures["reworded"]
        if wording in full
    ]
    if rows:
        ways = next(iter(figures["reworded"].values()))
        columns = ("reworded", "right, everything", *(f"loss, {row}" for row in ways))
        lines += ["", "The same multiple-choice questions, reworded.", "", *table(columns, rows)]
    rows = [
        [what, *(_share(figures["gone"][kind][key]) for kind in ("absent", "unknown"))]
        for key, what in (
            ("presence_not_asserted", "presence is not asserted"),
            ("absence_asserted", "absence is asserted as a fact (lower is better)"),
        )
    ]
    lines += ["", *table(("things that are not there, people's wording", "absent", "unknown to the encoder"), rows)]
    rows = [[about, _share(each)] for about, each in figures["eyes"].items()]
    lines += ["", *table(("questions that need eyes", "everything minus pictures black"), rows)]
    lines += ["", *_causes(figures["causes"])]
    dense = {name: each for name, each in figures["dense"].items() if name != "counts" and each["value"] is not None}
    if dense:
        rows = [[name, _share(each)] for name, each in dense.items()]
        lines += ["", *table(("20 to 300 objects of a kind, scenes", "counted within 25 %"), rows)]
    return lines


def _causes(causes: Record) -> list[str]:
    """Return why answers were wrong, by wording and kind."""
    kinds = [(wording, kind, each) for wording, by_kind in causes.items() for kind, each in by_kind.items()]
    names = list(dict.fromkeys(cause for *_, each in kinds for cause in each["causes"]))
    called = {"tool": "the tool's", "free": "people's"}
    rows = [
        [f"{called[wording]}, {kind}", f"{each['wrong']} of {each['n']}"]
        + [str(each["causes"].get(name, "")) for name in names]
        for wording, kind, each in kinds
    ]
    return table(("wording, kind", "wrong", *names), rows)


def _demo(figures: Record) -> list[str]:
    accuracy = figures["accuracy"]
    rows = [[kind, _share(each)] for kind, each in accuracy.items()]
    return table(("questions", "right answers"), [*rows, ["guessing", f"about {_number(figures['guessing'])}"]])


_TABLES: dict[str, Callable[[Record], list[str]]] = {
    "encoders": _encoders,
    "retrieval": _retrieval,
    "growth": _growth,
    "jargon": _jargon,
    "answers": answers_table,
    "demo": _demo,
    **SPEED_TABLES,
}
