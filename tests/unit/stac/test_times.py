"""Items of an interval (`datetime: null`): both ends are kept, and what is strange is told in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

JUNE, JULY = "2024-06-01T00:00:00Z", "2024-07-01T00:00:00Z"


@pytest.mark.parametrize(
    ("times", "start", "end", "note"),
    [
        ({"start_datetime": JUNE, "end_datetime": JULY}, JUNE, JULY, ""),
        ({"start_datetime": JUNE, "end_datetime": JUNE}, JUNE, None, ""),
        ({"start_datetime": JULY, "end_datetime": JUNE}, JUNE, JULY, "ends before it starts (2024-07-01/2024-06-01)"),
        ({"start_datetime": JUNE}, JUNE, None, "has no end: its start counts"),
        ({"end_datetime": JULY}, JULY, None, "has no start: its end counts"),
        ({"start_datetime": JUNE, "end_datetime": ".."}, JUNE, None, "has no end: its start counts"),
        ({"start_datetime": "..", "end_datetime": ".."}, None, None, "has no time"),
        ({"datetime": "0001-01-01T00:00:00+01:00"}, "0001-01-01T00:00:00Z", None, ""),
        ({"datetime": "9999-12-31T23:59:59-05:00"}, "9999-12-31T23:59:59.999999Z", None, "in the future"),
        ({}, None, None, "has no time"),
    ],
)
def test_an_interval_keeps_both_ends(
    settings: Settings,
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    times: dict[str, str],
    start: str | None,
    end: str | None,
    note: str,
) -> None:
    write_tif(tmp_path / "image.tif")
    (scene,) = find_scenes(str(write(tmp_path / "item.json", item(properties={"datetime": None} | times))), settings)
    assert isinstance(scene, Scene), scene.error
    assert scene.acquired_at == (start and datetime.fromisoformat(start).astimezone(UTC))
    assert scene.acquired_until == (end and datetime.fromisoformat(end).astimezone(UTC))
    assert note in " ".join(scene.notes)
    stored = json.loads(json.dumps(scene.to_dict()))
    assert Scene.from_dict(stored) == scene
    assert ("acquired_until" in stored) is (end is not None)


@pytest.mark.parametrize(
    "times",
    [{"start_datetime": JUNE, "end_datetime": "soon"}, {"start_datetime": ["x"], "end_datetime": {}}, {"datetime": 7}],
)
def test_times_that_are_none_fail_their_item_only(
    settings: Settings,
    tmp_path: Path,
    item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
    write_tif: Callable[..., Path],
    times: dict[str, Any],
) -> None:
    write_tif(tmp_path / "image.tif")
    write(tmp_path / "a.json", item("a", properties={"datetime": None} | times))
    write(tmp_path / "b.json", item("b"))
    failed, scene = find_scenes(str(tmp_path), settings)
    assert isinstance(failed, FailedItem)
    assert "\n" not in str(failed.error)
    assert scene.scene_key == "b"
