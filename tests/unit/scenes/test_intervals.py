"""Scenes of an interval are found by every time that meets it, also in the index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.errors import QuestionError
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.resolve import _require_rows
from imagerag_assets.questions.scope import filter_of
from imagerag_assets.scenes.intervals import INTERVALS, begun_before
from imagerag_assets.settings import Settings
from tests.items import scene_at, texture, write_scene


def test_a_time_that_meets_an_interval_finds_its_patches(tmp_path: Path, tiny_settings: Settings) -> None:
    item = write_scene(tmp_path, "month", texture(300, 300))
    other = write_scene(tmp_path, "moment", texture(300, 300, 1))  # of 2024-05-06

    def lasts(start: str, end: str) -> None:
        content = json.loads(item.read_text())
        times = {"datetime": None, "start_datetime": f"{start}T00:00:00Z", "end_datetime": f"{end}T00:00:00Z"}
        content["properties"] |= times
        item.write_text(json.dumps(content))

    lasts("2024-06-01", "2024-07-01")
    with Platform(tiny_settings) as platform:
        for each in (item, other):
            assert ingest_scene(platform, scene_at(each, platform.settings)).error is None

        def found(time: str) -> set[str]:
            where = filter_of(platform, Question("?", datetime=time))
            return {row["scene_key"] for row in platform.vectors.query("patches", where, ["scene_key"])}

        assert found("2024-06-15") == {"month"}
        assert found("2024-05-06/2024-06-01") == {"month", "moment"}
        assert found("2024-07-01/..") == {"month"}
        assert found("../2024-05-31") == {"moment"}
        assert found("2024-07-02/..") == set()
        serving = find_serving(platform)
        assert serving is not None
        _require_rows(platform, Question("?", datetime="2024-06-15"), serving)
        with pytest.raises(QuestionError, match="Nothing that was ingested"):
            _require_rows(platform, Question("?", datetime="2024-08-15"), serving)
        lasts("2024-06-01", "2024-06-02")
        assert ingest_scene(platform, scene_at(item, platform.settings)).error is None
        assert found("2024-06-15") == set()
        assert len(platform.store.list(INTERVALS)) == 1
        assert begun_before(platform, None) == ()
