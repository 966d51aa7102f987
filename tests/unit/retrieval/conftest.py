"""Fixtures of these tests: a small world whose state lives in a temporary folder, but for its Milvus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.retrieval.world import World, milvus_of_worlds, worlds  # noqa: F401


@pytest.fixture
def make_world(tmp_path: Path, milvus_of_worlds: Path) -> Iterator[Callable[..., World]]:  # noqa: F811
    with worlds(tmp_path / "home", milvus_of_worlds) as make:
        yield make
