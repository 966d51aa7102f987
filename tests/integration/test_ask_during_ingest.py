"""One machine, SQLite and Milvus Lite: questions are asked while another process ingests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from imagerag_assets.cli import main
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source


def imagerag(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "imagerag_assets.cli", *arguments, "--json"],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ask_and_ingest_at_once(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    assert main(["ingest", str(write_source(tmp_path / "first", ("first",))), "--json"]) == 0
    names = tuple(f"n{number}" for number in range(4))
    with imagerag("ingest", str(write_source(tmp_path / "more", names, px=600))) as ingest:
        asked = 0
        while ingest.poll() is None and asked < 2:
            with imagerag("ask", "Where is the red field?", "--scene", "first", "--no-answer") as ask:
                out, err = ask.communicate(timeout=300)
            assert ask.returncode == 0, err
            assert json.loads(out)["lineage"]["scenes"].keys() == {"first"}
            asked += 1
        out, err = ingest.communicate(timeout=300)
    assert ingest.returncode == 0, err
    assert json.loads(out)["totals"]["ingested"] == len(names)
    assert asked
