from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import ItemError
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.items import scene_from_item
from imagerag_assets.stac.types import Scene

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, write_tif: Callable[..., Path]) -> Callable[[dict[str, Any]], Scene]:
    """Validate an item that lies beside an image."""
    write_tif(tmp_path / "image.tif")
    base = str(tmp_path / "item.json")

    def validate(content: dict[str, Any]) -> Scene:
        before = copy.deepcopy(content)
        result = scene_from_item(content, item_href=base, base=base, source=str(tmp_path), settings=settings)
        assert content == before
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        return result

    return validate


def test_a_plain_item(scene: Callable[[dict[str, Any]], Scene], item: Build, tmp_path: Path) -> None:
    result = scene(item(collection="c"))
    assert (result.scene_key, result.item_id, result.collection) == ("c.scene-1", "scene-1", "c")
    assert result.acquired_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert result.bbox == (10.0, 50.0, 10.01, 50.01)
    assert result.cloud_cover == 12.5
    assert result.imagery.hrefs == (str(tmp_path / "image.tif"),)
    assert len(result.version) == 64
    assert int(result.version, 16) >= 0
    assert "IMAGERAG_BAND_NAMES" in result.notes[0]


@pytest.mark.parametrize(
    ("properties", "moment", "note"),
    [
        ({"datetime": None, "start_datetime": "2024-05-01T12:00:00+02:00", "end_datetime": "2024-06-01T00:00:00Z"},
         datetime(2024, 5, 1, 10, tzinfo=UTC), ""),
        ({"datetime": None, "start_datetime": "2024-05-01T10:00:00Z"}, datetime(2024, 5, 1, 10, tzinfo=UTC), ""),
        ({"datetime": "2019-12-01"}, datetime(2019, 12, 1, tzinfo=UTC), ""),
        ({"datetime": None}, None, "no time"),
        ({}, None, "no time"),
    ],
)  # fmt: skip
def test_times(
    scene: Callable[[dict[str, Any]], Scene],
    item: Build,
    properties: dict[str, Any],
    moment: datetime | None,
    note: str,
) -> None:
    result = scene(item(properties=properties))
    assert result.acquired_at == moment
    assert result.properties == properties
    assert any(note in text for text in result.notes)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([179.2, -16.3, -179.7, -15.3], (179.2, -16.3, -179.7, -15.3)),
        ([10, 50, -5, 11, 51, 300], (10.0, 50.0, 11.0, 51.0)),
        (None, (10.0, 50.0, 10.01, 50.01)),
        ([500000, 5600000, 500100, 5600100], None),
        ([10, 51, 11, 50], None),
    ],
)
def test_bboxes(
    scene: Callable[[dict[str, Any]], Scene], item: Build, bbox: list[float] | None, expected: tuple[float, ...] | None
) -> None:
    result = scene(item(bbox=bbox))
    assert result.bbox == expected
    assert (expected is None) == any("bbox" in note for note in result.notes)


def test_an_item_without_any_place_is_usable(scene: Callable[[dict[str, Any]], Scene], item: Build) -> None:
    content = item(geometry=None)
    del content["bbox"]
    result = scene(content)
    assert (result.bbox, result.geometry) == (None, None)


def test_the_version_follows_item_and_file_but_not_place_or_links(
    scene: Callable[[dict[str, Any]], Scene], item: Build, tmp_path: Path
) -> None:
    first = scene(item()).version
    assert scene(item()).version == first
    assert scene(item(links=[{"rel": "self", "href": "/elsewhere"}])).version == first
    assert scene(item(properties={"datetime": "2024-05-02T10:00:00Z"})).version != first
    image = tmp_path / "image.tif"
    times = image.stat()
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000))
    assert scene(item()).version != first


def test_the_version_ignores_signatures_of_addresses(item: Build, settings: Settings) -> None:
    def version(href: str) -> str:
        return scene_from_item(
            item(href=href), item_href=None, base="https://h/i.json", source="s", settings=settings
        ).version

    assert version("https://h/a.tif?sv=1&sig=AAA") == version("https://h/a.tif?sv=1&sig=BBB")
    assert version("https://h/a.tif?version=1") != version("https://h/a.tif?version=2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "item id is empty"),
        ({"assets": {}}, "no imagery"),
        ({"assets": None}, "no assets object"),
        ({"assets": {"image": {"type": "image/tiff"}}}, "asset image has no href"),
        ({"assets": {"image": "x.tif"}}, "asset image has no href"),
        ({"properties": []}, "properties are not an object"),
        ({"properties": {"datetime": "yesterday"}}, "not a valid STAC item"),
        (
            {"assets": {"image": {"href": "./gone.tif", "type": "image/tiff"}}},
            r"does not exist \[.*asset=image\].*gone.tif",
        ),
        ({"assets": {"image": {"href": "./empty.tif", "type": "image/tiff"}}}, r"is empty \[.*asset=image\]"),
        ({"assets": {"image": {"href": "./folder.tif", "type": "image/tiff"}}}, "is a folder"),
    ],
)
def test_unusable_items_say_why_in_one_line(
    scene: Callable[[dict[str, Any]], Scene], item: Build, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "empty.tif").touch()
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(ItemError, match=message) as caught:
        scene(item() | change)
    assert "\n" not in str(caught.value)


def test_a_remote_item_cannot_name_local_files(item: Build, settings: Settings) -> None:
    with pytest.raises(ItemError, match="names a file on this machine"):
        scene_from_item(
            item(href="file:///etc/a.tif"), item_href=None, base="s3://b/i.json", source="", settings=settings
        )


def test_settings_reach_the_choice_of_bands(item: Build, tmp_path: Path, write_tif: Callable[..., Path]) -> None:
    write_tif(tmp_path / "other.tif")
    content = item()
    content["assets"]["other"] = {"href": "./other.tif", "type": "image/tiff"}
    base, settings = str(tmp_path / "i.json"), load_settings(_env_file=None, asset_keys=("other",))
    result = scene_from_item(content, item_href=None, base=base, source="", settings=settings)
    assert result.imagery.hrefs == (str(tmp_path / "other.tif"),)


def test_sentinel_2_with_its_local_assets(samples: Path, settings: Settings) -> None:
    (file,) = samples.glob("stactools_sentinel2/items_expected/*T07HFE*.json")
    (product,) = samples.glob("stactools_sentinel2/tests/data-files/*T07HFE*.SAFE")
    content = json.loads(file.read_text())
    base = str(product / "item.json")
    result = scene_from_item(content, item_href=None, base=base, source=str(file), settings=settings)
    assert result.scene_key == "S2A_T07HFE_20190212T192646_L2A"
    assert Path(result.imagery.bands[0].href).is_file()
    assert result.imagery.modality == "optical"
    assert result.acquired_at == datetime(2019, 2, 12, 19, 26, 51, 24000, tzinfo=UTC)


def test_a_very_old_item_is_migrated(samples: Path, settings: Settings) -> None:
    (file,) = samples.glob("stactools_landsat/tests/data-files/*/*SR_stac.json")
    content = json.loads(file.read_text())
    for asset in content["assets"].values():
        asset["href"] = "./" + asset["href"].rsplit("/", 1)[-1]
    result = scene_from_item(content, item_href=str(file), base=str(file), source=str(file), settings=settings)
    assert result.notes == ("Migrated from STAC 0.7.0",)
    assert [Path(href).name[-9:] for href in result.imagery.hrefs] == ["SR_B4.TIF", "SR_B3.TIF", "SR_B2.TIF"]
    assert result.acquired_at == datetime(2019, 12, 1, tzinfo=UTC)
    assert result.cloud_cover == 81.02
