"""`imagerag scenes`, as typed: list, show and remove scenes of a real installation."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.errors import RemovedSceneError
from imagerag_assets.ingestion import remove as removal
from imagerag_assets.ingestion.ingest import index
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.scenes.failures import record_failure
from imagerag_assets.scenes.records import record_key
from imagerag_assets.scenes.removed import find_removed, is_asked
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.items import texture, write_scene
from tests.killed import processes_of
from tests.small_source import write_source
from tests.tiny_encoder import NAME


class Cli:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> Any:
        """Return the JSON document of a command."""
        return json.loads(self.text(*words, "--json", code=code)[0])

    def text(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Return what a command prints, as words."""
        self._capsys.readouterr()
        found = main(words)
        out, err = self._capsys.readouterr()
        assert found == code, (out, err)
        assert "Traceback" not in err
        return (out if "--json" in words else " ".join(out.split())), err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path) -> Path:  # noqa: F811
    """A folder with a catalog of three scenes, a folder with an empty one, and an installation that has them all."""
    folder = tmp_path_factory.mktemp("prepared")
    write_source(folder / "source", ("one", "two", "three"), px=140)
    blank = np.zeros((3, 300, 300), np.uint8)
    write_scene(folder / "other", "blank", blank, profile={"nodata": 0})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": folder / "home", "ENCODERS_FILE": tiny_registry, "ENCODER": NAME}.items():
            patch.setenv(f"IMAGERAG_{name}", str(value))
        assert main(["ingest", str(folder / "source" / "catalog.json")]) == 0
        assert main(["ingest", str(folder / "other")]) == 3
        # Milvus Lite's server ends shortly after the last command; until then its files change, and come and go.
        servers = [each for each in processes_of(load_settings()) if "milvus_lite_server" in " ".join(each.cmdline())]
        _, left = psutil.wait_procs(servers, timeout=60)
        assert left == []
    return folder


@pytest.fixture
def source(installed: Settings, prepared: Path) -> Iterator[str]:  # noqa: F811
    """The catalog; the installation is a copy of the prepared one."""
    shutil.copytree(prepared / "home", installed.home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("socket-*"))
    with closing(LiteShare(lite_path(installed))):
        yield str(prepared / "source" / "catalog.json")


def keys(document: Any) -> list[str]:
    return [each["scene"] for each in document["scenes"]]


def rows_of(settings: Settings, scene: str) -> int:
    with Platform(settings) as platform:
        return platform.vectors.count("patches", Filter().scene_in([scene]))


def test_an_empty_scene_is_counted_as_such(cli: Cli, source: str, prepared: Path) -> None:
    found = cli("ingest", str(prepared / "other"), code=3)
    assert found["totals"] | {"seconds": 0} == {
        "ingested": 0, "skipped": 0, "empty": 1, "failed": 0, "patches": 0, "seconds": 0,
    }  # fmt: skip
    assert found["scenes"][0]["status"] == "empty" and "no pixel holds data" in found["scenes"][0]["note"]
    out, _ = cli.text("ingest", str(prepared / "other"), code=3)
    assert "1 empty" in out and "blank: The scene is empty" in out


def test_the_list(cli: Cli, source: str) -> None:
    found = cli("scenes")
    assert keys(found) == ["blank", "one", "three", "two"]
    assert (found["total"], found["page"], found["pages"]) == (4, 1, 1)
    one = found["scenes"][1]
    assert {name: one[name] for name in ("item", "source", "width", "height", "gsd_m", "status")} == {
        "item": "one", "source": source, "width": 140, "height": 140, "gsd_m": pytest.approx(1, abs=0.02),
        "status": "ingested",
    }  # fmt: skip
    assert one["acquired"] == "2024-05-01T00:00:00+00:00"
    assert one["patches"] > 0 and len(one["bbox"]) == 4
    blank = found["scenes"][0]
    assert (blank["status"], blank["patches"]) == ("empty", 0)
    assert any("no pixel holds data" in note for note in blank["notes"])
    out, _ = cli.text("scenes")
    assert "4 scenes" in out and "empty" in out and "140 x 140" in out
    assert cli("scenes", "list") == found


