"""Make the quality tables of `docs/results.md`, in Markdown, from the JSON files in `benchmarks/results`.

`docs/make.py` puts them between the markers ``<!-- table: NAME -->`` and ``<!-- end -->``. Nothing is measured here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

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


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows)]


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
    return _table(columns, rows)


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
    lines = _table(["figure", *(name for name, _ in columns), "goal"], rows)
    others = [name for name in divisions if name != published]
    if others:
        keys = ("found", "false_cues")
        names = [f"{what}, {short[size]}" for what in ("found", "absent target: a cue is offered") for size in sizes]
        rows = [
            [f"`{name.removeprefix('paper, ')}`", *(_share(figures[size][name][key]) for key in keys for size in sizes)]
            for name in others
        ]
        lines += ["", *_table(["other published divisions", *names], rows)]
    return lines


def _growth(figures: Record) -> list[str]:
    rows = [[where, f"{each['mean']:.3f}", f"{each['largest']:.3f}", str(each["n"])] for where, each in figures.items()]
    return _table(("place in the large scene", "change of confidence, mean", "largest", "n"), rows)


def _jargon(figures: Record) -> list[str]:
    called = {"glossary": "terms of the glossary", "other": "terms that the glossary does not hold", "all": "all terms"}
    rows = [[called[row["terms"]], *(_share(row[how]) for how in ("auto", "fast", "paper"))] for row in figures["rows"]]
    return _table(("target found", "with the knowledge base", "without", "published, with it"), rows)


def _answers(figures: Record) -> list[str]:
    modes = ("blind", "global", "imagerag", "oracle")
    kinds = figures["global"]["accuracy"]
    rows = [[kind, *(_share(figures[mode]["accuracy"].get(kind)) for mode in modes)] for kind in kinds]
    lines = _table(("kind", *modes), rows)
    compared = figures["imagerag"]["against_global"]["right"]
    lines += [
        "",
        f"- Against *global*, cues fixed {compared['fixed']} answers and broke {compared['broken']} (McNemar p "
        f"{compared['p']:.1e}).",
    ]
    shuffled = figures["shuffled"]
    if shuffled["choices"]["value"] is not None:
        lines.append(
            f"- Another order of the cues changed {_share(shuffled['cues'])} of the answers; another order of the "
            f"choices changed {_share(shuffled['choices'])}."
        )
    sizes = {size: each for size, each in figures["overviews"].items() if each["value"] is not None}
    if sizes:
        by_size = "; ".join(
            f"{'no overview' if size == '0' else f'{size} px'} {_share(each)}" for size, each in sizes.items()
        )
        lines.append(f"- Right answers by the longest side of the overview: {by_size}.")
    return lines


def _demo(figures: Record) -> list[str]:
    accuracy = figures["accuracy"]
    rows = [[kind, _share(each)] for kind, each in accuracy.items()]
    return _table(("questions", "right answers"), [*rows, ["guessing", f"about {_number(figures['guessing'])}"]])


_TABLES: dict[str, Callable[[Record], list[str]]] = {
    "encoders": _encoders,
    "retrieval": _retrieval,
    "growth": _growth,
    "jargon": _jargon,
    "answers": _answers,
    "demo": _demo,
}
