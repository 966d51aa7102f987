"""The sensor of a source, its asset and schedule, and the jobs of maintenance, with a real instance and real runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.scenes.removed import is_removed, mark_removed
from imagerag_assets.settings import Settings
from imagerag_assets.watched_sources.sources import WatchedSource, add_source, list_sources
from tests.items import write_item

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "prefix"
    for name in ("a", "b", "c"):
        write_item(folder / f"{name}.json", f"./{name}.tif", eo_cloud_cover=5)
        (folder / f"{name}.tif").write_bytes(b"II*\0")
    return folder


@pytest.fixture
def source(settings: Settings, prefix: Path) -> WatchedSource:
    return add_source(settings, "port", str(prefix), max_new=2, fresh_within="2d", every=5)


@pytest.fixture
def defs(settings: Settings, source: WatchedSource) -> dg.Definitions:
    return build_defs(settings=settings)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(settings) as instance:
        yield instance


def tick(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    repository = defs.get_repository_def()
    context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
    with dg.partition_loading_context(dynamic_partitions_store=instance):  # as the daemon does
        return repository.get_sensor_def("source_port").evaluate_tick(context)


def test_a_source_has_a_sensor_a_schedule_and_an_asset(
    defs: dg.Definitions, settings: Settings, source: WatchedSource
) -> None:
    dg.Definitions.validate_loadable(defs)
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("source_port")
    assert sensor.minimum_interval_seconds == 5
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    schedule = repository.get_schedule_def("rescan_port")
    assert schedule.cron_schedule.endswith(" 2 * * *")
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey("source_port")]
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(source.fresh_within)  # type: ignore[arg-type]
    assert list_sources(settings) == (source,)


def test_ticks_add_partitions_and_request_runs(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings
) -> None:
    first = tick(defs, instance, None)
    assert [request.partition_key for request in first.run_requests] == ["a", "b"]
    request = first.run_requests[0]
    assert request.run_key.startswith("a:") and len(request.run_key) == 66
    assert {"imagerag/scene": "a", "imagerag/source": "port", "imagerag/index": "later"}.items() <= request.tags.items()
    (event,) = first.asset_events
    assert event.metadata["waiting"].value == 1
    assert instance.get_dynamic_partitions("scenes") == ["a", "b"]

    second = tick(defs, instance, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["c"]
    third = tick(defs, instance, second.cursor)
    assert (third.run_requests, third.skip_message) == ([], "Nothing new among 3 documents")
    assert third.cursor == second.cursor

    with Platform(settings) as platform:
        Path(list_sources(settings)[0].source).rename(settings.home / "away")
        down = tick(defs, instance, third.cursor)
        assert "Not found" in down.skip_message
        assert down.cursor == third.cursor
        assert not is_removed(platform, "a")


def test_indexes_are_renewed_once_no_scene_is_under_way(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    sensor = defs.get_repository_def().get_sensor_def("renew_indexes")

    def look(cursor: str | None) -> Any:
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))

    assert look(None).skip_message == "No scene was indexed since the last renewal."
    for key in ("a", "b"):
        instance.report_runless_asset_event(dg.AssetMaterialization("patch_collection", partition=key))
    ingest = defs.resolve_job_def("ingest_scenes")
    instance.add_dynamic_partitions("scenes", ["c"])
    run = instance.create_run_for_job(ingest, status=dg.DagsterRunStatus.NOT_STARTED)
    assert look(None).skip_message == "2 scenes were indexed; more are under way."
    instance.delete_run(run.run_id)
    found = look(None)
    (request,) = found.run_requests
    assert request.run_key == f"renew-{found.cursor}"
    assert look(found.cursor).skip_message is not None
    done = defs.resolve_job_def("renew_indexes").execute_in_process(run_config=QUIET, instance=instance)
    assert done.success


def test_the_jobs_of_maintenance(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings, prefix: Path
) -> None:
    cursor = tick(defs, instance, tick(defs, instance, None).cursor).cursor
    (prefix / "b.json").unlink()
    rescan = defs.resolve_job_def("rescan_source")
    config = {**QUIET, "ops": {"rescan": {"config": {"source": "port"}}}}
    assert rescan.execute_in_process(run_config=config, instance=instance).success
    observed = instance.fetch_observations(dg.AssetKey("scene"), limit=5).records
    assert [record.partition_key for record in observed] == ["b"]
    with Platform(settings) as platform:
        assert is_removed(platform, "b")
        purge = defs.resolve_job_def("purge_removed")
        config = {**QUIET, "ops": {"purge_scenes": {"config": {"older_than": "7d"}}}}
        assert purge.execute_in_process(run_config=config, instance=instance).success
        assert is_removed(platform, "b")  # too fresh
        config = {**QUIET, "ops": {"purge_scenes": {"config": {"older_than": "0s"}}}}
        assert purge.execute_in_process(run_config=config, instance=instance).success
        assert not platform.store.exists("sources/b.json")
    assert instance.get_dynamic_partitions("scenes") == ["a", "c"]

    write_item(prefix / "b.json", "./b.tif", eo_cloud_cover=5)  # the same item returns
    (request,) = tick(defs, instance, cursor).run_requests
    assert request.run_key.endswith(":1")
    assert instance.has_dynamic_partition("scenes", "b")


def test_a_rescan_of_what_is_not_whole_fails_when_it_is_done(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings, prefix: Path
) -> None:
    tick(defs, instance, tick(defs, instance, None).cursor)
    for item in prefix.glob("*.json"):
        item.rename(item.with_suffix(".away"))
    rescan = defs.resolve_job_def("rescan_source")
    config = {"source": "port"}
    run = {**QUIET, "ops": {"rescan": {"config": config}}}
    done = rescan.execute_in_process(run_config=run, instance=instance, raise_on_error=False)
    assert not done.success
    failure = done.failure_data_for_node("rescan").user_failure_data
    assert "not whole" in failure.description and "accept_removals=true" in failure.description
    assert failure.metadata["held_back"].value == 3
    with Platform(settings) as platform:
        assert not is_removed(platform, "a")
        assert platform.store.exists("acquisitions/port/full-scan.json")
    config["accept_removals"] = True
    assert rescan.execute_in_process(run_config=run, instance=instance).success
    with Platform(settings) as platform:
        assert is_removed(platform, "a")


def test_a_returning_scene_loses_its_mark(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings
) -> None:
    with Platform(settings) as platform:
        mark_removed(platform, "a")
        tick(defs, instance, None)
        assert not is_removed(platform, "a")


def test_a_broken_file_of_sources_is_one_line(settings: Settings) -> None:
    settings.watched_sources_file.parent.mkdir(parents=True)
    settings.watched_sources_file.write_text("[sources.A]\n")
    with pytest.raises(Exception, match="cannot name a source"):
        build_defs(settings=settings)
    assert build_defs(settings=settings, sources=()).get_repository_def().get_all_jobs()
