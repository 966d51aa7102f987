"""Ticks and full scans of real folders, catalogs and an API: what is new, once, within limits."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pystac
import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.removed import clear_removed, is_asked, is_removed, mark_asked
from imagerag_assets.settings import Settings
from imagerag_assets.stac.keys import other_key
from imagerag_assets.stac.listing import list_source
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.sources import WatchedSource
from imagerag_assets.watched_sources.tick import Cursor, TickPlan, plan_tick
from tests.items import write_item
from tests.stac_api import StacApi, stac_api  # noqa: F401

NOW = datetime(2030, 1, 1, tzinfo=UTC)  # after everything that the tests write


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings) as platform:
        yield platform


class Watch:
    """A source that is ticked: each tick goes on where the last one was."""

    def __init__(self, platform: Platform, source: Path | str, **options: Any) -> None:
        self.platform, self.cursor = platform, None
        self.source = WatchedSource("here", str(source), **options)

    cursor: str | None

    def tick(self, *, now: datetime = NOW, taken: tuple[str, ...] = ()) -> TickPlan:
        plan = plan_tick(self.platform, self.source, self.cursor, taken=lambda: taken, now=now)
        self.cursor = plan.cursor
        for request in plan.requests:  # as `add_partition` does
            self.platform.store.write_json(f"sources/{request.scene.scene_key}.json", request.scene.to_dict())
        return plan

    def names(self, **options: Any) -> list[str]:
        return sorted(request.scene.scene_key for request in self.tick(**options).requests)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A prefix with three items; a file of any bytes is imagery enough until it is opened."""
    for number, name in enumerate(("a", "b", "c")):
        put(tmp_path / "prefix", name, at=1_700_000_000 + number)
    return tmp_path / "prefix"


def put(folder: Path, name: str, *, at: float | None = None, file: bool = True, **properties: Any) -> Path:
    """An item and its file."""
    item = write_item(folder / f"{name}.json", f"./{name}.tif", **properties)
    if file:
        (folder / f"{name}.tif").write_bytes(b"II*\0" + name.encode())
    if at is not None:
        os.utime(item, (at, at))
    return item


def catalog_of(folder: Path, names: tuple[str, ...]) -> Path:
    """A static catalog with a collection that links to the items of a folder."""
    links = [{"rel": "item", "href": f"./{name}.json"} for name in names]
    collection = {"type": "Collection", "id": "c", "stac_version": "1.0.0", "extent": {}, "links": links}
    (folder / "collection.json").write_text(json.dumps(collection))
    root = {
        "type": "Catalog",
        "id": "r",
        "stac_version": "1.0.0",
        "links": [{"rel": "child", "href": "collection.json"}],
    }
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder / "catalog.json"


def test_each_version_of_an_item_is_requested_once(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, folder)
    first = watch.tick()
    assert [request.scene.scene_key for request in first.requests] == ["a", "b", "c"]  # the oldest first
    assert all(request.run_key == f"{request.scene.scene_key}:{request.scene.version}" for request in first.requests)
    assert first.reason == "3 new and 0 changed scenes among 3 documents"
    cursor = Cursor.parse(first.cursor)
    assert (cursor.updated, cursor.id) == ("2023-11-14T22:13:22+00:00", str(folder / "c.json"))

    again = watch.tick()
    assert (again.requests, again.reason) == ((), "Nothing new among 3 documents")
    assert again.cursor == first.cursor

    before = (folder / "b.json").read_bytes()
    put(folder, "b", file=False, eo_cloud_cover=70)
    (changed,) = watch.tick().requests
    assert (changed.scene.scene_key, changed.why) == ("b", "changed")
    (folder / "b.json").write_bytes(before)
    (back,) = watch.tick().requests  # as it was: Dagster would not run the first key again
    assert back.run_key == f"b:{back.scene.version}:1"
    os.utime(folder / "b.json", (1, 1))
    assert watch.tick().requests == ()  # another time, the same item


def test_what_comes_late_is_seen(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, folder)
    watch.tick()
    put(folder, "late", at=1_000_000_000)
    assert watch.names() == ["late"]
    assert Cursor.parse(watch.cursor).updated == "2023-11-14T22:13:22+00:00"  # never back


