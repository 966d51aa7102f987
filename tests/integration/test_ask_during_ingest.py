"""One machine, SQLite and Milvus Lite: questions are asked while another process ingests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.cli import main
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.installation import installed, shards_in, tiny_registry  # noqa: F401
from tests.small_source import write_source
from tests.waiting import wait_until


def imagerag(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "imagerag_assets.cli", *arguments, "--json"],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ask_and_ingest_at_once(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ingest", str(write_source(tmp_path / "first", ("first",))), "--json"]) == 0
    names = tuple(f"n{number}" for number in range(4))
    with imagerag("ingest", str(write_source(tmp_path / "more", names, px=600))) as ingest:
        wait_until(lambda: len(shards_in(installed)) > 1, ingest)  # it is in the middle of its work
        for _ in range(2):
            capsys.readouterr()
            assert main(["ask", "Where is the red field?", "--scene", "first", "--no-answer", "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["lineage"]["scenes"].keys() == {"first"}
        out, err = ingest.communicate(timeout=300)
    assert ingest.returncode == 0, err
    assert json.loads(out)["totals"]["ingested"] == len(names)
