"""Online layers from the command line to an answer, in watched sources, and what becomes of their keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.errors import SettingsError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.records import load_record
from imagerag_assets.settings import Settings
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.sources import add_source, find_source
from imagerag_assets.watched_sources.tick import plan_tick
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.tile_server import TileServer

OPTIONS = ["--bbox", "9.1,48.7,9.3,48.8", "--zoom", "12"]


@pytest.mark.usefixtures("milvus_stays")
def test_a_layer_is_explained_ingested_asked_and_replayed(
    installed: Settings,  # noqa: F811
    tile_server: TileServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    address = tile_server.url + "/xyz/{z}/{x}/{y}.png?apikey=SECRET-KEY"
    options = [*OPTIONS, "--date", "2024-06-30"]
    code, explained = run(capsys, "explain", address, *options)
    (cost,) = explained["scenes"]
    assert (code, cost["state"], tile_server.asked) == (0, "new", [])
    assert cost["width_px"] > 500 and cost["patches"] > 0
    assert cost["notes"] == ["Item made from the online layer; date from the option"]

    code, done = run(capsys, "ingest", address, *options)
    (scene,) = done["scenes"]
    assert (code, scene["status"], scene["scene"]) == (0, "ingested", cost["scene"]), scene
    assert all("apikey=SECRET-KEY" in path for path in tile_server.asked)
    asked = len(tile_server.asked)
    assert run(capsys, "ingest", address, *options)[1]["totals"]["skipped"] == 1
    assert len(tile_server.asked) == asked
    assert run(capsys, "explain", address, *options)[1]["totals"]["current"] == 1

    with Platform(installed) as platform:
        record = load_record(platform, scene["scene"])
        layer = record.scene.properties["imagerag:layer"]
        assert layer["template"] == tile_server.url + "/xyz/{z}/{x}/{y}.png?apikey=***"
        assert (layer["zoom"], layer["date"], layer["kind"]) == (12, "2024-06-30", "xyz")
        assert (record.grid.width, record.grid.height) == (cost["width_px"], cost["height_px"])
        assert record.scene.source.endswith("apikey=***#bbox=9.1,48.7,9.3,48.8&zoom=12&date=2024-06-30")
    code, answer = run(capsys, "ask", "Where is the storage tank?", "--bbox", "9,48,10,49", "--choice", "A=upper left",
                       "--choice", "B=lower right")  # fmt: skip
    assert code == 0 and list(answer["lineage"]["scenes"]) == [scene["scene"]]
    assert run(capsys, "replay", answer["answer_id"])[1]["differences"] == []

    for file in [path for path in installed.home.rglob("*") if path.is_file()]:
        assert b"SECRET-KEY" not in file.read_bytes(), file


@pytest.mark.usefixtures("milvus_stays")
@pytest.mark.parametrize("address", ["/wms?service=WMS&layers=ortho", "/wmts?service=WMTS&layer=ortho"])
def test_a_service_is_ingested_and_a_wrong_layer_is_one_line(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tile_server: TileServer,
    address: str,
) -> None:
    code, done = run(capsys, "ingest", tile_server.url + address, *OPTIONS, "--date", "2024-06-30")
    assert (code, done["totals"]["ingested"]) == (0, 1)
    (scene,) = run(capsys, "scenes")[1]["scenes"]
    assert scene["bbox"] == pytest.approx([9.1, 48.7, 9.3, 48.8], abs=1e-3)
    assert scene["acquired"].startswith("2024-06-30")
    code, done = run(capsys, "ingest", tile_server.url + address.replace("=ortho", "=nothing"), *OPTIONS)
    said = done["error"]["message"] if "error" in done else done["scenes"][0]["error"]
    assert code in (2, 3) and "\n" not in said
    assert "no such layer; it has ortho" in said or "no picture" in said


@pytest.mark.usefixtures("installed", "milvus_stays")
def test_what_fails_is_named_without_its_key_and_done_again(
    tile_server: TileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    tile_server.codes = {"/xyz/": 403}
    address = tile_server.url + "/xyz/{z}/{x}/{y}.png?token=SECRET-KEY"
    code, done = run(capsys, "ingest", address, *OPTIONS)
    (scene,) = done["scenes"]
    assert (code, scene["status"]) == (3, "failed")
    assert "access denied" in scene["error"] and "SECRET" not in json.dumps(done)
    tile_server.codes = {}
    assert run(capsys, "ingest", address, *OPTIONS)[1]["totals"]["ingested"] == 1

    for broken, options in (("/xyz/{x}/{y}.png", OPTIONS), ("/xyz/{z}/{x}/{y}.png", OPTIONS[:2]),
                            ("/xyz/{z}/{x}/{y}.png", ["--bbox", "179,1,-179,2", "--zoom", "3"])):  # fmt: skip
        code, said = run(capsys, "ingest", f"{tile_server.url}{broken}?key=SECRET-KEY", *options)
        assert (code, said["error"]["type"]) == (2, "SourceError")
        assert said["error"]["fix"] and "SECRET" not in json.dumps(said)


def test_a_watched_layer(
    installed: Settings,  # noqa: F811
    tile_server: TileServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILES_KEY", "SECRET-KEY")
    address = tile_server.url + "/xyz/{z}/{x}/{y}.png?key=${TILES_KEY}"
    code, said = run(capsys, "sources", "add", "ortho", address.replace("${TILES_KEY}", "SECRET-KEY"), *OPTIONS)
    assert (code, "clear text" in said["error"]["message"]) == (2, True)
    assert not installed.watched_sources_file.exists()
    code, said = run(capsys, "sources", "add", "ortho", address, *OPTIONS, "--date", "2024-06-30")
    assert (code, said["added"]["zoom"], said["added"]["bbox"]) == (0, 12, [9.1, 48.7, 9.3, 48.8])
    with pytest.raises(SettingsError, match="no width"):
        add_source(installed, "other", address, bbox=[1, 2, 1, 3], zoom=3)
    with pytest.raises(SettingsError, match="over http"):
        add_source(installed, "other", "/a/folder", zoom=3)

    source = find_source("ortho", installed)
    with Platform(installed) as platform:
        plan = plan_tick(platform, source, None)
        (request,) = plan.requests
        assert tile_server.asked == []  # a tick has no time for that
        assert plan_tick(platform, source, plan.cursor).requests == ()
        scan = full_scan(platform, source)
        assert (scan.changed, scan.removed, scan.failed) == ((), (), 0)
        assert platform.store.exists(f"made_items/{request.scene.scene_key}.json")
        text = json.dumps(request.scene.to_dict())
        assert "SECRET" not in text and "${TILES_KEY}" in text


def test_a_watched_layer_that_is_down(installed: Settings, tile_server: TileServer) -> None:  # noqa: F811
    add_source(installed, "map", tile_server.url + "/wmts?layer=ortho", bbox=[9.1, 48.7, 9.3, 48.8], zoom=12)
    source = find_source("map", installed)
    tile_server.codes = {"GetCapabilities": 503}
    with Platform(installed) as platform:
        plan = plan_tick(platform, source, None)
        assert [str(each.error.message) for each in plan.failed] == [
            "The capabilities of the WMTS cannot be read (HTTP 503)"
        ]
        assert full_scan(platform, source).removed == ()


def test_files_of_sources_by_hand(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    installed.watched_sources_file.parent.mkdir(parents=True, exist_ok=True)
    installed.watched_sources_file.write_text(
        '[sources.a]\nsource = "https://h/{z}/{x}/{y}.png"\nbbox = [1, 2, 3, 4]\nzoom = 5\ndate = "2024-06-30"\n'
    )
    assert find_source("a", installed).address == "https://h/{z}/{x}/{y}.png#bbox=1,2,3,4&zoom=5&date=2024-06-30"
    for wrong in ("zoom = 5", "bbox = [1, 2, 3, 4]", "bbox = [1, 2]\nzoom = 3", 'bbox = [1, 2, 3, 4]\nzoom = "x"'):
        installed.watched_sources_file.write_text(f'[sources.a]\nsource = "https://h/{{z}}/{{x}}/{{y}}.png"\n{wrong}\n')
        with pytest.raises(SettingsError, match="Source 'a'"):
            find_source("a", installed)
