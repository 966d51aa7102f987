"""An installation as every process of it sees it: by environment variables, with the tiny encoder.

Import :func:`installed` and :func:`tiny_registry` to have the fixtures, and :func:`milvus_stays` for many commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from imagerag_assets.objects.aside import ASIDE
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.tiny_encoder import NAME, tiny_registry

__all__ = ["installed", "milvus_stays", "shards_in", "tiny_registry"]


@pytest.fixture
def installed(
    settings: Settings,
    tiny_registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Settings in a temporary folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": settings.home, "ENCODERS_FILE": tiny_registry, "ENCODER": NAME}.items():
        monkeypatch.setenv(f"IMAGERAG_{name}", str(value))
    return load_settings()


@pytest.fixture
def milvus_stays(installed: Settings) -> Iterator[None]:
    """Milvus Lite's server stays up, as if another command ran: each command would start its own otherwise."""
    with closing(LiteShare(lite_path(installed))):
        yield


def shards_in(settings: Settings) -> list[Path]:
    """Return the finished shards; a process that writes one has it under another name until then."""
    found = (settings.home / "objects" / "embeddings").rglob("*.parquet")
    return sorted(path for path in found if not path.name.startswith(ASIDE))
