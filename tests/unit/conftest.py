"""Fixtures of the unit tests: a platform with a small real encoder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401


@pytest.fixture
def platform(tiny_settings: Settings) -> Iterator[Platform]:  # noqa: F811
    """An installation with nothing in it."""
    with Platform(tiny_settings) as opened:
        yield opened
