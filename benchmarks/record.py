"""Keep the figures of a measurement, with the commit, machine, day, command and data that they belong to.

Each table has a JSON file in `benchmarks/results`; `tables.py` makes the tables of `docs/results.md` from these files.
"""

from __future__ import annotations

import json
import os
import platform as machine
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from imagerag_assets.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
TABLES = ("encoders", "retrieval", "growth", "jargon", "answers", "demo")
"""The quality tables, in the order of their measurement."""
SPEED = ("speed-ingest", "speed_start", "speed_lite", "speed_server", "speed_paper", "many_scenes")
"""Tables of speed and memory, each measured by a module of its own."""
_CODE = ("imagerag_assets", "benchmarks", ":!benchmarks/results")


def current_commit() -> str:
    """Return the commit of the code, 40 hex digits.

    Raises:
        InputError: the code is not in a git repository, or has changes that are not committed.
    """
    try:
        commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *_CODE)
    except (OSError, subprocess.CalledProcessError):
        raise InputError("The commit of the code is unknown", fix="Run the benchmark in a git clone") from None
    if changes:
        raise InputError(
            f"The code has changes that are not committed: {changes.splitlines()[0].strip()}",
            fix="Commit them first, because results name the commit that they belong to",
        )
    return commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def known_commit(name: str) -> str:
    """Return the full hash of a commit of this repository.

    Raises:
        InputError: there is no such commit.
    """
    try:
        return _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        raise InputError("There is no such commit", fix="Give a commit of this repository", commit=name) from None


def describe_machine() -> dict[str, Any]:
    """Return the model of the processor, the number of cores, and the version of Python."""
    model = machine.processor() or machine.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "python": machine.python_version()}


def describe_machine_now() -> dict[str, Any]:
    """Return the same, and memory in GiB, the load of the last minute, and threads of a library."""
    return describe_machine() | {
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(psutil.getloadavg()[0], 2),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
    }


def machine_in_words(facts: Mapping[str, Any]) -> str:
    """Return what :func:`describe_machine_now` says, in a line."""
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, load {facts['load']}"


def make_record(
    table: str,
    figures: Mapping[str, Any],
    *,
    commit: str,
    command: str,
    data: Mapping[str, Any],
    seconds: float | None,
    day: str | None = None,
) -> dict[str, Any]:
    """Return the JSON document of one table.

    Args:
        table: One of `TABLES` or `SPEED`.
        figures: What was measured; a share is ``{"value", "n", "low", "high"}``.
        commit: The code that was measured.
        command: How to measure it again.
        data: What it was measured on.
        seconds: How long the measurement took; None: unknown.
        day: Date of the measurement, as YYYY-MM-DD; default: today.
    """
    return {
        "table": table,
        "commit": commit,
        "date": day or datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "command": command,
        "data": dict(data),
        "seconds": None if seconds is None else round(seconds),
        "figures": _rounded(figures),
    }


def _rounded(value: Any) -> Any:
    """Keep 6 significant digits of each number."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def write_json(file: Path, document: Mapping[str, Any]) -> None:
    """Write a document aside and rename it into place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(file)


def read_records(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Return the documents of a folder by table."""
    records = (json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json")))
    return {record["table"]: record for record in records}
