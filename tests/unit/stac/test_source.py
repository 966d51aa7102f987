from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import ItemError, SourceError, UnknownSceneError
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.keys import other_key
from imagerag_assets.stac.listing import list_source
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene
from tests.s3 import S3Endpoint

Build = Callable[..., dict[str, Any]]
Write = Callable[[Path, Any], Path]
Tif = Callable[..., Path]


def keys(results: list[Scene | FailedItem]) -> list[str]:
    return [result.scene_key for result in results if isinstance(result, Scene)]


def failures(results: list[Scene | FailedItem]) -> dict[str, str]:
    return {result.scene_key: str(result.error) for result in results if isinstance(result, FailedItem)}


def catalog(name: str, *links: tuple[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "type": "Catalog", "id": name, "stac_version": "1.1.0", "description": name,
        "links": [{"rel": rel, "href": href} for rel, href in links],
    } | fields  # fmt: skip


@pytest.fixture
def bucket(s3_endpoint: S3Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bucket of a real S3 endpoint, and the variables to reach it; its name is the folder's."""
    folder = s3_endpoint.root / ("b-" + tmp_path.name.replace("_", "-").lower())
    folder.mkdir()
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return folder


# Static catalogs


def test_a_nested_catalog_with_a_cycle_and_broken_branches(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "a" / "image.tif")
    write(tmp_path / "catalog.json", catalog(
        "root", ("root", "./catalog.json"), ("child", "./a/catalog.json"), ("child", "./gone/catalog.json"),
        ("item", "./broken.json"), ("item", "./list.json"), ("item", "./other.json"), ("child", "./catalog.json"),
    ))  # fmt: skip
    write(tmp_path / "a" / "catalog.json", catalog(
        "a", ("parent", "../catalog.json"), ("child", "../catalog.json"), ("item", "./one.json"), ("item", "one.json"),
        ("item", "./two.json"),
    ))  # fmt: skip
    write(tmp_path / "a" / "one.json", item("one"))
    write(tmp_path / "a" / "two.json", item("two"))
    (tmp_path / "broken.json").write_text('{"type": "Feature", "id"')
    write(tmp_path / "list.json", [1, 2])
    write(tmp_path / "other.json", {"hello": "world"})

    results = list(find_scenes(str(tmp_path / "catalog.json"), settings))

    assert keys(results) == ["one", "two"]
    said = failures(results)
    assert set(said) == {"catalog", "broken", "list", "other"}
    assert "Not found" in said["catalog"]
    assert "not JSON" in said["broken"]
    assert "not STAC" in said["list"]
    assert "not STAC" in said["other"]
    one = results[0]
    assert isinstance(one, Scene)
    assert one.item_href == str(tmp_path / "a" / "one.json")


def test_a_catalog_is_walked_only_as_far_as_asked(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    write(tmp_path / "1.json", item("one"))
    write(tmp_path / "catalog.json", catalog("root", ("item", "./1.json"), ("item", "./gone.json")))
    results = list(find_scenes(str(tmp_path / "catalog.json"), settings, limit=1))
    assert (keys(results), failures(results)) == (["one"], {})
    assert list(find_scenes(str(tmp_path / "catalog.json"), settings, limit=0)) == []


def test_thousands_of_levels_are_no_trouble(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    for level in range(1500):
        write(tmp_path / f"c{level}.json", catalog(f"c{level}", ("child", f"./c{level + 1}.json")))
    write(tmp_path / "c1500.json", catalog("last", ("item", "./item.json")))
    write(tmp_path / "item.json", item())
    assert keys(list(find_scenes(str(tmp_path / "c0.json"), settings))) == ["scene-1"]


def test_real_sentinel_2_catalog(samples: Path, settings: Settings) -> None:
    results = list(find_scenes(str(samples / "stactools_sentinel2" / "examples" / "catalog.json"), settings))
    # The sample has the files of the L2A item, none of the L1C item's.
    assert keys(results) == ["sentinel2-l2a-example.S2A_T07HFE_20190212T192646_L2A"]
    (said,) = failures(results).values()
    assert "does not exist" in said and "asset=visual" in said and "S2A_T01LAC_20200717T221944_L1C" in said


def test_real_items_in_a_folder(samples: Path, settings: Settings) -> None:
    results = list(find_scenes(str(samples / "odc_stac"), settings))
    assert keys(results) == [
        "landsat-c2l2-sr.LC08_L2SP_028030_20200114_20200824_02_T1_SR",
        "sentinel-s2-l2a-cogs.S2A_28QCH_20200714_0_L2A",
        "sentinel-2-l2a.S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531",
    ]
    (twice,) = [result for result in results if isinstance(result, FailedItem)]
    assert "same collection and id" in str(twice.error)
    assert "[first=" in str(twice.error) and "raster_ext.json]" in str(twice.error)


# Folders, item collections, single items


def test_a_folder_with_items_and_other_json(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "deep" / "image.tif")
    write(tmp_path / "deep" / "b.json", item("b"))
    write(tmp_path / "deep" / "a.geojson", item("a"))
    write(
        tmp_path / "deep" / "labels.geojson",
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
    )
    write(tmp_path / "sub" / "collection.json", catalog("c", type="Collection"))
    write(tmp_path / "MTL.json", {"LANDSAT_METADATA_FILE": {}})
    write(tmp_path / "list.json", [])
    (tmp_path / "torn.json").write_text('{"type": "Feat')
    results = list(find_scenes(str(tmp_path), settings))
    assert keys(results) == ["a", "b"]
    assert set(failures(results)) == {"list", "torn"}


def test_the_catalog_of_a_folder_is_used(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    write(tmp_path / "in.json", item("in"))
    write(tmp_path / "out.json", item("out"))
    write(tmp_path / "catalog.json", catalog("root", ("item", "./in.json")))
    assert keys(list(find_scenes(str(tmp_path), settings))) == ["in"]


def test_an_item_collection(tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif) -> None:
    write_tif(tmp_path / "image.tif")
    write_tif(tmp_path / "moved" / "image.tif")
    own = item("b", links=[{"rel": "self", "href": "./moved/b.json"}])
    file = write(tmp_path / "items.json", {"type": "FeatureCollection", "features": [item("a"), own, item("a")]})
    a, b, again = list(find_scenes(str(file), settings))
    assert isinstance(a, Scene) and isinstance(b, Scene) and isinstance(again, FailedItem)
    assert (a.item_href, b.item_href) == (None, str(tmp_path / "moved" / "b.json"))
    assert b.imagery.hrefs == (str(tmp_path / "moved" / "image.tif"),)
    assert "same collection and id" in str(again.error)


def test_a_relative_path_and_a_file_address(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tif(tmp_path / "my folder" / "image.tif")
    file = write(tmp_path / "my folder" / "item.json", item())
    monkeypatch.chdir(tmp_path)
    for source in ("my folder/item.json", "./my folder", file.as_uri()):
        (scene,) = find_scenes(source, settings)
        assert isinstance(scene, Scene)
        assert (scene.source, scene.item_href) == (source, str(file))


def test_bad_items_do_not_stop_good_ones(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    (tmp_path / "empty.tif").touch()
    contents = [
        item("good-1"), item(""), item("none", assets={}), item("dangling", "./gone.tif"),
        item("empty", "./empty.tif"), item("good-1"), item("good-2"), item("São Paulo"),
    ]  # fmt: skip
    for name, content in enumerate(contents, 1):
        write(tmp_path / f"{name}.json", content)
    results = list(find_scenes(str(tmp_path), settings))
    assert keys(results)[:2] == ["good-1", "good-2"]
    assert keys(results)[2].startswith("S_o_Paulo-")
    assert len(results) == 8
    failed = [result for result in results if isinstance(result, FailedItem)]
    assert all(isinstance(each.error, ItemError) and "\n" not in str(each.error) for each in failed)
    words = ("item id is empty", "no imagery", "does not exist", "is empty", "same collection and id")
    assert all(word in str(each.error) for word, each in zip(words, failed, strict=True))
    assert "1.json" in str(failed[4].error) and "6.json" in str(failed[4].error)


# What is asked for


def test_scenes_and_collections_are_chosen(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    write(tmp_path / "1.json", item("a", collection="x"))
    write(tmp_path / "2.json", item("b", collection="y"))
    write(tmp_path / "3.json", item("bad", "./gone.tif", collection="x"))
    (tmp_path / "torn.json").write_text("{")
    source = str(tmp_path)
    assert keys(list(find_scenes(source, settings, scenes=["x.a"]))) == ["x.a"]
    assert keys(list(find_scenes(source, settings, scenes=["b", "x.a"]))) == ["x.a", "y.b"]
    assert keys(list(find_scenes(source, settings, collections=["y"]))) == ["y.b"]
    (failed,) = find_scenes(source, settings, scenes=["bad"])
    assert isinstance(failed, FailedItem)
    results = find_scenes(source, settings, scenes=["x.a", "zzz"])
    assert isinstance(next(results), Scene)
    with pytest.raises(UnknownSceneError, match=r"no scene zzz; 1 documents could not be read \[source="):
        next(results)
    (tmp_path / "torn.json").unlink()
    with pytest.raises(SourceError, match="no item of collection z; seen: x, y"):
        list(find_scenes(source, settings, collections=["z"]))


# Sources that cannot be used


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Not found"),
        (b"", "is empty"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'"text"', "not an object"),
        (b"{}", "not STAC"),
        (b'{"type": "Feature", "geometry": null, "properties": {}}', "not STAC"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_source_that_is_no_stac(tmp_path: Path, settings: Settings, content: bytes | None, message: str) -> None:
    file = tmp_path / "source.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        list(find_scenes(str(file), settings))
    assert "source.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_items_and_no_source(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(SourceError, match="no STAC items in this folder"):
        list(find_scenes(str(tmp_path), settings))
    with pytest.raises(SourceError, match="No source"):
        list(find_scenes(" ", settings))


# S3


def test_sentinel_2_from_a_bucket(samples: Path, bucket: Path) -> None:
    (product,) = samples.glob("stactools_sentinel2/tests/data-files/*T07HFE*.SAFE")
    (file,) = samples.glob("stactools_sentinel2/items_expected/*T07HFE*.json")
    for image in product.glob("**/R10m/*TCI*.tif"):
        target = bucket / "s2" / image.relative_to(product)
        target.parent.mkdir(parents=True)
        shutil.copyfile(image, target)
    shutil.copyfile(file, bucket / "s2" / "item.json")
    settings = load_settings(_env_file=None)

    for source in (f"s3://{bucket.name}/s2/item.json", f"s3://{bucket.name}/s2/", f"s3://{bucket.name}"):
        (scene,) = find_scenes(source, settings)
        assert isinstance(scene, Scene), scene
        assert scene.item_href == f"s3://{bucket.name}/s2/item.json"
        assert scene.imagery.bands[0].href.startswith(f"s3://{bucket.name}/s2/GRANULE/")
    (first,) = find_scenes(f"s3://{bucket.name}", settings)
    (again,) = find_scenes(f"s3://{bucket.name}", settings)
    assert isinstance(first, Scene)
    assert again == first
    changed = next(bucket.glob("**/*TCI*.tif"))
    changed.write_bytes(changed.read_bytes() + b"\0")
    (after,) = find_scenes(f"s3://{bucket.name}", settings)
    assert isinstance(after, Scene) and after.version != first.version


def test_a_catalog_in_a_bucket_with_a_dangling_item(bucket: Path, item: Build, write: Write, write_tif: Tif) -> None:
    write_tif(bucket / "images" / "a.tif")
    (bucket / "images" / "empty.tif").touch()
    write(bucket / "stac" / "catalog.json", catalog("root", *(("item", f"./{n}/{n}.json") for n in "abcd")))
    write(bucket / "stac" / "a" / "a.json", item("a", "../../images/a.tif"))
    write(bucket / "stac" / "b" / "b.json", item("b", f"s3://{bucket.name}/images/gone.tif"))
    write(bucket / "stac" / "c" / "c.json", item("c", "s3://no-such-bucket/a.tif"))
    write(bucket / "stac" / "d" / "d.json", item("d", "../../images/empty.tif"))
    results = list(find_scenes(f"s3://{bucket.name}/stac", load_settings(_env_file=None)))
    assert keys(results) == ["a"]
    said = failures(results)
    assert "does not exist" in said["b"] and "asset=image" in said["b"] and "images/gone.tif" in said["b"]
    assert "bucket does not exist" in said["c"]
    assert "is empty" in said["d"]


def test_buckets_and_credentials_that_do_not_work(bucket: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    def message(source: str) -> str:
        with pytest.raises(SourceError) as caught:
            list(find_scenes(source, load_settings(_env_file=None)))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    write(bucket / "catalog.json", catalog("root"))
    assert "bucket does not exist" in message("s3://no-such-bucket/catalog.json")
    assert "bucket does not exist" in message("s3://no-such-bucket")
    assert "bucket does not exist" in message("s3://no-such-bucket/prefix")
    assert "Not found" in message(f"s3://{bucket.name}/gone.json")
    assert "Not found" in message(f"s3://{bucket.name}/gone")
    assert "names no bucket" in message("s3://")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "Access denied" in message(f"s3://{bucket.name}/catalog.json")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    said = message(f"s3://{bucket.name}/catalog.json")
    assert "No S3 credentials" in said and "AWS_ACCESS_KEY_ID" in said
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("IMAGERAG_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "Cannot connect to http://127.0.0.1:9" in message(f"s3://{bucket.name}/catalog.json")


# APIs


def test_relative_links_to_the_next_page_are_followed(
    stac_api: Any, settings: Settings, item: Build, tmp_path: Path, write_tif: Tif
) -> None:
    image = write_tif(tmp_path / "image.tif")
    stac_api.relative = True
    stac_api.items = [item(f"i{n}", str(image), collection="x") for n in range(5)]
    assert keys(list(find_scenes(stac_api.url, settings, collections=["x"]))) == [f"x.i{n}" for n in range(5)]


def test_an_api_is_searched_by_collection_page_by_page(
    stac_api: Any, settings: Settings, item: Build, tmp_path: Path, write_tif: Tif
) -> None:
    image = write_tif(tmp_path / "image.tif")
    stac_api.items = [
        item(f"i{n}", str(image), collection="x" if n < 5 else "y",
             links=[{"rel": "self", "href": f"{stac_api.url}/collections/x/items/i{n}"}])
        for n in range(7)
    ]  # fmt: skip
    results = list(find_scenes(stac_api.url, settings, collections=["x"]))
    assert keys(results) == [f"x.i{n}" for n in range(5)]
    assert isinstance(results[0], Scene)
    assert results[0].item_href == f"{stac_api.url}/collections/x/items/i0"
    assert [search.get("token") for search in stac_api.searches] == [None, "2", "4"]
    assert keys(list(find_scenes(stac_api.url, settings, scenes=["y.i6", "i2"]))) == ["x.i2", "y.i6"]

    stac_api.searches.clear()
    assert keys(list(find_scenes(stac_api.url, settings, limit=1))) == ["x.i0"]
    assert len(stac_api.searches) == 1
    with pytest.raises(SourceError, match="searched by collection; it has: x, y"):
        list(find_scenes(stac_api.url, settings))
    with pytest.raises(UnknownSceneError, match="no scene nope"):
        list(find_scenes(stac_api.url, settings, scenes=["nope"]))
    with pytest.raises(SourceError, match="no item of collection z"):
        list(find_scenes(stac_api.url, settings, collections=["z"]))


def test_an_api_that_fails_midway_or_is_down(stac_api: Any, settings: Settings, item: Build) -> None:
    stac_api.items = [item(f"i{n}", f"{stac_api.url}/i.tif", collection="x") for n in range(4)]
    stac_api.fail_at_token = "2"
    *came, failed = find_scenes(stac_api.url, settings, collections=["x"])
    assert keys(came) == ["x.i0", "x.i1"]
    assert isinstance(failed, FailedItem)
    assert "2 items came, then: The API refused the search" in str(failed.error)
    stac_api.fail_at_token = None
    stac_api.busy = 1
    assert keys(list(find_scenes(stac_api.url, settings, collections=["x"]))) == ["x.i0", "x.i1", "x.i2", "x.i3"]
    assert stac_api.busy == 0
    with pytest.raises(SourceError, match=r"Cannot connect to 127\.0\.0\.1:9"):
        list(find_scenes("http://127.0.0.1:9", settings))
    with pytest.raises(SourceError, match="Not found"):
        list(find_scenes(f"{stac_api.url}/gone", settings))


@pytest.mark.parametrize("matched", [{}, {"numberMatched": 5}, {"context": {"matched": 5}}])
def test_empty_pages_do_not_end_a_listing(
    stac_api: Any, settings: Settings, item: Build, tmp_path: Path, write_tif: Tif, matched: dict[str, Any]
) -> None:
    image = write_tif(tmp_path / "image.tif")
    stac_api.items = [item(f"i{n}", str(image), collection="x") for n in range(5)]
    stac_api.gaps, stac_api.matched = True, matched
    assert keys(list(find_scenes(stac_api.url, settings, collections=["x"]))) == [f"x.i{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cut": True, "matched": {"numberMatched": 5}}, "2 of 5 items came"),
        ({"cut": True, "matched": {"context": {"matched": 5, "returned": 2}}}, "2 of 5 items came"),
        ({"cut": True, "page": 200}, "the last page is full"),
        ({"cut": True, "page": 200, "matched": {"numberMatched": None}}, "the last page is full"),
        ({"cut": True, "page": 200, "matched": {"numberMatched": 100}}, None),
        ({"cut": True, "matched": {"numberMatched": 5.0}}, "2 of 5 items came"),
        ({"cut": True, "matched": {"numberMatched": 10**30}}, "2 of 1000000000000000019884624838656 items came"),
        ({"cut": True, "matched": {"numberMatched": "many"}}, None),
        ({"cut": True, "matched": {"numberMatched": "5"}}, "2 of 5 items came"),
        ({"matched": {"numberMatched": 100}}, None),
        ({"matched": {"numberMatched": 1}}, "100 items came, although the API says that it has 1"),
        ({}, "the last page is full"),
    ],
)
def test_an_api_that_lists_a_part_only_is_told_from_one_that_lists_all(
    stac_api: Any, settings: Settings, item: Build, options: dict[str, Any], said: str | None
) -> None:
    stac_api.items = [item(f"i{n}", f"{stac_api.url}/{n}.tif", collection="x") for n in range(100)]
    for name, value in options.items():
        setattr(stac_api, name, value)
    listing = list_source(stac_api.url, settings, collections=["x"])
    assert len(list(listing.listed)) == (2 if options.get("page") is None and "cut" in options else 100)
    assert [said in str(problem) for problem in listing.problems if said] == ([True] if said else [])
    assert bool(listing.problems) == bool(said)


def test_entries_that_are_no_items_stop_nothing_and_are_told(stac_api: Any, settings: Settings, item: Build) -> None:
    one = item("i0", f"{stac_api.url}/0.tif", collection="x")
    stac_api.items, stac_api.matched = [one], {"features": [1, None, [], "x", one]}
    listing = list_source(stac_api.url, settings, collections=["x"])
    assert [each.ref for each in listing.listed] == ["x/i0"]
    (problem,) = listing.problems
    assert "4 entries are not items" in str(problem)


@pytest.mark.parametrize("features", ["abc", {"a": 1}, 7])
def test_features_that_are_no_list_are_one_clear_line(
    stac_api: Any, settings: Settings, item: Build, features: object
) -> None:
    stac_api.items, stac_api.matched = [item("i0", f"{stac_api.url}/0.tif", collection="x")], {"features": features}
    with pytest.raises(SourceError, match="features are not a list"):
        list(list_source(stac_api.url, settings, collections=["x"]).listed)


def test_an_api_that_repeats_its_pages_ends(
    stac_api: Any, settings: Settings, item: Build, tmp_path: Path, write_tif: Tif
) -> None:
    image = write_tif(tmp_path / "image.tif")
    stac_api.items = [item(f"i{n}", str(image), collection="x") for n in range(4)]
    stac_api.repeats = True
    results = list(find_scenes(stac_api.url, settings, collections=["x"]))
    assert keys(results[:2]) == ["x.i0", "x.i1"]
    (failed,) = results[2:]
    assert isinstance(failed, FailedItem)
    assert "returns the same page again" in str(failed.error)


def test_ids_that_differ_only_by_case(
    tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif
) -> None:
    write_tif(tmp_path / "image.tif")
    for number, name in enumerate(("Port", "port", "harbour")):
        write(tmp_path / f"{number}.json", item(name))
    assert keys(list(find_scenes(str(tmp_path), settings))) == ["Port", other_key(None, "port"), "harbour"]


def test_records_survive_json(tmp_path: Path, settings: Settings, item: Build, write: Write, write_tif: Tif) -> None:
    write_tif(tmp_path / "image.tif")
    (tmp_path / "item.json").write_text(json.dumps(item()).replace("12.5", "NaN"))
    (scene,) = find_scenes(str(tmp_path), settings)
    assert isinstance(scene, Scene)
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict(), allow_nan=False))) == scene
    assert scene.cloud_cover is None