def test_a_tick_has_limits(platform: Platform, folder: Path) -> None:
    for number in range(7):
        put(folder, f"n{number}", at=1_800_000_000 + number)
    watch = Watch(platform, folder, max_new=4)
    first = watch.tick()
    assert (len(first.requests), first.waiting) == (4, 6)
    assert first.reason == "4 new and 0 changed scenes among 10 documents; 6 wait for the next tick"
    assert [len(watch.names()) for _ in range(3)] == [4, 2, 0]
    assert plan_tick(platform, watch.source, None, now=NOW, seconds=0).requests == ()  # no time: all waits


def test_a_killed_tick_is_done_again(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, folder)
    plan_tick(platform, watch.source, None, now=NOW)  # its cursor is never stored
    assert watch.names() == ["a", "b", "c"]
    shutil.rmtree(Path(platform.store.url()) / "acquisitions")
    assert watch.names() == ["a", "b", "c"]  # the ledger was lost; the run keys are the same


def test_an_item_collection_larger_than_a_tick(platform: Platform, tmp_path: Path) -> None:
    items = [json.loads(put(tmp_path, f"i{n}").read_text()) for n in range(5)]
    file = tmp_path / "all" / "items.json"
    file.parent.mkdir()
    for item in items:
        item["assets"]["visual"]["href"] = f"../{item['id']}.tif"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    watch = Watch(platform, file.parent, max_new=2)
    assert [watch.names() for _ in range(4)] == [["i0", "i1"], ["i2", "i3"], ["i4"], []]


def test_items_that_cannot_be_used(platform: Platform, folder: Path) -> None:
    put(folder, "early", file=False)
    (folder / "broken.json").write_text("{")
    (folder / "other.json").write_text('{"no": "stac"}')
    os.utime(folder / "early.json", (NOW.timestamp(), NOW.timestamp()))
    watch = Watch(platform, folder, look_back=timedelta(days=2))
    first = watch.tick()
    assert len(first.requests) == 3
    assert sorted(each.scene_key for each in first.failed) == ["broken", "early"]
    assert sorted(failure.scene for failure in list_failures(platform)) == ["broken", "early"]

    second = watch.tick(now=NOW + timedelta(minutes=1))
    assert "2 cannot be used, first " in second.reason
    (folder / "early.tif").write_bytes(b"II*\0")
    assert watch.names(now=NOW + timedelta(minutes=1, seconds=1)) == []  # tried a second ago
    assert watch.names(now=NOW + timedelta(hours=1)) == ["early"]
    assert watch.tick(now=NOW + timedelta(days=4)).failed == ()  # too old: the full scan is left
    assert full_scan(platform, watch.source).changed == ()
    shutil.copy(folder / "a.json", folder / "broken.json")
    (folder / "broken.json").write_text((folder / "a.json").read_text().replace('"a"', '"mended"'))
    assert watch.names() == ["mended"]


def test_times_that_are_missing_or_in_the_future(platform: Platform, folder: Path) -> None:
    item = json.loads(put(folder, "future").read_text())
    item["properties"]["datetime"] = "2999-01-01T00:00:00Z"
    (folder / "future.json").write_text(json.dumps(item))
    os.utime(folder / "future.json", (32_000_000_000, 32_000_000_000))
    item["id"], item["properties"] = "timeless", {"datetime": None}
    (folder / "timeless.json").write_text(json.dumps(item))
    watch = Watch(platform, folder)
    notes = {request.scene.scene_key: request.scene.notes for request in watch.tick().requests}
    assert "The item's time is in the future" in notes["future"]
    assert "The item has no time" in notes["timeless"]
    cursor = Cursor.parse(watch.cursor)
    assert cursor.updated is not None and cursor.updated <= datetime.now(UTC).isoformat()
    put(folder, "next")
    assert watch.names() == ["next"]


