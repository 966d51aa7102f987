"""The figures of docs/scale.md: arithmetic on what was measured, from one scene to a million.

The page has the marks; what stands between them is made here by `make docs`, each number with what it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.record import read_records
from imagerag_assets.patches.divisions import division

HERE = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- scale: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SCENES = 1_000_000
DIM, M = 384, 16
"""Length of the demo encoder's vectors; links of HNSW, `stores.milvus_schema.index_params`."""
RATE, RATE_CORES = 194, 2
"""Patches a second, whole ingest, and cores: docs/results.md, ingest of a large scene."""
DAYS, PRICE, WATTS = 30, 0.05, 10
"""Inputs, not measurements: days for all scenes, money for a core and an hour, watts of a core. Put your own here."""
LAYERS = {
    "IVF_SQ8": DIM,
    "IVF_FLAT": 4 * DIM,
    "HNSW": 4 * DIM + 4 * (2 * M + M // (M - 1)),
}
"""Bytes in memory for a vector, by layout: one byte a number, four, and four with 2 M links on the ground layer and M
on each layer above, which one vector of M reaches."""
KINDS = {"10 m, 10,980 px a side": (10_980, 10.0), "0.5 m, 30,000 px a side": (30_000, 0.5)}
_INGEST = "[results](results.md#ingest-of-a-large-scene)"
_EDGE = 100_000
"""Partitions of an asset, up to which Dagster names its limits (its documentation)."""


def filled(page: str) -> str:
    """Return the page with the tables between its marks."""
    return _BLOCK.sub(lambda match: f"{match[1]}{_PARTS[match[2]]()}\n{match[4]}", page)


def _patches(side: int) -> int:
    return division("pyramid").count(side, side)


def _rows(columns: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _bytes(value: float) -> str:
    for name, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:,.1f} {name}"
    return f"{value / 1e3:,.1f} kB"


def _inputs() -> str:
    rows = [
        ["patches a second, whole ingest", f"{RATE} on {RATE_CORES} cores", _INGEST],
        ["length of a vector", f"{DIM} numbers of 4 bytes", "demo encoder"],
    ]
    kept = _stored()
    if kept:
        n = kept["rows"]
        source = "`python -m benchmarks.speed_start`"
        other = kept["scenes"] + kept["sources"]
        rows += [
            ["shard, bytes a patch", f"{kept['embeddings']:,} / {n} = {kept['embeddings'] / n:,.0f}", source],
            ["patch table, bytes a patch", f"{kept['patches']:,} / {n} = {kept['patches'] / n:,.0f}", source],
            ["record, item and overview, bytes a scene", f"{other:,}", source],
        ]
    rows += [
        ["days for all scenes", f"{DAYS}", "input"],
        ["price of a core and an hour", f"{PRICE}", "input"],
        ["power of a core", f"{WATTS} W", "input"],
    ]
    return _rows(["what", "figure", "from"], rows)


def _stored() -> dict[str, int] | None:
    record = read_records().get("speed_start")
    return None if record is None else record["figures"].get("stored")


def _scenes() -> str:
    kept, rows = _stored(), []
    of = {name: (_patches(side), (side * pixel / 1000) ** 2) for name, (side, pixel) in KINDS.items()}
    rows.append(["patches a scene (`patches.divisions`)", *(f"{count:,}" for count, _ in of.values())])
    rows.append(["ground of a scene", *(f"{area:,.0f} km2" for _, area in of.values())])
    rows.append(["patches", *(f"{count * SCENES:.2e}" for count, _ in of.values())])
    if kept:
        of_patch = (kept["embeddings"] + kept["patches"]) / kept["rows"]
        of_scene = kept["scenes"] + kept["sources"]
        rows.append(["object store", *(_bytes(SCENES * (count * of_patch + of_scene)) for count, _ in of.values())])
    for name, size in LAYERS.items():
        sizes = (_bytes(SCENES * count * size) for count, _ in of.values())
        rows.append([f"index in memory, {name} ({size:,} bytes a vector)", *sizes])
    hours = {name: SCENES * count / RATE * RATE_CORES / 3600 for name, (count, _) in of.items()}
    rows.append([f"core hours (patches / {RATE} x {RATE_CORES} / 3600)", *(f"{each:,.0f}" for each in hours.values())])
    rows.append([f"cores for {DAYS} days", *(f"{each / 24 / DAYS:,.0f}" for each in hours.values())])
    money = [hours[name] * PRICE / (SCENES * area / 1e6) for name, (_, area) in of.items()]
    rows.append(["money for a million km2", *(f"{each:,.0f}" for each in money)])
    energy = [hours[name] * WATTS / 1000 / (SCENES * area / 1e6) for name, (_, area) in of.items()]
    rows.append(["energy for a million km2", *(f"{each:,.0f} kWh" for each in energy)])
    return _rows([f"{SCENES:,} scenes of", *KINDS], rows)


def _metadata() -> str:
    record = read_records().get("many_scenes")
    if record is None:
        return "Not measured yet: `python -m benchmarks.many_scenes`."
    figures = record["figures"]
    sizes, rows = figures["sizes"], []
    for name, each in figures["rows"].items():
        last, exponent = each["values"][-1], max(1.0, each["exponent"] or 1.0)
        grown = last * (SCENES / sizes[-1]) ** exponent
        unit = "" if name.endswith("bytes") else " s"
        rows.append([name, f"{last:,.2f}{unit}" if unit else f"{last:,.0f}", f"{exponent:.2f}", f"{grown:,.0f}{unit}"])
    return _rows(["seconds of the processor", f"{sizes[-1]:,} scenes", "exponent", f"{SCENES:,} scenes"], rows)


def _limits() -> str:
    rows = []
    for name, (side, _) in KINDS.items():
        count = _patches(side)
        rows.append(
            [
                name,
                f"{20_000 // count:,}",
                f"{64e9 / count / LAYERS['HNSW']:,.0f}",
                f"{64e9 / count / LAYERS['IVF_SQ8']:,.0f}",
                f"{_EDGE:,}",
            ]
        )
    columns = [
        "scenes of",
        "Milvus Lite, exact (20,000 rows)",
        "HNSW in 64 GB",
        "IVF_SQ8 in 64 GB",
        "partitions of an asset",
    ]
    return _rows(columns, rows)


_PARTS: dict[str, Callable[[], str]] = {
    "inputs": _inputs,
    "scenes": _scenes,
    "metadata": _metadata,
    "limits": _limits,
}
