"""Labels files: what is read, where it is put, and what is said about a bad one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyproj import CRS

from imagerag_assets.errors import InputError
from imagerag_assets.raster.geo import window_geometry
from imagerag_assets.raster.types import Grid, Window
from imagerag_assets.training.labels import Label, place_labels, plural, read_labels

UTM = CRS.from_epsg(32631).to_wkt()
ONE = Grid(400, 300, UTM, (10, 0, 500_000, 0, -10, 5_000_000), has_overviews=False)
# Turned by 90 degrees, as some sensors deliver: columns go south, rows go west.
TURNED = Grid(300, 400, UTM, (0, -10, 520_000, -10, 0, 5_000_000), has_overviews=False)
PLACELESS = Grid(400, 300, None, (1, 0, 0, 0, 1, 0), has_overviews=False)
GOOD = {"scene": "one", "class": "ship", "window": [1, 2, 30, 40]}


def write(tmp_path: Path, *rows: object, name: str = "labels.jsonl") -> Path:
    file = tmp_path / name
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return file


def feature(grid: Grid, window: Window, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": window_geometry(grid, window)}


def collection(*features: object, **more: object) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **more}


def test_lines_are_windows_in_pixels(tmp_path: Path) -> None:
    rows = [GOOD, "", GOOD | {"class": "Storage_Tank", "window": [0.5, 0.5, 9.2, 9.9]}, GOOD | {"scene": "two"}]
    file = write(tmp_path, *rows, GOOD | {"class": "quay", "plural": "quays along the river"})
    labels = read_labels(file)
    assert labels.plurals == {"ship": "ships", "storage tank": "storage tanks", "quay": "quays along the river"}
    assert labels.scenes == ["one", "two"]
    placed = place_labels(labels, {"one": ONE, "two": PLACELESS, "three": ONE}, file)
    assert placed["one"][:2] == (Label("ship", (1, 2, 30, 40)), Label("storage tank", (0, 0, 10, 10)))
    assert placed["two"] == (Label("ship", (1, 2, 30, 40)),)
    assert "three" not in placed


@pytest.mark.parametrize("grid", [ONE, TURNED])
def test_geojson_goes_through_the_scene_s_grid(tmp_path: Path, grid: Grid) -> None:
    window = (40, 50, 90, 75)
    file = write(tmp_path, collection(feature(grid, window, **{"class": "pier", "scene": "it"})), name="l.geojson")
    assert place_labels(read_labels(file), {"it": grid}, file) == {"it": (Label("pier", window),)}


def test_a_label_without_a_scene_is_of_every_scene_that_it_lies_in(tmp_path: Path) -> None:
    beside = Grid(400, 300, UTM, (10, 0, 503_000, 0, -10, 5_000_000), has_overviews=False)  # shares 100 columns
    far = feature(ONE, (9_000, 0, 9_010, 10), **{"class": "pier"})
    document = collection(
        feature(ONE, (350, 0, 360, 10), **{"class": "pier"}), feature(ONE, (-5, 0, 8, 4), **{"class": "bus"}), far
    )
    file = write(tmp_path, document, name="labels.json")
    assert place_labels(read_labels(file), {"one": ONE, "beside": beside, "nowhere": PLACELESS}, file) == {
        "one": (Label("pier", (350, 0, 360, 10)), Label("bus", (0, 0, 8, 4))),
        "beside": (Label("pier", (50, 0, 60, 10)),),
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"scene": "one"', "delimiter"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ({"scene": "one", "window": [0, 0, 1, 1]}, "'class' is missing"),
        (GOOD | {"class": ""}, "the class must be a name"),
        (GOOD | {"scene": 3}, "the scene must be a name"),
        (GOOD | {"window": [0, 0, 1]}, r"not \[x0, y0, x1, y1\]"),
        (GOOD | {"window": "0011"}, r"not \[x0, y0, x1, y1\]"),
        (GOOD | {"window": [0, 0, 1, None]}, "four numbers"),
        ('{"scene": "one", "class": "ship", "window": [0, 0, NaN, 1]}', "four numbers"),
        (GOOD | {"window": [5, 5, 5, 9]}, "is empty"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: object, reason: str) -> None:
    with pytest.raises(InputError, match=rf"Not a label: .*{reason}.*line=3"):
        read_labels(write(tmp_path, GOOD, "", row))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "not a GeoJSON"),
        ({"type": "Feature"}, "not a GeoJSON"),
        (collection(), "The file has no labels"),
        (collection(feature(ONE, (0, 0, 9, 9))), "'class' is missing.*line=1"),
        (collection({"properties": {"class": "x"}, "geometry": {"type": "Point", "coordinates": [3, 45]}}), "area"),
        (collection({"properties": {"class": "x"}, "geometry": {"type": "Blob"}}), "Not a label"),
        (collection({"properties": {"class": "x"}, "geometry": None}), "Not a label"),
        (collection(crs={"properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}), "not in longitude and latitude"),
    ],
)
def test_bad_geojson(tmp_path: Path, document: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_labels(write(tmp_path, document, name="labels.geojson"))


def test_labels_that_have_no_place(tmp_path: Path) -> None:
    for content in ("", "\n\n"):
        with pytest.raises(InputError, match="no labels"):
            read_labels(write(tmp_path, content))
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "missing.jsonl")
    unknown = write(tmp_path, GOOD, GOOD | {"scene": "oen"})
    with pytest.raises(InputError, match="unknown scene 'oen'.*line=2"):
        place_labels(read_labels(unknown), {"one": ONE}, unknown)
    outside = write(tmp_path, GOOD, GOOD | {"window": [400, 0, 410, 9]})
    with pytest.raises(InputError, match="outside its scene.*line=2.*native pixels of 400 x 300"):
        place_labels(read_labels(outside), {"one": ONE}, outside)
    placeless = write(tmp_path, collection(feature(ONE, (0, 0, 9, 9), **{"class": "x", "scene": "it"})), name="p.json")
    with pytest.raises(InputError, match="cannot be placed"):
        place_labels(read_labels(placeless), {"it": PLACELESS}, placeless)
    swapped = collection({"properties": {"class": "x"}, "geometry": {
        "type": "Polygon", "coordinates": [[[45.1, 3], [45.1, 3.1], [45.2, 3.1], [45.1, 3]]]}})  # fmt: skip
    file = write(tmp_path, swapped, name="s.geojson")
    with pytest.raises(InputError, match="None of the 1 labels lies in a scene"):
        place_labels(read_labels(file), {"one": ONE}, file)


def test_plurals() -> None:
    assert [plural(word) for word in ("ship", "bus", "beach", "city", "quay", "storage tank")] == [
        "ships", "buses", "beaches", "cities", "quays", "storage tanks"
    ]  # fmt: skip