def test_ids_that_are_the_same_or_differ_only_by_case(platform: Platform, folder: Path) -> None:
    put(folder, "d", item_id="A", at=1_900_000_000)
    watch = Watch(platform, folder)
    assert watch.names() == [other_key(None, "A"), "a", "b", "c"]
    put(folder, "e", item_id="Elsewhere")
    assert watch.names(taken=("ELSEWHERE",)) == [other_key(None, "Elsewhere")]
    assert full_scan(platform, watch.source).removed == ()
    put(folder, "f", item_id="b")
    assert "same collection and id" in str(watch.tick().failed[0].error)
    (folder / "b.json").unlink()
    (moved,) = watch.tick(now=NOW + timedelta(days=1)).requests  # another file, and nobody else's key any more
    assert (moved.scene.scene_key, moved.why) == ("b", "changed")


def test_a_source_that_is_down(platform: Platform, folder: Path, tmp_path: Path) -> None:
    watch = Watch(platform, folder)
    watch.tick()
    folder.rename(tmp_path / "away")
    with pytest.raises(SourceError, match="Not found"):
        watch.tick()
    with pytest.raises(SourceError, match="Not found"):
        full_scan(platform, watch.source)
    (tmp_path / "away").rename(folder)
    put(folder, "d")
    assert watch.names() == ["d"]
    with pytest.raises(SourceError, match="Cannot connect") as caught:
        Watch(platform, "http://127.0.0.1:9/stac").tick()
    assert caught.value.transient


def test_the_full_scan_sees_what_a_tick_cannot(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, folder)
    watch.tick()
    (folder / "a.tif").write_bytes(b"II*\0 another image")  # the item is the same
    (folder / "b.json").unlink()
    assert watch.names() == []
    found = full_scan(platform, watch.source)
    assert (found.listed, found.changed, found.removed) == (2, (str(folder / "a.json"),), ("b",))
    assert is_removed(platform, "b")
    (request,) = watch.tick().requests
    assert (request.scene.scene_key, request.why) == ("a", "changed")
    assert watch.names() == []  # a report is taken up once
    assert full_scan(platform, watch.source).removed == ()

    put(folder, "b")
    (back,) = watch.tick().requests
    assert back.scene.scene_key == "b"
    full_scan(platform, watch.source)
    assert not is_removed(platform, "b")


def test_a_scene_that_a_person_removed_is_not_requested_again(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, folder)
    watch.tick()
    mark_asked(platform, "b", done=True)
    put(folder, "b", file=False, eo_cloud_cover=70)
    put(folder, "c", file=False, eo_cloud_cover=70)
    plan = watch.tick()
    assert [request.scene.scene_key for request in plan.requests] == ["c"]
    assert plan.removed == ("b",)
    assert "1 were removed and are left out" in plan.reason
    assert watch.tick().removed == ()  # its document is read once
    (folder / "b.tif").write_bytes(b"II*\0 another image")
    found = full_scan(platform, watch.source)
    assert (found.changed, found.removed) == ((), ())
    assert is_asked(platform, "b")  # its item is there, and that is no reason
    watch.cursor = None  # a reset reads everything again
    assert watch.names() == ["a", "c"]
    clear_removed(platform, "b", asked=True)  # as naming it does
    put(folder, "b", file=False, eo_cloud_cover=71)
    assert watch.names() == ["b"]


def test_a_static_catalog_is_read_without_its_items(platform: Platform, folder: Path) -> None:
    catalog = catalog_of(folder, ("a", "b", "c"))
    watch = Watch(platform, catalog, collections=("c",))
    assert watch.names() == ["a", "b", "c"]
    put(folder, "d")
    put(folder, "a", eo_cloud_cover=10)
    catalog_of(folder, ("a", "b", "c", "d"))
    assert watch.names() == ["a", "d"]
    catalog_of(folder, ("a", "b", "d"))
    assert full_scan(platform, watch.source).removed == ("c",)

    # A branch that cannot be read: its items are not gone.
    root = json.loads(catalog.read_text())
    root["links"].append({"rel": "child", "href": "lost.json"})
    catalog.write_text(json.dumps(root))
    (folder / "collection.json").rename(folder / "kept")
    found = full_scan(platform, watch.source)
    assert (found.removed, len(found.problems)) == ((), 2)
    assert "2 branches cannot be read" in watch.tick().reason


