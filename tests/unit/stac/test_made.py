"""Plain rasters as sources: one file, folders, prefixes, and what a listing says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from imagerag_assets.errors import SourceError, UnknownSceneError
from imagerag_assets.plain_files.names import item_id
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene
from tests.items import texture, write_tiff
from tests.s3 import S3Endpoint

AWKWARD = ["a b.tif", "ä ö.tif", "a#1.tif", "100%.tif", "a%20b.tif", "a+b.tif", "a?b.tif", "[x]{1}.tif", "it's.tif"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of one name, one without a place, one broken, and others that are no rasters."""
    root = tmp_path / "in"
    write_tiff(root / "a" / "scene_20240630.tif", texture(64, 64))
    write_tiff(root / "b" / "c" / "scene_20240630.tif", texture(64, 64, 1))
    write_tiff(root / "multi.tif", np.ones((5, 64, 64), np.uint16), crs=None)
    (root / "broken.tif").write_bytes(b"II*\0junk")
    for name in ("notes.txt", ".hidden.tif", "scene.tfw", "a/scene_20240630.tif.aux.xml", "labels.geojson"):
        (root / name).write_text("{}")
    return root


def by_file(results: list[Scene | FailedItem], root: Path) -> dict[str, Scene | FailedItem]:
    hrefs = {each.scene_key: each.imagery.hrefs[0] if isinstance(each, Scene) else each.item_href for each in results}
    return {os.path.relpath(str(hrefs[each.scene_key]), root): each for each in results}


def test_a_folder_of_rasters(folder: Path, settings: Settings) -> None:
    found = by_file(list(find_scenes(str(folder), settings)), folder)
    assert sorted(found) == ["a/scene_20240630.tif", "b/c/scene_20240630.tif", "broken.tif", "multi.tif"]
    one, other, broken, multi = (found[name] for name in sorted(found))
    assert isinstance(one, Scene) and isinstance(other, Scene) and isinstance(multi, Scene)
    assert one.scene_key != other.scene_key
    assert one.acquired_at is not None and one.acquired_at.isoformat() == "2024-06-30T00:00:00+00:00"
    assert one.notes[0] == "Item made from the file; date from its name"
    assert one.imagery.modality == "optical"
    assert multi.bbox is None and multi.imagery.modality == "other"
    assert isinstance(broken, FailedItem) and "cannot be opened" in str(broken.error)
    stored = json.loads(Path(str(one.item_href)).read_text())
    assert stored["id"] == one.item_id == one.scene_key
    assert Path(str(one.item_href)).is_relative_to(settings.store_url)


def test_one_file_is_the_same_scene_however_it_is_found(folder: Path, settings: Settings) -> None:
    (whole,) = [s for s in find_scenes(str(folder), settings) if s.scene_key.startswith("multi")]
    (alone,) = find_scenes(str(folder / "multi.tif"), settings)
    assert isinstance(whole, Scene) and isinstance(alone, Scene)
    assert (alone.scene_key, alone.version) == (whole.scene_key, whole.version)
    (named,) = find_scenes(str(folder), settings, scenes=[whole.scene_key])
    assert named == whole
    with pytest.raises(UnknownSceneError):
        list(find_scenes(str(folder), settings, scenes=["none"]))
    with pytest.raises(SourceError, match="no item of collection"):
        list(find_scenes(str(folder / "multi.tif"), settings, collections=["c"]))


def test_a_changed_file_is_a_new_version(folder: Path, settings: Settings) -> None:
    path = folder / "multi.tif"
    before = next(iter(find_scenes(str(path), settings)))
    write_tiff(path, np.full((5, 64, 64), 9, np.uint16), crs=None)
    os.utime(path, ns=(1, 1_600_000_000_000_000_000))
    after = next(iter(find_scenes(str(path), settings)))
    assert isinstance(before, Scene) and isinstance(after, Scene)
    assert before.scene_key == after.scene_key and before.version != after.version


def test_nothing_is_written_where_items_are_not_kept(folder: Path, settings: Settings) -> None:
    assert list(find_scenes(str(folder), settings, keep_items=False))
    assert not settings.home.exists()


