"""Fixtures of all tests: the samples of real imagery, and settings that keep all state in a temporary folder."""

from __future__ import annotations

import gc
import itertools
import os
import tempfile
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from imagerag_assets.settings import Settings, load_settings
from tests.s3 import s3_endpoint  # noqa: F401
from tests.tile_server import tile_server  # noqa: F401

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: workers side by side must not each take every core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

NIGHTLY = bool(os.environ.get("NIGHTLY"))
"""Whether tests of kills, faults and mutations run in their full number."""
PROJECT = Path(__file__).resolve().parents[1]
SAMPLES = Path(__file__).resolve().parent / "data"
_HOMES = itertools.count()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while all is imported, nor among it later: it stays, and looking takes a worker seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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


@pytest.fixture(scope="session")
def shared_models(pytestconfig: pytest.Config) -> Path:
    """Return a folder of models put together once for all runs of tests: each takes seconds and 280 MB."""
    return pytestconfig.cache.mkdir("models")


@pytest.fixture(scope="session", autouse=True)
def _session_environment(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings come from the tests alone, and all share the demo model and the vectors of fixed texts.

    Temporary files are in a folder of their own: `doctor --deep` names what killed processes left among the system's,
    and tests in another process kill some.  It holds for fixtures of a module, too, which are made before those of a
    test.
    """
    tmp_path_factory.getbasetemp()  # stays where it is
    with (
        tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True) as temporary,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        _set_environment(patch, shared_models)
        yield


@pytest.fixture(autouse=True)
def _environment(_session_environment: None, shared_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an earlier test left behind plays a part, either."""
    _set_environment(monkeypatch, shared_models)


def _set_environment(patch: pytest.MonkeyPatch, models: Path) -> None:
    """Remove a developer's own IMAGERAG_*, AWS_* and DAGSTER_* variables; keep hubs out.

    A test that names no home gets one of its own that nobody made yet: the project's may be in use, by the demo beside
    the tests for one.  Patches are counted in pixels, whatever ground a test's scenes lie on; tests of patches in
    metres say so.
    """
    for name in [n for n in os.environ if n.startswith(("IMAGERAG_", "AWS_", "DAGSTER_"))]:
        patch.delenv(name)
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("IMAGERAG_HOME", os.path.join(tempfile.gettempdir(), f"home-{next(_HOMES)}"))
    patch.setenv("IMAGERAG_PATCH_M", "pixels")
    patch.setenv("IMAGERAG_MLLM_CACHE", str(models))
    patch.setenv("IMAGERAG_CACHE", str(models / "cache"))  # the prompts' vectors take seconds, too


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of small samples of real imagery, which its README describes."""
    return SAMPLES


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose state lives in a temporary folder."""
    return load_settings(home=tmp_path / "home", _env_file=None)


from tests.milvus_server import milvus_server  # noqa: F401
