from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from imagerag_assets.errors import RasterError
from imagerag_assets.plain_files.items import item_of_file, made_note
from imagerag_assets.plain_files.names import is_raster, item_id
from imagerag_assets.settings import Settings
from tests.items import texture, write_tiff


def said(item: dict[str, Any]) -> dict[str, Any]:
    asset: dict[str, Any] = item["assets"]["image"]
    return asset


@pytest.mark.parametrize(
    ("href", "raster"),
    [
        ("/a/scene.tif", True), ("/a/SCENE.TIFF", True), ("s3://b/k/a b#%.jp2", True), ("/a/x.jpeg", True),
        ("https://host/x.png?sig=1", True), ("/a/notes.txt", False), ("/a/tif", False), ("/a/.tif", False),
        ("/a/._scene.tif", False), ("/a/scene.tif.aux.xml", False), ("/a/scene.tfw", False),
        ("https://host/x?file=y.tif", False),
    ],
)  # fmt: skip
def test_what_names_a_raster(href: str, raster: bool) -> None:
    assert is_raster(href) is raster


def test_ids_are_one_to_one() -> None:
    hrefs = [
        "/a/s.tif",
        "/b/s.tif",
        "/a/S.tif",
        "/a/s.TIF",
        "/a/s.png",
        "s3://a/s.tif",
        "/a/ä b#%.tif",
        "/a/ä b#%%.tif",
    ]
    ids = [item_id(href) for href in hrefs]
    assert len({each.lower() for each in ids}) == len(hrefs)
    assert item_id("https://h/s.tif?sig=1") == item_id("https://h/s.tif?sig=2")
    assert item_id("/a/" + "x" * 250 + ".tif") != item_id("/b/" + "x" * 250 + ".tif")
    assert all(len(each) <= 100 for each in ids)


def test_a_geotiff(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "ship 2024-06-30.tif", texture(64, 96))
    item = item_of_file(str(path), settings)
    pystac.Item.from_dict(item)
    assert item["properties"]["datetime"] == "2024-06-30T00:00:00Z"
    assert item["properties"]["imagerag:datetime_from"] == "file name"
    assert item["properties"]["proj:shape"] == [64, 96]
    assert item["properties"]["proj:code"] == "EPSG:32633"
    assert item["bbox"] == pytest.approx([15.0, 47.8524, 15.0006, 47.8533], abs=1e-3)
    assert item["geometry"]["type"] == "Polygon"
    assert [band["eo:common_name"] for band in said(item)["bands"]] == ["red", "green", "blue"]
    assert said(item)["href"] == str(path)
    assert made_note(item) == "Item made from the file; date from its name"


def test_descriptions_and_colours_of_many_bands(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "scene.tif", np.zeros((5, 8, 8), np.uint16))
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("Blue", "Green", "Red", "NIR", None)
        file.update_tags(TIFFTAG_DATETIME="2022:03:04 05:06:07")
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2021-01-02 03:04:05")
    item = item_of_file(str(path), settings)
    bands = said(item)["bands"]
    assert [band.get("name") for band in bands] == ["Blue", "Green", "Red", "NIR", None]
    assert {band["data_type"] for band in bands} == {"uint16"}
    assert item["properties"]["datetime"] == "2021-01-02T03:04:05Z"
    assert item["properties"]["imagerag:datetime_from"] == "tag ACQUISITIONDATETIME"


def test_alpha_is_no_colour(tmp_path: Path, settings: Settings) -> None:
    path = write_tiff(tmp_path / "scene.tif", np.zeros((4, 8, 8), np.uint8))
    with rasterio.open(path, "r+") as file:
        file.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    bands = said(item_of_file(str(path), settings))["bands"]
    assert [band.get("eo:common_name") for band in bands] == ["red", "green", "blue", None]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_with_and_without_a_place(tmp_path: Path, settings: Settings, suffix: str) -> None:
    path = tmp_path / f"bild ü.{suffix}"
    Image.fromarray(np.moveaxis(texture(32, 48), 0, -1)).save(path)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    item = item_of_file(str(path), settings)
    assert item["geometry"] is None and "bbox" not in item
    assert item["properties"]["datetime"] == "2023-11-14T22:13:20Z"
    assert made_note(item) == "Item made from the file; date from its modification time"

    world = {"png": "pgw", "jpg": "jgw"}[suffix]
    path.with_suffix(f".{world}").write_text("0.001\n0\n0\n-0.001\n10\n50\n")
    assert item_of_file(str(path), settings)["geometry"] is None  # numbers, and nothing says of what
    wkt = rasterio.crs.CRS.from_epsg(4326).to_wkt()
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset><SRS>{wkt}</SRS></PAMDataset>".replace('"', "&quot;"))
    assert item_of_file(str(path), settings)["bbox"] == pytest.approx([10, 49.968, 10.048, 50], abs=1e-3)


def test_ground_control_points(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "points.tif"
    points = [GroundControlPoint(r, c, 10 + c / 1e3, 50 - r / 1e3) for r in (0, 100) for c in (0, 100)]
    with rasterio.open(path, "w", driver="GTiff", width=100, height=100, count=1, dtype="uint8") as file:
        file.gcps = (points, rasterio.crs.CRS.from_epsg(4326))
    assert item_of_file(str(path), settings)["bbox"] == pytest.approx([10, 49.9, 10.1, 50])


def test_what_is_not_what_its_name_says(tmp_path: Path, settings: Settings) -> None:
    inner = write_tiff(tmp_path / "inner.tif", texture(16, 16))
    list_of_files = tmp_path / "list.tif"
    list_of_files.write_text(
        '<VRTDataset rasterXSize="16" rasterYSize="16"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{inner}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "empty.tif").touch()
    (tmp_path / "cut.tif").write_bytes(inner.read_bytes()[:100])
    for name in ("list.tif", "empty.tif", "cut.tif", "gone.tif"):
        with pytest.raises(RasterError) as raised:
            item_of_file(str(tmp_path / name), settings)
        assert not raised.value.transient
