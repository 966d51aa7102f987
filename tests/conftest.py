"""Fixtures shared by all tests: the real sample data, and settings that keep all state in a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagerag_assets.settings import Settings, load_settings
from tests.s3 import s3_endpoint  # noqa: F401

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own IMAGERAG_* and AWS_* variables, and hubs, play no part in tests."""
    for name in [n for n in os.environ if n.startswith(("IMAGERAG_", "AWS_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def _sample(path: Path, what: str) -> Path:
    """Sample data that is no part of the project: without it a test is skipped, or fails where CI is set."""
    if not path.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} not found at {path}")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample imagery."""
    return _sample(SHARED / "data", "sample data")


@pytest.fixture(scope="session")
def make_mosaic_script() -> Path:
    """The script that stitches chips into large scenes with exact truth."""
    return _sample(SHARED / "tools" / "make_mosaic.py", "mosaic script")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose state lives in a temporary folder."""
    return load_settings(home=tmp_path / "home", _env_file=None)


from tests.milvus_server import milvus_server  # noqa: F401
