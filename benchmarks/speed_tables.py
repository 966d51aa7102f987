"""Make the tables of speed of docs/results.md, in Markdown; `tables.py` puts them into the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows)]


def _met(met: bool | None) -> str:
    return "-" if met is None else "yes" if met else "no"


def _ms(value: float) -> str:
    return f"{value:,.0f} ms"


def server(figures: Record) -> list[str]:
    """Return the table of questions against a Milvus server."""
    rows = []
    for name in ("all", "one scene"):
        each = figures[name]
        rows.append(
            [
                f"{figures['rows']:,} rows, {'unfiltered' if name == 'all' else 'filtered to one scene'}",
                _ms(each["p50_ms"]),
                _ms(each["p95_ms"]),
                _met(each["p95_ms"] <= 100),
                f"{each['recall']:.3f}",
                _met(each["recall"] >= 0.98),
                f"{each['p50_ms'] / each['brute_p50_ms']:.2f}",
            ]
        )
    columns = ("phrases to cues, no second look", "p50", "p95", "at most 100 ms", "recall@10", "at least .98")
    lines = _table((*columns, "p50 / numpy brute force"), rows)
    rate = figures["rows"] / figures["write_s"]
    note = f"Written at {rate:,.0f} rows a second; the index took {figures['index_s']:,.0f} s more."
    return [*lines, "", f"{note} Load of the machine: {figures['load']}."]


def many_scenes(figures: Record) -> list[str]:
    """Return the table of what grows with the number of scenes."""
    rows = []
    for name, each in figures["rows"].items():
        unit = "" if name.endswith("bytes") else " s"
        values = [f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in each["values"]]
        grows = "-" if each["exponent"] is None else f"{each['exponent']:.2f}"
        rows.append([name, *(f"{value}{unit}" for value in values), grows])
    return _table(("seconds of the processor", *(f"{size:,} scenes" for size in figures["sizes"]), "exponent"), rows)


SPEED_TABLES = {
    "many_scenes": many_scenes,
    "speed_server": server,
}
