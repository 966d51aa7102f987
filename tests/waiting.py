"""Waiting for what another process brings about."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest


def wait_until(reached: Callable[[], object], running: subprocess.Popen[str]) -> None:
    """Wait for a state that a process brings about, and leave it the processor meanwhile."""
    while not reached():
        try:
            ended = running.communicate(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"it ended first: {ended}")
