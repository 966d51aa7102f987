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
