"""Make the tables of speed of docs/results.md, in Markdown; `tables.py` puts them into the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import SIGNS, met, table

Record = Mapping[str, Any]


def _ms(value: float) -> str:
    return f"{value:,.0f} ms"


def server(figures: Record) -> list[str]:
    """Return the table of questions against a Milvus server."""
    return _questions(figures, p50=None, p95=100)


def lite(figures: Record) -> list[str]:
    """Return the table of questions against a Milvus Lite file."""
    return _questions(figures, p50=150, p95=300)


def _questions(figures: Record, *, p50: float | None, p95: float) -> list[str]:
    rows = []
    for name in ("all", "one scene"):
        each = figures[name]
        rows.append(
            [
                f"{figures['rows']:,} rows, {'unfiltered' if name == 'all' else 'filtered to one scene'}",
                _ms(each["p50_ms"]),
                _ms(each["p95_ms"]),
                met(each["p95_ms"] <= p95 and (p50 is None or each["p50_ms"] <= p50)),
                f"{each['recall']:.3f}",
                met(each["recall"] >= 0.98),
                f"{each['p50_ms'] / each['brute_p50_ms']:.2f}",
            ]
        )
    target = f"p95 at most {p95:g} ms" + ("" if p50 is None else f", p50 {p50:g} ms")
    columns = ("phrases to cues, no second look", "p50", "p95", target, "recall@10", "at least .98")
    lines = table((*columns, "p50 / numpy brute force"), rows)
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
    return table(("seconds of the processor", *(f"{size:,} scenes" for size in figures["sizes"]), "exponent"), rows)


_STARTS = {
    "import imagerag_assets": (0.5, "python itself"),
    "imagerag --help": (0.5, "python itself"),
    "dagster definitions validate": (5.0, "dagster definitions validate, nothing defined"),
    "imagerag ask, cold": (4.0, "imagerag ask, resident process"),
    "imagerag ask, cold, read by rules": (4.0, "imagerag ask, resident process"),
    "imagerag ask, resident process": (0.5, "imagerag --help"),
}
"""Seconds at most, and what a command is compared with."""


def start(figures: Record) -> list[str]:
    """Return the table of starts, and what a batch saves."""
    found, rows = figures["rows"], []
    for name, each in found.items():
        limit, beside = _STARTS.get(name, (None, None))
        ratio = "" if beside is None else f"{each['cpu_s'] / found[beside]['cpu_s']:.1f} x {beside}"
        rows.append(
            [
                name,
                f"{each['s']:.2f} s",
                f"{each['cpu_s']:.2f} s",
                "" if limit is None else f"{limit:g} s",
                "" if limit is None else met(each["s"] <= limit),
                ratio,
            ]
        )
    lines = table(("command", "took", "of the processor", "target", "met", "of the processor, against"), rows)
    batch = found[f"imagerag ask --batch, {figures['batch']} questions"]
    single = found["imagerag ask, cold, read by rules"]
    ratio = single["s"] * figures["batch"] / batch["s"]
    note = f"A batch of {figures['batch']} questions takes 1/{ratio:.0f} of the time of so many commands (target: 1/5)."
    return [*lines, "", f"{note} Load of the machine at the end: {figures['load']}, on 2 cores."]


def paper(figures: Record) -> list[str]:
    """Return the table of the published retrieval against ours."""
    cold = figures["paper, cold"]["p50_ms"]
    rows = []
    for name in ("without second look", "with second look"):
        each, encoder = figures[name], figures[f"100 patches, {name}"]["p50_ms"]
        rows.append(
            [
                f"ours, indexed, {name}",
                _ms(each["p50_ms"]),
                f"{each['p50_ms'] / encoder:.2f}",
                f"{cold / each['p50_ms']:.0f}",
                met(cold / each["p50_ms"] >= 100),
            ]
        )
    encoder = figures["100 patches, with second look"]["p50_ms"]
    rows.append(["published, cold", _ms(cold), f"{cold / encoder:.2f}", "1", ""])
    rows.append(["published, again", _ms(figures["paper, again"]["p50_ms"]), "", "", ""])
    columns = ("phrases to cues", "p50", "/ encoder's time for 100 patches", "published, cold / ours", "at least 100")
    return [*table(columns, rows), "", f"Load of the machine: {figures['load']}."]


def speed_table(figures: Record) -> list[str]:
    """Return a table of speeds and sizes: figure, target, what was measured, and of what."""
    rows = [
        [
            each["figure"],
            f"{SIGNS[each['sign']]} {_plain(each['target'])}",
            _plain(each["value"]),
            met(each["met"]),
            each["of"],
            "; ".join(f"`{command}`" for command in each["commands"]),
        ]
        for each in figures["rows"]
    ]
    return table(("figure", "target", "measured", "met", "of", "by"), rows)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


SPEED_TABLES = {
    "speed-ingest": speed_table,
    "speed_paper": paper,
    "speed_start": start,
    "many_scenes": many_scenes,
    "speed_lite": lite,
    "speed_server": server,
}
