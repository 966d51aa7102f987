"""Scenes through the Dagster assets, by the command line and by the job of the UI: the same events, whoever started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from imagerag_assets.orchestration.build import build_defs, open_runner
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus import VectorStore
from tests.commands import run
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_raster, write_source

ASSETS = ("scene", "patch_table", "patch_embeddings", "patch_collection")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def materializations(instance: dg.DagsterInstance, asset: str) -> dict[str, dict[str, Any]]:
    """The latest metadata of each partition."""
    records = instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
    latest: dict[str, dict[str, Any]] = {}
    for record in reversed(records):
        made = record.asset_materialization
        assert made is not None
        latest[str(made.partition)] = {name: value.value for name, value in made.metadata.items()}
    return latest


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The collections whose index is renewed, each time."""
    renew, names = VectorStore.build_index, list[str]()

    def build_index(self: VectorStore, collection: str, index_type: str | None = None, *, resize: bool = False) -> str:
        names.append(collection)
        return renew(self, collection, index_type, resize=resize)

    monkeypatch.setattr(VectorStore, "build_index", build_index)
    return names


def test_ingest_by_command_line(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    renewed: list[str],
) -> None:
    catalog = write_source(tmp_path / "source", ("one", "broken", "two"))
    raster = tmp_path / "source" / "broken.tif"
    whole = raster.read_bytes()
    raster.write_bytes(whole[: len(whole) // 3])

    code, found = run(capsys, "ingest", str(catalog))
    assert code == 3
    assert {each["scene"]: each["status"] for each in found["scenes"]} == {
        "one": "ingested", "broken": "failed", "two": "ingested",
    }  # fmt: skip
    assert [bool(each["error"]) for each in found["scenes"]] == [False, True, False]
    assert len(renewed) == 1  # for all scenes
    assert found["totals"].keys() == {"ingested", "skipped", "empty", "failed", "patches", "seconds"}
    patches = {each["scene"]: each["patches"] for each in found["scenes"]}
    assert patches["one"] == patches["two"] > 0

    with dagster_instance(installed) as instance:
        assert sorted(instance.get_dynamic_partitions("scenes")) == ["broken", "one", "two"]
        runs = {each.tags["dagster/partition"]: each.status.value for each in instance.get_runs()}
        assert runs == {"one": "SUCCESS", "two": "SUCCESS", "broken": "FAILURE"}
        for asset in ASSETS:
            assert {"one", "two"} <= materializations(instance, asset).keys()
        about = materializations(instance, "scene")["one"]
        assert about["width_px"] == 300
        assert "/imagerag/scenes/one/overview.jpg" in about["preview"]
        assert materializations(instance, "patch_embeddings")["two"]["dagster/row_count"] == patches["two"]
        number_of_runs = instance.get_runs_count()

    code, again = run(capsys, "ingest", str(catalog), "--scene", "one", "--scene", "two")
    assert code == 0
    assert {each["status"] for each in again["scenes"]} == {"skipped"}
    assert again["totals"]["patches"] == found["totals"]["patches"]
    assert len(renewed) == 1
    with dagster_instance(installed) as instance:
        assert instance.get_runs_count() == number_of_runs  # nothing to do, no run

    raster.write_bytes(whole)
    write_raster(tmp_path / "source" / "two.tif", px=600, seed=9, at=2)
    code, changed = run(capsys, "ingest", str(catalog))
    assert code == 0
    assert {each["scene"]: each["status"] for each in changed["scenes"]} == {
        "one": "skipped", "broken": "ingested", "two": "ingested",
    }  # fmt: skip
    code, status = run(capsys, "status")
    assert status["collections"][0]["rows"] == changed["totals"]["patches"]
    assert (status["scenes"], status["stale"], status["failures"]) == (3, 0, [])


def test_scan_from_the_ui(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    """A run opens its own platform, and gives each scene a run of its own."""
    catalog = write_source(tmp_path / "source", ("one", "broken", "two"))
    raster = tmp_path / "source" / "broken.tif"
    raster.write_bytes(raster.read_bytes()[:5000])
    job = build_defs().resolve_job_def("scan_source")
    config = {**QUIET, "ops": {"scan": {"config": {"source": str(catalog)}}}}
    with dagster_instance(installed) as instance:
        result = job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
        assert not result.success
        (failure,) = [event for event in result.all_events if event.is_step_failure]
        data = failure.step_failure_data.user_failure_data
        assert data is not None
        assert str(data.description).startswith("1 of 3 scenes failed; the others are done")
        assert materializations(instance, "patch_collection").keys() == {"one", "two"}
        statuses = sorted((each.job_name, each.status.value) for each in instance.get_runs())
        assert statuses == [
            ("ingest_scenes", "FAILURE"), ("ingest_scenes", "SUCCESS"), ("ingest_scenes", "SUCCESS"),
            ("scan_source", "FAILURE"),
        ]  # fmt: skip

        only_announced = {**QUIET, "ops": {"scan": {"config": {"source": str(catalog), "ingest": False}}}}
        assert job.execute_in_process(run_config=only_announced, instance=instance).success
        assert instance.get_runs_count() == 5
    with open_runner(installed) as runner:
        assert [failure.scene for failure in list_failures(runner.platform)] == ["broken"]


def test_materializing_a_partition_that_stands_for_nothing(installed: Settings) -> None:  # noqa: F811
    job = build_defs().resolve_job_def("ingest_scenes")
    with dagster_instance(installed) as instance:
        instance.add_dynamic_partitions("scenes", ["typed by hand"])
        result = job.execute_in_process(
            run_config=QUIET, instance=instance, partition_key="typed by hand", raise_on_error=False
        )
        (failure,) = [event for event in result.all_events if event.is_step_failure]
        data = failure.step_failure_data.user_failure_data
        assert data is not None
        assert "No source has a scene for this partition" in str(data.description)