def test_filters_and_pages(cli: Cli, source: str, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(cli("scenes", "--source", source)) == ["one", "three", "two"]
    assert keys(cli("scenes", "--source", str(prepared / "source"))) == ["one", "three", "two"]
    monkeypatch.chdir(prepared)
    assert keys(cli("scenes", "--source", "other")) == ["blank"]  # relative to the current folder
    assert keys(cli("scenes", "--source", str(prepared / "sour"))) == []
    cli("sources", "add", "dark", str(prepared / "other"))
    assert keys(cli("scenes", "--source", "dark")) == ["blank"]
    assert keys(cli("scenes", "--collection", "nothing")) == []
    assert keys(cli("scenes", "--datetime", "2024-05-02/2024-05-03")) == ["three", "two"]
    assert keys(cli("scenes", "--datetime", "../2024-05-01")) == ["one"]
    west, south, east, north = cli("scenes")["scenes"][1]["bbox"]
    assert keys(cli("scenes", "--bbox", f"{west},{south},{(west + east) / 2},{north}")) == ["one"]
    assert keys(cli("scenes", f"--bbox={east},{south},{east},{south}")) == ["one"]  # a point
    assert keys(cli("scenes", "--bbox", "170,-10,-170,10")) == []
    second = cli("scenes", "--limit", "3", "--page", "2")
    assert (keys(second), second["total"], second["pages"]) == (["two"], 4, 2)
    assert "page 1 of 4" in cli.text("scenes", "--limit", "1")[0]
    assert "There is no page 3" in cli("scenes", "--limit", "3", "--page", "3", code=2)["error"]["message"]
    for wrong in (("--bbox", "1,2"), ("--datetime", "soon"), ("--limit", "0"), ("--page", "0")):
        cli("scenes", *wrong, code=2)


def test_an_empty_installation(cli: Cli) -> None:
    assert cli("scenes") == {"scenes": [], "total": 0, "page": 1, "pages": 1}
    assert "no scenes" in cli.text("scenes")[0]
    assert "No scene has been ingested yet" in cli("scenes", "show", "one", code=2)["error"]["fix"]


def test_a_damaged_record_is_listed_and_can_be_removed(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
) -> None:
    with Platform(installed) as platform:
        platform.store.write_bytes(record_key("two"), b"{}")
    listed = {each["scene"]: each for each in cli("scenes")["scenes"]}
    assert listed["two"]["status"] == "unreadable" and "damaged" in listed["two"]["notes"][0]
    assert cli("scenes", "show", "two")["scenes"][0]["status"] == "unreadable"
    assert "unreadable" in cli.text("scenes")[0]
    assert cli("scenes", "remove", "two", "--yes")["removed"][0]["rows"] > 0


def test_show_says_everything_and_writes_a_picture(cli: Cli, source: str, tmp_path: Path) -> None:
    answer = cli("ask", "Where is the pier?", "--scene", "one", "--no-answer")
    (shown,) = cli("scenes", "show", "one")["scenes"]
    assert shown["picture"] == "one.png"
    with Image.open(tmp_path / "one.png") as picture:
        assert (picture.size, picture.mode) == ((140, 140), "RGB")
    assert shown["version"] and shown["item_href"].endswith("one.json") and shown["crs"].startswith("WGS 84")
    assert shown["footprint"]["type"] == "Polygon" and len(shown["bands"]) == 3
    (shard,) = shown["embeddings"]
    assert (shard["encoder"], shard["current"], shard["kept"]) == ("tiny", True, "valid")
    (rows,) = shown["rows"]
    assert (rows["alias"], rows["rows"]) == ("patches", shard["patches"])
    assert shown["patch_tables"][0]["patches"] == shard["patches"]
    assert shown["answers"]["total"] == 1
    assert shown["answers"]["latest"][0]["answer_id"] == answer["answer_id"]
    out, _ = cli.text("scenes", "show", "one", "--out", "p/x.png", "--size", "64")
    for part in ("one.json", "used by 1 answer", "tiny", "p/x.png"):
        assert part in out
    with Image.open(tmp_path / "p" / "x.png") as picture:
        assert picture.size == (64, 64)
    both = cli("scenes", "show", "two", "blank", "two", "--out", "pictures")["scenes"]
    assert [each["picture"] for each in both] == ["pictures/two.png", "pictures/blank.png"]
    with Image.open(tmp_path / "pictures" / "blank.png") as picture:
        assert picture.mode == "RGBA" and picture.getextrema()[3] == (0, 0)  # nothing holds data


def test_show_of_a_scene_whose_files_are_gone_or_that_only_failed(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
    prepared: Path,
    tmp_path: Path,
) -> None:
    raster = prepared / "source" / "one.tif"
    raster.rename(raster.with_suffix(".away"))
    try:
        (shown,) = cli("scenes", "show", "one")["scenes"]
    finally:
        raster.with_suffix(".away").rename(raster)
    assert any("stored overview" in note and "one.tif" in note for note in shown["notes"])
    assert (tmp_path / "one.png").exists()
    with Platform(installed) as platform:
        record_failure(platform, "lost", ValueError("no\nimagery"))
        record_failure(platform, "two", ValueError("later"))
    (lost,) = cli("scenes", "show", "lost")["scenes"]
    assert (lost["status"], lost["failure"]["error"], lost["picture"]) == ("failed", "ValueError: no imagery", None)
    assert "no imagery" in cli.text("scenes", "show", "lost")[0]
    assert any("later" in note for note in cli("scenes", "show", "two")["scenes"][0]["notes"])
    (tmp_path / "file").write_text("x")
    assert cli("scenes", "show", "two", "--out", "file/x.png", code=1)["error"]["type"] == "StoreError"


@pytest.mark.parametrize("command", ["show", "remove"])
def test_an_unknown_key_names_the_nearest_and_does_nothing(
    cli: Cli,
    source: str,
    command: str,
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    yes = ("--yes",) if command == "remove" else ()
    error = cli("scenes", command, "two", "thre", *yes, code=2)["error"]
    assert "Did you mean three" in error["fix"]
    assert not (tmp_path / "two.png").exists()
    assert rows_of(installed, "two") > 0
    for key in ("../../etc/passwd", "", "a\nb"):
        assert cli("scenes", command, key, *yes, code=2)["error"]["type"] == "UnknownSceneError"
    cli("scenes", command, code=2)


def test_a_removed_scene_stays_away_until_it_is_named(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
) -> None:
    answer = cli("ask", "Where is the pier?", "--scene", "two", "--no-answer")
    before = rows_of(installed, "two")
    assert cli("scenes", "remove", "two", "--dry-run")["removed"] == [{"scene": "two", "rows": before}]
    assert "needs a yes" in cli("scenes", "remove", "two", code=2)["error"]["message"]
    assert rows_of(installed, "two") == before
    done = cli("scenes", "remove", "two", "three", "--yes")
    assert [(each["scene"], each["rows"], each["before"]) for each in done["removed"]] == [
        ("two", before, False), ("three", before, False),
    ]  # fmt: skip
    assert rows_of(installed, "two") == 0
    with dagster_instance(installed) as instance:
        assert sorted(instance.get_dynamic_partitions("scenes")) == ["blank", "one"]
    listed = {each["scene"]: each for each in cli("scenes")["scenes"]}
    assert (listed["two"]["status"], listed["two"]["patches"]) == ("removed", 0)
    assert any("was removed on" in note for note in listed["two"]["notes"])

    error = cli("ask", "Where is the pier?", "--scene", "two", "--no-answer", code=2)["error"]
    assert error["type"] == "RemovedSceneError" and "--scene two" in error["fix"]
    assert "two" not in cli("ask", "Where is the pier?", "--no-answer")["lineage"]["scenes"]
    traced = cli("trace", answer["answer_id"])
    assert traced["outdated"][0]["reason"] == "scene-removed" and "was removed on" in traced["outdated"][0]["detail"]
    assert cli("replay", answer["answer_id"], code=2)["error"]["type"] == "RemovedSceneError"
    assert cli("scenes", "show", "two")["scenes"][0]["answers"]["total"] == 1  # record, shard and overview are there
    assert [each["scene"] for each in cli("status")["removed"]] == ["three", "two"]
    assert "removed" in cli.text("status")[0]

    again = {each["scene"]: each for each in cli("ingest", source)["scenes"]}
    assert (again["two"]["status"], again["two"]["patches"]) == ("skipped", 0)
    assert "--scene two" in again["two"]["note"]
    assert cli("explain", source)["totals"]["removed"] == 2
    assert rows_of(installed, "two") == 0
    (back,) = cli("ingest", source, "--scene", "two")["scenes"]
    assert (back["status"], back["patches"]) == ("ingested", before)
    assert rows_of(installed, "two") == before
    own = cli("scenes", "show", "three")["scenes"][0]["item_href"]
    assert cli("ingest", own)["scenes"][0]["status"] == "ingested"  # the item's own address names it, too
    assert cli("status")["removed"] == []


def test_a_killed_removal_shows_and_is_finished_by_the_next(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delete = removal.delete_rows

    def killed(*given: Any) -> None:
        delete(*given)
        raise KeyboardInterrupt

    def early(*_: Any) -> None:
        raise KeyboardInterrupt

    for interrupt, left in ((early, True), (killed, False)):
        with monkeypatch.context() as patch:
            patch.setattr(removal, "delete_rows", interrupt)
            assert main(["scenes", "remove", "two", "--yes"]) == 130
        assert (rows_of(installed, "two") > 0) is left
        assert any("not finished" in note for each in cli("scenes")["scenes"] for note in each["notes"])
        assert "not finished" in cli.text("status")[0]
        error = cli("ask", "Where is it?", "--scene", "two", "--no-answer", code=2)["error"]
        assert error["type"] == "RemovedSceneError"
    (done,) = cli("scenes", "remove", "two", "--yes")["removed"]
    assert (done["before"], rows_of(installed, "two")) == (True, 0)
    with Platform(installed) as platform:
        mark = find_removed(platform, "two")
        assert mark is not None and mark.done
    with dagster_instance(installed) as instance:
        assert not instance.has_dynamic_partition("scenes", "two")


def test_purge_deletes_a_removed_scene_for_good_and_its_item_does_not_bring_it_back(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
) -> None:
    cli("scenes", "remove", "two", "--yes")
    assert cli("purge")["scenes"] == []  # not for a week, unless it is named
    assert [each["scene"] for each in cli("purge", "--older-than", "0s")["scenes"]] == ["two"]
    assert cli("purge", "--older-than", "0s")["scenes"] == []
    assert keys(cli("scenes")) == ["blank", "one", "three"]
    with Platform(installed) as platform:
        assert is_asked(platform, "two")
        assert not [key for key in platform.store.list() if "/two/" in key]
    assert cli("status")["removed"] == []
    again = {each["scene"]: each["status"] for each in cli("ingest", source)["scenes"]}
    assert again["two"] == "skipped"
    assert cli("scenes", "show", "two")["scenes"][0]["status"] == "removed"
    error = cli("ask", "Where is it?", "--scene", "two", "--no-answer", code=2)["error"]
    assert error["type"] == "RemovedSceneError"
    assert cli("ingest", source, "--scene", "two")["scenes"][0]["status"] == "ingested"


def test_a_person_is_asked(
    cli: Cli,
    source: str,
    installed: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for answer, code, left in (("n\n", 1, True), ("", 2, True), ("y\n", 0, False)):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        _, err = cli.text("scenes", "remove", "two", code=code)
        assert "Remove two with" in err
        assert (rows_of(installed, "two") > 0) is left


def test_rows_that_are_written_while_a_scene_is_removed_are_taken_back(
    source: str,
    installed: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Platform(installed) as platform:
        platform.vectors.delete_scene(platform.vectors.alias_target("patches") or "", "two")
        replace = VectorStore.replace_scene

        def meanwhile(self: VectorStore, *given: Any, **named: Any) -> int:
            removal.remove_scenes(platform, ["two"])  # sees no row yet
            return replace(self, *given, **named)

        monkeypatch.setattr(VectorStore, "replace_scene", meanwhile)
        with pytest.raises(RemovedSceneError):
            index(platform, "two")
        assert platform.vectors.count("patches", Filter().scene_in(["two"])) == 0


def test_text_of_items_is_no_markup(cli: Cli, installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "[red]odd[/]"
    write_scene(folder, "odd", texture(80, 80), title="[bold]x[/]")
    cli("ingest", str(folder))
    assert "[red]odd[/]" in cli.text("scenes")[0].replace(" ", "")
    assert "[bold]x[/]" in cli.text("scenes", "show", "odd")[0].replace(" ", "")
