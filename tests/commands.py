"""Commands of the program, run in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagerag_assets.cli import main


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the JSON document of a command."""
    capsys.readouterr()
    code = main([*command, "--json"])
    return code, json.loads(capsys.readouterr().out)
