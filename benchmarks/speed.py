"""What the measurements of speed share: percentiles, the load of the machine, and keeping figures.

Each `speed_*.py` measures one table of docs/results.md and keeps it in `benchmarks/results` (`record.py`).  Figures are
of a machine that may have other work, so each comes with a ratio taken within the run, and with the load.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, current_commit, make_record, write_json
from benchmarks.tables import section
from imagerag_assets.errors import InputError


def _commit() -> str:
    try:
        return current_commit()
    except InputError as error:
        print(f"figures will not be kept: {error}", file=sys.stderr)
        return ""


_MEASURED = _commit()
"""The commit when the measurement began; empty: the code has changes."""


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50 and p95 in milliseconds, and n."""
    values = np.array(seconds) * 1000
    return {"p50_ms": float(np.median(values)), "p95_ms": float(np.quantile(values, 0.95)), "n": len(seconds)}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that some work took, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def load() -> float:
    """Return how many processes wanted a core in the last minute."""
    return round(os.getloadavg()[0], 1)


def keep(
    table: str, figures: Mapping[str, Any], *, data: Sequence[str], seconds: float, module: str | None = None
) -> None:
    """Write a table's figures to `benchmarks/results`, and print them; of code with changes they are only printed.

    Args:
        table: Its name.
        figures: What was measured.
        data: What it was measured on.
        seconds: How long that took.
        module: Of `benchmarks`, that measured it; default: that of the table's name.
    """
    command = " ".join(["python", "-m", f"benchmarks.{module or table}", *sys.argv[1:]])
    record = make_record(
        table,
        {**figures, "load": load()},
        commit=_MEASURED or "0" * 40,
        command=command,
        data={"other": list(data)},
        seconds=seconds,
    )
    if _MEASURED:
        write_json(RESULTS / f"{table.replace('_', '-')}.json", record)
    print(section(record))
