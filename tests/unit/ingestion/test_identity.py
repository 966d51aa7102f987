"""Settings that decide vectors: changed ones make scenes stale, and never mix into the collection in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import Filter
from tests.items import scene_at, texture, write_scene


@pytest.fixture
def default_settings(tiny_settings: Settings) -> Settings:
    """The tiny encoder with the default division."""
    return tiny_settings.model_copy(update={"patch_px": 256})


@pytest.fixture
def installed(default_settings: Settings) -> Callable[..., Any]:
    """Open the installation with some settings changed."""

    @contextmanager
    def opened(**changes: object) -> Iterator[Platform]:
        with Platform(default_settings.model_copy(update=changes)) as platform:
            yield platform

    return opened


def sides(platform: Platform, scene: str, collection: str = "patches") -> set[int]:
    """Sides of the finest patches of a scene, in pixels."""
    rows = platform.vectors.query(collection, Filter().scene_in([scene]).level_in([0]), ["x0", "x1"])
    return {row["x1"] - row["x0"] for row in rows}


def deep(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint16 (3, h, w), which is stretched."""
    return texture(height, width, seed).astype(np.uint16) * 37


CHANGES: list[dict[str, object]] = [
    {"patch_px": 192},
    {"patch_overlap": 0.25},
    {"min_valid_fraction": 0.1},
    {"stretch_percentiles": (10.0, 90.0)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_changed_setting_is_never_skipped(
    tmp_path: Path, installed: Callable[..., Any], change: dict[str, object]
) -> None:
    item = write_scene(tmp_path, "port", deep(300, 700))
    with installed() as platform:
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "ingested"
    with installed(**change) as platform:
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "ingested"
        assert ingest_scene(platform, scene_at(item, platform.settings)).status == "skipped"


def test_patches_of_another_size_do_not_join_the_collection_in_use(
    tmp_path: Path, installed: Callable[..., Any]
) -> None:
    first, second = (write_scene(tmp_path, name, texture(300, 700, seed)) for seed, name in enumerate(("one", "two")))
    with installed() as platform:
        ingest_scene(platform, scene_at(first, platform.settings))
    with installed(patch_px=192) as platform:
        assert ingest_scene(platform, scene_at(second, platform.settings)).error is None
        assert sides(platform, "one") == {256}
        assert sides(platform, "two") == {256}