def test_folders_of_items_stay_what_they_were(
    folder: Path, settings: Settings, item: Callable[..., Any], write: Callable[[Path, Any], Path]
) -> None:
    write(folder / "item.json", item("one", href="./multi.tif"))
    assert [each.scene_key for each in find_scenes(str(folder), settings)] == ["one"]
    listed = {each.ref for each in list_source(str(folder), settings).listed}
    assert listed == {str(folder / name) for name in ("labels.geojson", "item.json")}
    (folder / "item.json").write_text('{"type": "Feat')
    (broken,) = find_scenes(str(folder), settings)
    assert isinstance(broken, FailedItem) and "not JSON" in str(broken.error)


@pytest.mark.parametrize("names", [[], ["notes.txt"], ["labels.geojson", ".hidden.tif"]])
def test_a_folder_without_rasters(tmp_path: Path, settings: Settings, names: list[str]) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    for name in names:
        (root / name).write_text("{}")
    with pytest.raises(SourceError, match="no rasters"):
        list(find_scenes(str(root), settings))


def test_files_that_are_not_there(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(SourceError, match="Not found"):
        list(find_scenes(str(tmp_path / "gone.tif"), settings))


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_awkward_names(where: str, tmp_path: Path, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "x y#z" if where == "folder" else s3_endpoint.root / "awkward-rasters"
    names = AWKWARD if where == "folder" else [name for name in AWKWARD if "?" not in name]
    for name in names:
        write_tiff(root / name, texture(32, 32))
    if where == "bucket":
        for variable, value in s3_endpoint.environment().items():
            monkeypatch.setenv(variable, value)
    settings = load_settings(home=tmp_path / "home", _env_file=None)
    source = str(root) if where == "folder" else "s3://awkward-rasters"
    found = list(find_scenes(source, settings))
    assert [each.error for each in found if isinstance(each, FailedItem)] == []
    assert len({each.scene_key for each in found}) == len(names)


def test_a_prefix_of_rasters(
    folder: Path, tmp_path: Path, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_endpoint.root / "plain-rasters"
    (bucket).mkdir()
    os.rename(folder, bucket / "prefix")
    for variable, value in s3_endpoint.environment().items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(home=tmp_path / "home", _env_file=None)
    for source in ("s3://plain-rasters/prefix/", "s3://plain-rasters"):
        found = list(find_scenes(source, settings))
        assert sum(isinstance(each, Scene) for each in found) == 3
        assert [each.item_href for each in found if isinstance(each, FailedItem)] == [
            "s3://plain-rasters/prefix/broken.tif"
        ]
    (alone,) = find_scenes("s3://plain-rasters/prefix/multi.tif", settings)
    (whole,) = [each for each in found if each.scene_key.startswith("multi")]
    assert isinstance(alone, Scene) and isinstance(whole, Scene)
    assert (alone.scene_key, alone.version) == (whole.scene_key, whole.version)
    assert alone.scene_key == item_id("s3://plain-rasters/prefix/multi.tif")


def test_a_listing_of_rasters(folder: Path, settings: Settings) -> None:
    listing = list_source(str(folder), settings)
    assert listing.whole
    listed = list(listing.listed)
    assert all(each.version and each.updated for each in listed)
    read = {each.ref: results for each, results in read_listed(listed, str(folder), settings)}
    assert set(read) == {str(folder / name) for name in
                         ("a/scene_20240630.tif", "b/c/scene_20240630.tif", "broken.tif", "multi.tif")}  # fmt: skip
    assert {s.scene_key: s.version for (s,) in read.values() if isinstance(s, Scene)} == {
        s.scene_key: s.version for s in find_scenes(str(folder), settings) if isinstance(s, Scene)
    }
    (failed,) = read[str(folder / "broken.tif")]
    assert isinstance(failed, FailedItem) and failed.scene_key == item_id(str(folder / "broken.tif"))


def test_a_time_in_the_future_is_no_new_version_at_each_look(folder: Path, settings: Settings) -> None:
    os.utime(folder / "multi.tif", (9_000_000_000, 9_000_000_000))
    versions = []
    for _ in range(2):
        listed = list(list_source(str(folder / "multi.tif"), settings).listed)
        ((_, (scene,)),) = read_listed(listed, str(folder), settings)
        assert isinstance(scene, Scene)
        versions.append((listed[0].version, scene.version))
    assert versions[0] == versions[1]


def test_local_coordinates_have_no_place(tmp_path: Path, settings: Settings) -> None:
    local = rasterio.crs.CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    path = write_tiff(tmp_path / "local.tif", texture(32, 32), crs=local)
    (scene,) = find_scenes(str(path), settings)
    assert isinstance(scene, Scene) and scene.bbox is None
