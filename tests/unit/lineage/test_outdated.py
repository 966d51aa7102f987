"""Outdated answers: what time does to an answer, and what it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.outdated import Present, answers
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import answer_folder, save_answer
from imagerag_assets.raster.types import Grid, RenderSpec
from imagerag_assets.scenes.records import SceneRecord, record_key, save_record
from imagerag_assets.scenes.removed import mark_removed
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Band, Imagery, Scene
from imagerag_assets.stores.shards import Made, ShardKey, ShardWriter
from tests.answers import answer_record

FINGERPRINT, OTHER = "a" * 64, "b" * 64
ASKED = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONLAT = rasterio.CRS.from_epsg(4326).to_wkt()
AT_HOME, AWAY = (10.0, 50.0), (20.0, 50.0)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings) as opened:
        yield opened


def put_scene(
    platform: Platform,
    key: str,
    acquired: datetime | None,
    *,
    corner: tuple[float, float] = AT_HOME,
    stored: datetime | None = ASKED - timedelta(days=1),
    version: str = "e" * 64,
) -> SceneRecord:
    """A registered scene of a degree a side; `stored`: when its shard was, None: it is not embedded."""
    imagery = Imagery((Band("visual", "x.tif", 1),) * 3, "optical", ("visual",))
    scene = Scene(
        key, key, None, "catalog.json", f"/{key}.json", version, acquired, bbox=None, geometry=None, imagery=imagery,
        cloud_cover=None,
    )  # fmt: skip
    grid = Grid(100, 100, LONLAT, (0.01, 0.0, corner[0], 0.0, -0.01, corner[1]), has_overviews=True)
    record = SceneRecord(scene, grid, RenderSpec(((0.0, 255.0),) * 3, "uint8", "optical"))
    save_record(platform, record, np.zeros((4, 4, 3), np.uint8))
    if stored is not None:
        path = ShardKey(key, "pyramid", FINGERPRINT, version).path
        platform.store.write_bytes(path, b"only listed")
        os.utime(platform.store.url(path), (stored.timestamp(), stored.timestamp()))
    return record


def put_answer(
    platform: Platform, scenes: dict[str, SceneRecord], *, cues: tuple[list[float] | None, ...] = (), **changes: Any
) -> AnswerRecord:
    """The record of an answer given at noon."""
    record: dict[str, Any] = {
        "answer_id": "20260601T120000-00000000", "question": "Where?", "answer": "there", "path": "fast",
        "cues": [{"bbox": bbox} for bbox in cues],
        "asked_at": ASKED.isoformat(timespec="milliseconds"),
        "lineage": {
            "fingerprint": FINGERPRINT,
            "scenes": {key: each.scene.version for key, each in scenes.items()},
            "acquired": {key: each.scene.acquired_at and each.scene.acquired_at.isoformat() for key, each in
                         scenes.items()},
        },
    }  # fmt: skip
    made = answer_record(**record | changes)
    save_answer(platform, made)
    return made


def reasons(platform: Platform, record: AnswerRecord) -> list[tuple[str, str | None]]:
    return [(each.reason, each.scene) for each in Present(platform).reasons(record)]


MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)
LATER = ASKED + timedelta(hours=1)
CUE = [10.2, 49.5, 10.3, 49.6]


def test_nothing_has_happened(platform: Platform) -> None:
    record = put_answer(platform, {"one": put_scene(platform, "one", MAY)}, cues=(CUE,))
    assert reasons(platform, record) == []


def test_a_newer_acquisition_over_the_cues(platform: Platform) -> None:
    record = put_answer(platform, {"one": put_scene(platform, "one", MAY)}, cues=(CUE,))
    put_scene(platform, "newer", JUNE, stored=LATER)
    put_scene(platform, "elsewhere", JUNE, stored=LATER, corner=AWAY)
    put_scene(platform, "older", MAY - timedelta(days=9), stored=LATER)  # late, and no news
    put_scene(platform, "searched", JUNE, stored=ASKED - timedelta(minutes=1))  # the answer had it to choose from
    put_scene(platform, "unembedded", JUNE, stored=None)
    put_scene(platform, "undated", None, stored=LATER)
    assert reasons(platform, record) == [("newer-acquisition", "newer")]


def test_the_footer_says_since_when_a_scene_can_be_searched_and_not_the_date_of_a_copied_file(
    platform: Platform,
) -> None:
    record = put_answer(platform, {"one": put_scene(platform, "one", MAY)}, cues=(CUE,))
    for key, stored_at in {"searched": ASKED - timedelta(days=1), "newer": LATER}.items():
        scene = put_scene(platform, key, JUNE).scene
        shard = ShardKey(key, "pyramid", FINGERPRINT, scene.version)
        with ShardWriter(platform.store, shard, dim=8, encoder="e") as writer:
            writer.commit(made=Made(stored_at=stored_at))
    assert reasons(platform, record) == [("newer-acquisition", "newer")]


def test_without_cues_the_area_asked_about_counts_then_the_scenes(platform: Platform) -> None:
    one = put_scene(platform, "one", MAY)
    put_scene(platform, "newer", JUNE, stored=LATER)
    put_scene(platform, "away", JUNE, stored=LATER, corner=AWAY)
    assert reasons(platform, put_answer(platform, {"one": one})) == [("newer-acquisition", "newer")]
    about = put_answer(platform, {"one": one}, options={"bbox": [20.5, 49.5, 20.6, 49.6]})
    assert reasons(platform, about) == [("newer-acquisition", "away")]
    assert reasons(platform, put_answer(platform, {"one": one}, cues=(None,))) == [("newer-acquisition", "newer")]


def test_an_area_across_the_antimeridian(platform: Platform) -> None:
    record = put_answer(platform, {"one": put_scene(platform, "one", MAY)}, cues=([179.9, 49.4, -179.9, 49.6],))
    put_scene(platform, "west", JUNE, stored=LATER, corner=(-180.0, 50.0))
    put_scene(platform, "home", JUNE, stored=LATER)
    assert reasons(platform, record) == [("newer-acquisition", "west")]


def test_scenes_that_changed_or_went(platform: Platform) -> None:
    used = {key: put_scene(platform, key, MAY) for key in ("changed", "gone", "marked")}
    record = put_answer(platform, used, cues=(CUE,))
    put_scene(platform, "changed", MAY, version="f" * 64)
    platform.store.delete(record_key("gone"))
    mark_removed(platform, "marked")
    assert reasons(platform, record) == [
        ("scene-changed", "changed"), ("scene-removed", "gone"), ("scene-removed", "marked"),
    ]  # fmt: skip


def test_a_retired_encoder(platform: Platform) -> None:
    record = put_answer(platform, {"one": put_scene(platform, "one", MAY)})
    vectors = platform.vectors
    vectors.point_alias("patches", vectors.ensure_patches(FINGERPRINT, 8))
    assert reasons(platform, record) == []
    vectors.point_alias("patches", vectors.ensure_patches(OTHER, 8))
    assert reasons(platform, record) == [("encoder-retired", None)]


def test_no_milvus_file_is_made_to_ask_it(platform: Platform) -> None:
    assert reasons(platform, put_answer(platform, {})) == []
    assert not Path(platform.settings.milvus).exists()


def test_many_answers_the_newest_first(platform: Platform) -> None:
    one = put_scene(platform, "one", MAY)
    for number in range(300):
        scene = replace(one, scene=replace(one.scene, version="0" * 64)) if number % 3 == 0 else one
        put_answer(platform, {"one": scene}, answer_id=f"20260601T120000-{number:08x}")
    broken = answer_folder("20260601T130000-00000000")
    platform.store.write_bytes(f"{broken}/answer.json", b"{")
    notes: list[str] = []
    found = list(answers(platform, notes=notes))
    assert len(notes) == 1
    assert "20260601T130000-00000000" in notes[0]
    assert [record.answer_id[-8:] for record, _ in found] == [f"{number:08x}" for number in range(299, -1, -1)]
    assert [bool(why) for _, why in found] == [number % 3 == 0 for number in range(299, -1, -1)]
    assert len(list(answers(platform, limit=5))) == 5
    picked = list(answers(platform, limit=40, only_outdated=True))
    assert len(picked) == 40
    assert {why[0].reason for _, why in picked} == {"scene-changed"}
