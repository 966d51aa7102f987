"""Rasters without items from the command line to an answer, and in a watched folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.plain_files.names import item_id
from imagerag_assets.scenes.removed import is_removed, list_removed
from imagerag_assets.settings import Settings
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.purge import purge
from imagerag_assets.watched_sources.sources import WatchedSource
from imagerag_assets.watched_sources.tick import TickPlan, plan_tick
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.items import texture, write_tiff
from tests.s3 import S3Endpoint


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {each["scene"]: each["status"] for each in document["scenes"]}


@pytest.mark.usefixtures("installed", "milvus_stays")
def test_a_folder_is_explained_ingested_asked_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    root = tmp_path / "bilder ü#%20"
    good = [
        write_tiff(root / "a" / "scene_20240630.tif", texture(300, 300)),
        write_tiff(root / "b" / "scene_20240630.tif", texture(300, 300, 1)),
        write_tiff(root / "multi.tif", np.random.default_rng(0).integers(0, 4000, (5, 300, 300)).astype(np.uint16),
                   crs=None),
    ]  # fmt: skip
    (root / "broken.tif").write_bytes(b"II*\0junk")
    (root / "notes.txt").write_text("no raster")
    keys = [item_id(str(path)) for path in good]

    code, explained = run(capsys, "explain", str(root))
    assert code == 3 and explained["totals"]["new"] == 3 and explained["totals"]["failed"] == 1
    assert not (tmp_path / "home" / "objects" / "made_items").exists()
    notes = {each["scene"]: each.get("notes") for each in explained["scenes"]}
    assert notes[keys[0]] == ["Item made from the file; date from its name"]

    code, done = run(capsys, "ingest", str(root))
    assert code == 3
    assert statuses(done) == {**dict.fromkeys(keys, "ingested"), item_id(str(root / "broken.tif")): "failed"}
    (failed,) = [each for each in done["scenes"] if each["error"]]
    assert "broken.tif" in failed["error"]
    (multi,) = [each for each in done["scenes"] if each["scene"] == keys[2]]
    assert "no CRS: windows are in pixels only" in multi["notes"]
    assert run(capsys, "ingest", str(good[0]))[1]["totals"]["skipped"] == 1

    stored = json.loads((tmp_path / "home" / "objects" / "made_items" / f"{keys[0]}.json").read_text())
    assert stored["properties"]["datetime"].startswith("2024-06-30")
    code, answer = run(capsys, "ask", "Where is the storage tank?", "--scene", keys[0], "--choice", "A=upper left",
                       "--choice", "B=lower right")  # fmt: skip
    assert code == 0 and answer["lineage"]["scenes"].keys() == {keys[0]}
    code, replayed = run(capsys, "replay", answer["answer_id"])
    assert code == 0 and replayed["differences"] == []

    write_tiff(good[0], texture(320, 300, 5))
    assert statuses(run(capsys, "ingest", str(good[0]))[1]) == {keys[0]: "ingested"}
    capsys.readouterr()
    assert main(["ingest", str(good[0])]) == 0
    assert "date from its name" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("installed", "milvus_stays")
def test_a_prefix_and_a_store_in_s3(
    s3_endpoint: S3Endpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**s3_endpoint.environment(), "IMAGERAG_STORE": "s3://plain-store/objects"}.items():
        monkeypatch.setenv(name, value)
    (s3_endpoint.root / "plain-store").mkdir()
    bucket = s3_endpoint.root / "plain-bucket"
    write_tiff(bucket / "p" / "x y ü.tif", texture(300, 300))
    write_tiff(bucket / "p" / "q" / "x y ü.tif", texture(300, 300, 1))
    code, done = run(capsys, "ingest", "s3://plain-bucket/p/")
    assert (code, done["totals"]["ingested"]) == (0, 2)
    names = [path.name for path in (s3_endpoint.root / "plain-store" / "objects" / "made_items").iterdir()]
    assert sorted(names) == sorted(f"{each['scene']}.json" for each in done["scenes"])


def test_options_of_layers_for_something_else_and_a_folder_of_nothing(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    code, said = run(capsys, "ingest", str(tmp_path / "empty"))
    assert (code, said["error"]["type"]) == (2, "SourceError")
    code, said = run(capsys, "ingest", str(tmp_path / "empty"), "--bbox", "1,2,3,4", "--zoom", "3")
    assert (code, said["error"]["type"]) == (2, "InputError")


class Watch:
    """A watched folder that is ticked."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.cursor = platform, None
        self.source = WatchedSource("here", str(folder))

    cursor: str | None

    def tick(self) -> TickPlan:
        plan = plan_tick(self.platform, self.source, self.cursor)
        self.cursor = plan.cursor
        for request in plan.requests:  # as `add_partition` does
            self.platform.store.write_json(f"sources/{request.scene.scene_key}.json", request.scene.to_dict())
        return plan

    def found(self) -> dict[str, str]:
        return {request.scene.scene_key: request.why for request in self.tick().requests}


def test_a_watched_folder(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    paths = [write_tiff(folder / str(n) / "scene.tif", texture(32, 32, n)) for n in range(6)]
    keys = [item_id(str(path)) for path in paths]
    with Platform(settings) as platform:
        watch = Watch(platform, folder)
        assert watch.found() == dict.fromkeys(keys, "new")
        assert watch.found() == {}

        later = write_tiff(folder / "later.tif", texture(32, 32))
        (folder / "half.tif").write_bytes(paths[0].read_bytes()[:90])
        plan = watch.tick()
        assert [request.scene.scene_key for request in plan.requests] == [item_id(str(later))]
        assert [each.scene_key for each in plan.failed] == [item_id(str(folder / "half.tif"))]

        (folder / "half.tif").write_bytes(later.read_bytes())  # its upload ends
        write_tiff(paths[0], texture(48, 48))
        os.utime(paths[0], (1_700_000_000, 1_700_000_000))
        assert watch.found() == {keys[0]: "changed", item_id(str(folder / "half.tif")): "new"}

        paths[1].unlink()
        assert watch.found() == {} and not is_removed(platform, keys[1])
        assert full_scan(platform, watch.source).removed == (keys[1],)
        assert is_removed(platform, keys[1]) and watch.found() == {}
        purge(platform, [keys[1]])
        assert not platform.store.exists(f"made_items/{keys[1]}.json")
        assert platform.store.exists(f"made_items/{keys[2]}.json")

        write_tiff(paths[1], texture(32, 32, 9))
        assert watch.found() == {keys[1]: "new"}
        for path in paths[1:]:
            path.unlink()
        assert full_scan(platform, watch.source).held_back  # so many at once need a person
        assert list_removed(platform) == []
