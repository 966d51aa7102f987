"""Nodata values and scales of items, in every way in which they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.formats.picture import write as write_raster

RGB = ("red", "green", "blue")


def scene(fields: dict[str, Any], tmp_path: Path, settings: Settings, item: Any, write: Any) -> Scene:
    write_raster(tmp_path / "a.tif", RGB, "uint16")
    content = item("i", "./a.tif")
    (asset,) = content["assets"].values()
    asset |= {"roles": ["data"], "eo:bands": [{"name": name, "common_name": name} for name in RGB]} | fields
    (found,) = find_scenes(str(write(tmp_path / "item.json", content)), settings)
    assert isinstance(found, Scene), found.error
    return found


@pytest.mark.parametrize(
    ("fields", "nodata", "scale"),
    [
        ({"raster:bands": [{"nodata": 0, "scale": 0.0001}] * 3}, 0, None),
        ({"raster:bands": [{"nodata": "0", "scale": "-0.0001"}] * 3}, 0, -0.0001),
        ({"bands": [{"nodata": 7, "raster:scale": -2}] * 3, "nodata": 9}, 7, -2),
        ({"nodata": -9999, "raster:scale": -1}, -9999, -1),
        ({"raster:bands": [{"nodata": "nan"}] * 3}, None, None),
        ({"raster:bands": [{"nodata": None}] * 3, "nodata": 4}, 4, None),
        ({"raster:bands": [{"nodata": 0}]}, 0, None),
        ({"bands": [{"nodata": 7}], "nodata": 9}, 7, None),
    ],
)  # fmt: skip
def test_what_is_said_is_read(
    fields: dict[str, Any], nodata: float | None, scale: float | None, tmp_path: Path, settings: Settings,
    item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    found = scene(fields, tmp_path, settings, item, write)
    assert {(band.nodata, band.scale) for band in found.imagery.bands} == {(nodata, scale)}
    assert not any("passed over" in note for note in found.notes)
    assert Scene.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"raster:bands": [{"scale": 0}] * 3}, "scale '0' of asset"),
        ({"raster:bands": [{"scale": "nan"}] * 3}, "scale 'nan' of asset"),
        ({"raster:bands": [{"nodata": "none"}] * 3}, "nodata 'none' of asset"),
        ({"nodata": [0, 0, 0]}, "nodata '[0, 0, 0]' of asset"),
    ],
)
def test_what_cannot_be_used_is_one_note(
    fields: dict[str, Any], note: str, tmp_path: Path, settings: Settings, item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    found = scene(fields, tmp_path, settings, item, write)
    assert [each for each in found.notes if "passed over" in each and each.startswith(note)] != []
    assert len([each for each in found.notes if "passed over" in each]) == 1
    assert {(band.nodata, band.scale) for band in found.imagery.bands} == {(None, None)}


def test_each_band_has_its_own(
    tmp_path: Path, settings: Settings, item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path]
) -> None:
    fields = {"bands": [{"nodata": value} for value in (0, "1", None)]}
    found = scene(fields, tmp_path, settings, item, write)
    assert [band.nodata for band in found.imagery.bands] == [0, 1, None]


def test_what_the_item_says_is_of_all_its_assets(
    tmp_path: Path, settings: Settings, item: Callable[..., dict[str, Any]], write: Callable[[Path, Any], Path]
) -> None:
    write_raster(tmp_path / "a.tif", RGB, "uint16")
    for own, expected in (({}, 0), ({"nodata": 5}, 5)):
        content = item("i", "./a.tif")
        content["properties"]["nodata"] = 0
        (asset,) = content["assets"].values()
        asset |= own
        (found,) = find_scenes(str(write(tmp_path / "item.json", content)), settings)
        assert isinstance(found, Scene), found.error
        assert {band.nodata for band in found.imagery.bands} == {expected}


@pytest.mark.parametrize("fields", [{"raster:bands": [{"nodata": 0}]}, {"bands": [{"nodata": 0}]}])
def test_assets_that_are_named_for_a_colour_keep_what_is_said_of_their_band(
    fields: dict[str, Any], tmp_path: Path, settings: Settings, item: Callable[..., dict[str, Any]],
    write: Callable[[Path, Any], Path],
) -> None:  # fmt: skip
    for name in RGB:
        write_raster(tmp_path / f"{name}.tif", [name], "uint16")
    assets = {name: {"href": f"./{name}.tif", "type": "image/tiff; application=geotiff"} | fields for name in RGB}
    (found,) = find_scenes(str(write(tmp_path / "item.json", item("i", assets=assets))), settings)
    assert isinstance(found, Scene), found.error
    assert [(band.common_name, band.nodata) for band in found.imagery.bands] == [(name, 0) for name in RGB]
