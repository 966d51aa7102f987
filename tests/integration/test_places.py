"""Scenes lie where they are, and questions with an area meet those that lie there; wrong ones fail alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin
from shapely.geometry import box

from imagerag_assets.ingestion.explain import explain
from imagerag_assets.ingestion.ingest import SceneResult, ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.coverage import covers, footprint_of
from imagerag_assets.questions.question import Question
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.records import list_records, load_record
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_filter import Filter
from tests.items import texture, write_item, write_tiff
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401

Bbox = tuple[float, float, float, float]
UTM33 = "EPSG:32633"


def over_180() -> list[GroundControlPoint]:
    return [
        GroundControlPoint(row, col, (177.7 + 3.5 * col / 900 + 180) % 360 - 180, 62.65 - 1.75 * row / 900)
        for row in np.linspace(0, 900, 6)
        for col in np.linspace(0, 900, 6)
    ]


def put(folder: Path, name: str, bbox: list[float] | None, fields: dict[str, Any] | None = None,
        geometry: dict[str, Any] | None = None, suffix: str = ".tif", **properties: Any) -> None:  # fmt: skip
    """An item for a picture that is there, with the bbox, geometry and fields of its asset as given."""
    path = write_item(folder / f"{name}.json", f"./{name}{suffix}", **properties)
    content = json.loads(path.read_text())
    content["geometry"] = geometry
    content.pop("bbox")
    if bbox is not None:
        content["bbox"] = bbox
    content["assets"]["visual"] |= (fields or {}) | ({"type": "image/png"} if suffix == ".png" else {})
    path.write_text(json.dumps(content))


def write_catalog(folder: Path) -> None:
    folder.mkdir()
    write_tiff(folder / "gcps.tif", texture(900, 900), crs="EPSG:4326", transform=None, gcps=over_180())
    put(folder, "gcps", [177.6, 60.9, -178.8, 62.65])
    for number, left in enumerate((500_000, 501_200), start=1):
        at = {"crs": UTM33, "transform": from_origin(left, 5_300_000, 10, 10)}
        write_tiff(folder / f"chip{number}.tif", texture(120, 120, number), **at)
        put(folder, f"chip{number}", None)
    goes = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x"
    write_tiff(folder / "disk.tif", texture(700, 700), crs=goes, transform=from_origin(-5.5e6, 5.5e6, 15714, 15714))
    put(folder, "disk", [-156.5, -81.4, 6.5, 81.4])
    arctic = {"crs": "EPSG:3413", "transform": from_origin(-600_000, 600_000, 2000, 2000)}
    write_tiff(folder / "pole.tif", texture(600, 600), **arctic)
    put(folder, "pole", [-180, 82, 180, 90])
    Image.fromarray(np.moveaxis(texture(300, 400), 0, -1)).save(folder / "said.png")
    said = {"proj:code": UTM33, "proj:transform": [10, 0, 600_000, 0, -10, 5_300_000], "proj:shape": [300, 400]}
    put(folder, "said", None, said, suffix=".png")
    # The bad twins.
    at = {"crs": UTM33, "transform": from_origin(500_000, 5_300_000, 10, 10)}
    write_tiff(folder / "swapped.tif", texture(300, 300), **at)
    put(folder, "swapped", [47.8, 15.0, 47.9, 15.1])
    put(folder, "elsewhere", [100.0, 0.0, 101.0, 1.0], said, suffix=".png")
    (folder / "elsewhere.png").write_bytes((folder / "said.png").read_bytes())


def ingest_all(platform: Platform, source: Path) -> dict[str, SceneResult]:
    found = [scene for scene in find_scenes(str(source), platform.settings) if isinstance(scene, Scene)]
    return {scene.scene_key: ingest_scene(platform, scene) for scene in found}


def asked(platform: Platform, area: Bbox) -> tuple[set[str], set[str]]:
    """The scenes that a question about an area covers, and those whose patches its filter finds."""
    question = Question("Is there a ship?", bbox=area)
    covered = {key for key in list_records(platform) if covers(question, load_record(platform, key))}
    name = platform.vectors.alias_target("patches")
    assert name is not None
    rows = platform.vectors.query(name, Filter().bbox_intersects(*area), ["scene_key"])
    return covered, {row["scene_key"] for row in rows}


def test_scenes_lie_where_they_are(tmp_path: Path, tiny_settings: Settings) -> None:  # noqa: F811
    write_catalog(tmp_path / "items")
    with Platform(tiny_settings) as platform:
        planned = {cost.scene: cost for cost in explain(platform, str(tmp_path / "items")).scenes}
        results = ingest_all(platform, tmp_path / "items")
        failed = {key: result.error or "" for key, result in results.items() if result.status == "failed"}
        assert failed.keys() == {"swapped", "elsewhere"} == {each.scene for each in list_failures(platform)}
        assert failed.keys() == {key for key, cost in planned.items() if cost.error}
        assert "[15.0000, 47.8" in failed["swapped"]
        assert "beside the item's bbox [47.8000, 15.0000, 47.9000, 15.1000]" in failed["swapped"]
        assert "latitude before longitude" in failed["swapped"]
        assert "beside the item's bbox [100.0000, 0.0000, 101.0000, 1.0000]" in failed["elsewhere"]

        name = platform.vectors.alias_target("patches")
        assert name is not None
        for row in platform.vectors.query(name, Filter(), ["scene_key", "west", "south", "east", "north"]):
            if row["west"] is None:  # in space
                assert row["scene_key"] == "disk"
                continue
            west, south, east, north = (row[edge] for edge in ("west", "south", "east", "north"))
            assert -180 <= west <= 180
            assert -180 <= east <= 180
            assert west != east
            assert -90 <= south < north <= 90
        record = load_record(platform, "gcps")
        footprint = footprint_of(record)
        assert footprint is not None
        assert footprint.area == pytest.approx(3.5 * 1.75)
        assert footprint.difference(box(177.7, 60.9, 180, 62.65)).difference(box(-180, 60.9, -178.8, 62.65)).area < 1e-9
        assert "up to 0.0 px off at 36 points" in " ".join(record.notes)
        assert "place from the item's proj fields" in " ".join(load_record(platform, "said").notes)

        both = {"gcps", "pole"}
        for area, expected in {
            (178.0, 61.0, 179.0, 62.0): {"gcps"},
            (-179.5, 61.0, -179.0, 62.0): {"gcps"},
            (179.0, 61.0, -179.5, 62.0): {"gcps"},
            (8.0, 61.0, 9.0, 62.0): set(),  # Norway
            (150.0, 60.0, -165.0, 89.0): both,
            (0.0, 89.5, 1.0, 90.0): {"pole"},
            (-76.0, -1.0, -74.0, 1.0): {"disk"},
            (15.001, 47.85, 15.002, 47.851): {"chip1"},
            (15.030, 47.85, 15.031, 47.851): {"chip2"},
            (15.040, 47.85, 15.050, 47.851): set(),
            (15.001, 47.83, 15.030, 47.835): set(),
            (16.34, 47.83, 16.38, 47.84): {"said"},
        }.items():
            assert asked(platform, area) == (expected, expected), area


def test_a_scene_that_moves_away_keeps_what_it_had(tmp_path: Path, tiny_settings: Settings) -> None:  # noqa: F811
    write_catalog(tmp_path / "items")
    for path in (tmp_path / "items").glob("*.json"):
        if path.stem != "chip1":
            path.unlink()
    with Platform(tiny_settings) as platform:
        assert ingest_all(platform, tmp_path / "items")["chip1"].status == "ingested"
        put(tmp_path / "items", "chip1", [100.0, 0.0, 101.0, 1.0])
        assert ingest_all(platform, tmp_path / "items")["chip1"].status == "failed"
        assert asked(platform, (15.001, 47.85, 15.002, 47.851)) == ({"chip1"}, {"chip1"})
