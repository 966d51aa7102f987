"""Fixtures of all tests: the samples of real imagery, and settings that keep all state in a temporary folder."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from imagerag_assets.settings import Settings, load_settings
from tests.s3 import s3_endpoint  # noqa: F401

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: workers side by side must not each take every core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

PROJECT = Path(__file__).resolve().parents[1]
SAMPLES = Path(__file__).resolve().parent / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests begin first; the order within a folder stays."""
    items.sort(key=lambda item: "unit" in item.path.parts)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep each file in one process, so that its fixtures are made once.

    The files that ask the Milvus server share one process: two servers cannot run beside each other.
    """

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "milvus-server" if _asks_server(file) else file

    return ByFile(config, log)


@cache
def _asks_server(file: str) -> bool:
    return "milvus_server" in (PROJECT / file).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own IMAGERAG_* and AWS_* variables, and hubs, play no part in tests."""
    for name in [n for n in os.environ if n.startswith(("IMAGERAG_", "AWS_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def shared_models(pytestconfig: pytest.Config) -> Path:
    """Return a folder of models put together once for all runs of tests: each takes seconds and 280 MB."""
    return pytestconfig.cache.mkdir("models")


@pytest.fixture(autouse=True)
def _shared_models(_no_outside_settings: None, shared_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo model of every test, and the vectors of fixed texts, come from there."""
    monkeypatch.setenv("IMAGERAG_MLLM_CACHE", str(shared_models))
    monkeypatch.setenv("IMAGERAG_CACHE", str(shared_models / "cache"))  # the prompts' vectors take seconds, too


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of small samples of real imagery, which its README describes."""
    return SAMPLES


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose state lives in a temporary folder."""
    return load_settings(home=tmp_path / "home", _env_file=None)


from tests.milvus_server import milvus_server  # noqa: F401