def api_item(name: str, image: Path, updated: str | None = None, **properties: Any) -> dict[str, Any]:
    item = pystac.Item(name, None, None, datetime(2024, 5, 1, tzinfo=UTC), {**properties}).to_dict(False, False)
    if updated:
        item["properties"]["updated"] = updated
    asset = {"href": str(image), "roles": ["visual"], "type": "image/tiff"}
    return {**item, "collection": "x", "assets": {"visual": asset}}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.tif"
    path.write_bytes(b"II*\0")
    return path


def test_an_api_is_asked_for_what_is_new(platform: Platform, stac_api: StacApi, image: Path) -> None:  # noqa: F811
    stac_api.filters = True
    stac_api.items = [api_item(f"i{n}", image, f"2024-06-{10 + n}T00:00:00Z") for n in reversed(range(7))]
    watch = Watch(platform, stac_api.url, collections=("x",), max_new=5, look_back=timedelta(days=1))
    assert watch.names() == [f"x.i{n}" for n in range(5)]
    stac_api.searches.clear()
    assert watch.names() == ["x.i5", "x.i6"]
    assert stac_api.searches[0]["filter"] == "updated >= TIMESTAMP('2024-06-13T00:00:00Z')"
    assert len(stac_api.searches) == 2  # i3 to i6

    stac_api.items.append(api_item("late", image, "2024-06-15T12:00:00Z"))
    stac_api.items.append(api_item("i6", image, "2999-01-01T00:00:00Z"))  # a clock that is ahead
    stac_api.items.pop(0)
    assert watch.names() == ["x.i6", "x.late"]
    assert Cursor.parse(watch.cursor).updated < datetime.now(UTC).isoformat()  # type: ignore[operator]
    stac_api.items = stac_api.items[1:]
    assert full_scan(platform, watch.source).removed == ("x.i5",)


def test_an_api_that_cannot_filter(platform: Platform, stac_api: StacApi, image: Path) -> None:  # noqa: F811
    stac_api.items = [api_item(f"i{n}", image, f"2024-06-{10 + n}T00:00:00Z") for n in (2, 0, 1)]
    watch = Watch(platform, stac_api.url, max_new=1, look_back=timedelta(hours=1))
    assert [watch.names() for _ in range(4)] == [["x.i2"], ["x.i0"], ["x.i1"], []]  # unsorted, so asked anew
    assert "filter" not in stac_api.searches[-1]
    assert stac_api.searches[-1]["datetime"] == "2024-04-30T23:00:00Z/.."


@pytest.mark.parametrize("filters", [True, False])
def test_an_api_that_repeats_its_pages(
    platform: Platform, stac_api: StacApi, image: Path, filters: bool  # noqa: F811
) -> None:  # fmt: skip
    stac_api.items = [api_item(f"i{n}", image) for n in range(4)]
    stac_api.filters, stac_api.repeats = filters, True
    watch = Watch(platform, stac_api.url)
    plan = watch.tick()
    assert [request.scene.scene_key for request in plan.requests] == ["x.i0", "x.i1"]
    assert "returns the same page again" in plan.reason
    stac_api.items = stac_api.items[1:]
    assert full_scan(platform, watch.source).removed == ()  # not everything was seen


