"""The table of encoders of docs/model-choice.md, from the registry: licences, parameters, memory of the weights."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- Made by `make docs`: encoders -->", "<!-- end of encoders -->"
_REGISTRY = HERE.parent / "imagerag_assets" / "encoders" / "registry.toml"
_LEFT_OUT = ("demo-first", "served")  # of earlier releases; of any server


def filled(page: str) -> str:
    """Return the page with the table between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/model-choice.md lacks its marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{_table()}\n\n{END}{after}"


def _table() -> str:
    encoders = tomllib.loads(_REGISTRY.read_text(encoding="utf-8"))["encoders"]
    lines = [
        "| encoder | licence of the weights | what it was taught with | parameters | CPU | GPU |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in encoders.items():
        if name in _LEFT_OUT:
            continue
        number = sum(
            float(value) * (1e9 if unit == "B" else 1e6)
            for value, unit in re.findall(r"([\d.]+) ([MB])\b", entry["parameters"])
        )
        cpu, gpu = (_size(number * each) for each in (4, 2))
        parts = (f"`{name}`", entry["licence"], entry["training_licence"], entry["parameters"], cpu, gpu)
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def _size(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
