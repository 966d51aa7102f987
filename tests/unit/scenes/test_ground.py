"""The ground distance of scenes: measured from their grid, and read again only when a record changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from rasterio.transform import Affine, from_origin

from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.ground import box_size_m, pixel_size_m
from imagerag_assets.scenes.records import load_record
from tests.items import scene_at, texture, write_scene

PLACES = {
    "fine": {"transform": from_origin(500_000, 5_300_000, 0.5, 0.5)},
    "coarse": {"transform": from_origin(500_000, 5_300_000, 10, 10)},
    "turned": {"transform": Affine(-0.5, 0, 500_416, 0, 0.5, 5_299_584)},
    "nowhere": {"crs": None, "transform": None},
}


def put(platform: Platform, folder: Path, name: str, profile: dict[str, object]) -> None:
    register(platform, scene_at(write_scene(folder, name, texture(300, 300), profile=profile), platform.settings))


def test_distances_follow_the_records(platform: Platform, tmp_path: Path) -> None:
    for name, profile in PLACES.items():
        put(platform, tmp_path, name, profile)
    found = platform.ground_distances.of()
    assert found == {
        "coarse": pytest.approx(10, rel=0.01), "fine": pytest.approx(0.5, rel=0.01), "nowhere": None,
        "turned": pytest.approx(0.5, rel=0.01),
    }  # fmt: skip
    assert platform.ground_distances.of(["fine", "unknown"]) == {"fine": found["fine"], "unknown": None}
    put(platform, tmp_path, "fine", {"transform": from_origin(500_000, 5_300_000, 2, 2)})
    assert load_record(platform, "fine").grid.transform[0] == 2
    assert platform.ground_distances.of()["fine"] == pytest.approx(2, rel=0.01)
    platform.store.write_bytes("scenes/coarse/record.json", b"{")  # damaged: unknown, not an error of every question
    assert platform.ground_distances.of()["coarse"] is None


def test_pixels_in_degrees_are_narrower_than_they_are_high(platform: Platform, tmp_path: Path) -> None:
    put(platform, tmp_path, "degrees", {"crs": "EPSG:4326", "transform": from_origin(11, 60, 1e-5, 1e-5)})
    put(platform, tmp_path, "metres", {"transform": from_origin(500_000, 5_300_000, 2, 2)})
    assert pixel_size_m(load_record(platform, "degrees").grid) == pytest.approx((0.5566, 1.1132), rel=0.001)
    assert pixel_size_m(load_record(platform, "metres").grid) == pytest.approx((2, 2), rel=0.01)
    assert box_size_m((179.5, -0.5, -179.5, 0.5)) == pytest.approx((111_320, 111_320))
    assert box_size_m((-180, -1, 180, 1))[0] == pytest.approx(360 * 111_320)