def test_a_listing_that_is_not_whole_removes_nothing_and_the_next_tick_goes_on(
    platform: Platform,
    stac_api: StacApi,  # noqa: F811
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imagerag_assets.objects.http._BACKOFF_S", 0)
    stac_api.items = [api_item(f"i{n}", image) for n in range(6)]
    watch = Watch(platform, stac_api.url, collections=("x",))
    stac_api.down_at_token = "2"
    tick = watch.tick()
    assert sorted(request.scene.scene_key for request in tick.requests) == ["x.i0", "x.i1"]
    assert "2 items came" in tick.problems[0]
    scan = full_scan(platform, watch.source)
    assert (scan.removed, scan.held_back) == ((), ())
    stac_api.down_at_token = None
    assert watch.names() == ["x.i2", "x.i3", "x.i4", "x.i5"]
    for answer in ({"cut": True, "matched": {"numberMatched": 6}}, {"items": [], "matched": {"numberMatched": 6}}):
        before = {name: getattr(stac_api, name) for name in answer}
        for name, value in answer.items():
            setattr(stac_api, name, value)
        scan = full_scan(platform, watch.source)
        assert (scan.removed, scan.held_back) == ((), ())
        assert "of 6 items came" in scan.problems[0]
        for name, value in before.items():
            setattr(stac_api, name, value)


def test_many_removals_at_once_need_a_person(platform: Platform, stac_api: StacApi, image: Path) -> None:  # noqa: F811
    stac_api.items = [api_item(f"i{n}", image) for n in range(10)]
    watch = Watch(platform, stac_api.url, collections=("x",))
    watch.tick()
    for left, held in ((0, 10), (7, 3)):
        stac_api.items = [api_item(f"i{n}", image) for n in range(left)] or [
            api_item("i0", image) | {"collection": "y"}
        ]
        scan = full_scan(platform, watch.source)
        assert (len(scan.removed), len(scan.held_back)) == (0, held)
        assert f"{held} of 10 scenes are no longer listed" in scan.problems[0]
        assert "accept_removals" in scan.problems[0]
        assert not is_removed(platform, "x.i9")
    scan = full_scan(platform, watch.source, accept_removals=True)
    assert scan.removed == ("x.i7", "x.i8", "x.i9")
    assert is_removed(platform, "x.i9")


def test_an_item_that_cannot_be_read_today_is_not_gone(platform: Platform, folder: Path) -> None:
    watch = Watch(platform, catalog_of(folder, ("a", "b", "c")))
    watch.tick()
    good = (folder / "b.json").read_bytes()
    (folder / "b.json").write_bytes(b"<html>503</html>")
    scan = full_scan(platform, watch.source)
    assert (scan.removed, scan.held_back, scan.failed) == ((), (), 1)
    (folder / "b.json").write_bytes(good)
    assert full_scan(platform, watch.source).removed == ()


def test_a_tick_goes_on_with_the_catalogs_for_which_there_was_no_time(
    platform: Platform, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not listed counts neither as gone nor as moved."""
    monkeypatch.setattr("imagerag_assets.stac.documents._BATCH", 1)
    for name in ("a", "b", "c"):
        catalog_of(folder, (name,)).with_name("collection.json").rename(folder / f"part-{name}.json")
    links = [{"rel": "child", "href": f"part-{name}.json"} for name in ("a", "b", "c")]
    content = {"type": "Catalog", "stac_version": "1.0.0", "id": "root", "description": "", "links": links}
    (folder / "catalog.json").write_text(json.dumps(content))
    watch, source = Watch(platform, folder / "catalog.json"), WatchedSource("here", str(folder / "catalog.json"))
    seen: list[str] = []
    for _ in range(4):
        plan = plan_tick(platform, source, watch.cursor, now=NOW, listing_seconds=1e-9)
        assert (plan.failed, plan.removed) == ((), ())
        watch.cursor = plan.cursor
        seen += [request.scene.scene_key for request in plan.requests]
        for request in plan.requests:
            platform.store.write_json(f"sources/{request.scene.scene_key}.json", request.scene.to_dict())
    assert seen == ["a", "b", "c"]
    assert not Cursor.parse(watch.cursor).unread  # all were read: the next one begins anew
    plan = plan_tick(platform, source, watch.cursor, now=NOW, listing_seconds=1e-9)
    assert Cursor.parse(plan.cursor).unread and "IMAGERAG_LIMIT_SOURCE_S" in plan.problems[0]
    # A second item of the same name, while that of the first one is not listed.
    (folder / "part-c.json").write_text((folder / "part-c.json").read_text().replace("c.json", "z.json"))
    (folder / "z.json").write_text((folder / "a.json").read_text())
    for _ in range(4):
        plan = plan_tick(platform, source, plan.cursor, now=NOW, listing_seconds=1e-9)
        assert plan.requests == ()
    hasty = platform.settings.model_copy(update={"limit_source_s": 1e-9})
    with Platform(hasty) as in_haste:
        scan = full_scan(in_haste, source)
    assert (scan.removed, scan.held_back) == ((), ()) and scan.problems


def test_versions_come_without_reading(folder: Path, settings: Settings) -> None:
    catalog = catalog_of(folder, ("a", "b", "c"))
    for name in ("a", "b", "c"):
        (folder / f"{name}.json").write_text("not read")
    for source in (str(catalog), str(folder)):
        listed = list(list_source(source, settings).listed)
        assert [Path(each.ref).stem for each in listed] == ["a", "b", "c"]
        assert len({each.version for each in listed} - {""}) >= 1
    before = next(each for each in list_source(str(catalog), settings).listed if each.ref.endswith("a.json"))
    (folder / "a.json").write_text("also not read")
    after = next(each for each in list_source(str(catalog), settings).listed if each.ref.endswith("a.json"))
    assert before.version != after.version
    assert replace(before, version=after.version, updated=after.updated) == after


def test_after_a_reset_of_the_cursor_the_full_scan_knows_what_was_requested_since(
    platform: Platform, folder: Path
) -> None:
    watch = Watch(platform, folder, max_new=1)
    for _ in range(4):
        watch.tick()
    watch.cursor, watch.source = None, replace(watch.source, max_new=50)  # by the button of the UI
    put(folder, "b", file=False, eo_cloud_cover=70)
    assert watch.names() == ["a", "b", "c"]
    assert full_scan(platform, watch.source).changed == ()
    put(folder, "d")
    assert watch.names() == ["d"]
    (folder / "d.json").unlink()
    assert full_scan(platform, watch.source).removed == ("d",)
    assert len(platform.store.list("acquisitions/here")) == 3  # two ledgers and the report of the scan


def test_items_of_one_document_that_share_a_key_or_an_id(platform: Platform, folder: Path) -> None:
    item = json.loads((folder / "a.json").read_text())
    items = [item | {"id": "a.b"}, item | {"id": "b", "collection": "a"}, item | {"id": "A.B"}, item | {"id": "a.b"}]
    content = {"type": "FeatureCollection", "stac_version": "1.0.0", "features": items}
    (folder / "items.json").write_text(json.dumps(content))
    watch = Watch(platform, folder / "items.json")
    tick = watch.tick()
    keys = ["a.b", other_key("a", "b"), other_key(None, "A.B")]
    assert [request.scene.scene_key for request in tick.requests] == keys
    (failed,) = tick.failed
    assert "same collection and id [scene=a.b]" in str(failed.error)
    assert full_scan(platform, watch.source).removed == ()
    items[1]["assets"] = {}  # it cannot be used today, and is still there
    (folder / "items.json").write_text(json.dumps(content))
    assert full_scan(platform, watch.source).removed == ()
    del items[3], items[1]
    (folder / "items.json").write_text(json.dumps(content))
    watch.tick()
    assert full_scan(platform, watch.source).removed == (keys[1],)


def test_a_message_in_place_of_an_item_does_not_say_that_it_is_gone(platform: Platform, folder: Path) -> None:
    for source in (folder, catalog_of(folder, ("a", "b", "c"))):
        watch = Watch(platform, source)
        watch.tick()
        before = (folder / "b.json").read_text()
        (folder / "b.json").write_text('{"code": "Forbidden"}')
        scan = full_scan(platform, watch.source)
        assert (scan.removed, scan.held_back, scan.failed) == ((), (), 1)
        assert "not STAC any more" in str(watch.tick().failed[0].error)
        assert full_scan(platform, watch.source).removed == ()
        (folder / "b.json").write_text(before)
        watch.tick()


def test_a_folder_that_cannot_be_listed_hides_its_items_and_removes_none(platform: Platform, folder: Path) -> None:
    put(folder / "deep", "d")
    watch = Watch(platform, folder)
    assert watch.names() == ["a", "b", "c", "d"]
    (folder / "deep").rename(folder.parent / "deep")
    too_long(folder / "deep")
    scan = full_scan(platform, watch.source)
    assert (scan.removed, scan.held_back) == ((), ())
    assert "deep" in scan.problems[0]
    assert "1 branches cannot be read" in watch.tick().reason


def too_long(folder: Path) -> None:
    """Make folders in a folder whose paths are longer than the system takes, so that not even root can list them."""
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=at)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_an_update_before_all_time_is_no_time(platform: Platform, stac_api: StacApi, image: Path) -> None:  # noqa: F811
    stac_api.items = [api_item("i0", image, "0001-01-01T00:00:00+01:00")]
    watch = Watch(platform, stac_api.url, collections=("x",))
    assert watch.names() == ["x.i0"]
    assert full_scan(platform, watch.source).removed == ()
