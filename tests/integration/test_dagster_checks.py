"""Checks in real Dagster runs: a broken scene stops what follows of itself only, and is said like any other failure."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from imagerag_assets.ingestion.ingest import shard_key
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.partitions import add_partition
from imagerag_assets.scenes.records import load_record
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import ShardWriter, read_shard, shard_info
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NAMES = ("good-one", "spoilt", "good-two")


def spoil(platform: Platform, scene_key: str) -> Path:
    """Put a NaN into a scene's shard; returns the file."""
    key = shard_key(platform, load_record(platform, scene_key))
    info, table = shard_info(platform.store, key), read_shard(platform.store, key).drop_columns(["geometry"])
    vectors = embeddings_of(table).copy()
    vectors[2, 7] = np.nan
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), info.dim)
    with ShardWriter(platform.store, key, dim=info.dim, encoder=info.encoder) as writer:
        writer.append(table.set_column(table.num_columns - 1, table.schema.field("embedding"), column))
        writer.commit(dropped=info.dropped)
    return Path(platform.store.url(key.path))


def evaluations(instance: dg.DagsterInstance) -> dict[str, dict[str | None, bool]]:
    """Whether each check passed last, by check and partition."""
    latest: dict[str, dict[str | None, bool]] = {}
    for record in reversed(instance.get_runs()):
        for entry in instance.all_logs(record.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            assert entry.dagster_event is not None
            found = entry.dagster_event.asset_check_evaluation_data
            latest.setdefault(found.check_name, {})[found.partition] = found.passed
    return latest


@pytest.mark.usefixtures("milvus_stays")
def test_a_broken_scene_stops_only_itself(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    catalog = write_source(tmp_path / "source", NAMES)
    with Platform(installed) as platform, dagster_instance(installed) as instance:
        (scene,) = find_scenes(str(catalog), installed, scenes=["spoilt"])
        assert isinstance(scene, Scene)
        add_partition(platform, instance, scene)
        embeddings_only = (
            build_defs()
            .resolve_job_def("ingest_scenes")
            .execute_in_process(
                instance=instance,
                partition_key="spoilt",
                run_config=QUIET,
                asset_selection=[dg.AssetKey(name) for name in ("scene", "patch_table", "patch_embeddings")],
            )
        )
        assert embeddings_only.success
        shard = spoil(platform, "spoilt")

    code, found = run(capsys, "ingest", str(catalog))
    assert code == 3
    by_name = {each["scene"]: each for each in found["scenes"]}
    assert {name: each["status"] for name, each in by_name.items()} == {
        "good-one": "ingested", "spoilt": "failed", "good-two": "ingested",
    }  # fmt: skip
    error = by_name["spoilt"]["error"]
    assert error.startswith("1 of ")
    assert "hold NaN" in error
    assert str(shard) in error
    assert "\n" not in error

    with dagster_instance(installed) as instance:
        checks = evaluations(instance)
        assert checks["no_nan"] == {"good-one": True, "spoilt": False, "good-two": True}
        assert checks["item_valid"] == dict.fromkeys(NAMES, True)
        assert checks["unit_norms"]["spoilt"]  # what can be measured is fine
        assert checks["rows_equal_shard"] == {"good-one": True, "good-two": True}  # there was nothing to check
        assert instance.get_materialized_partitions(dg.AssetKey("patch_collection")) == {"good-one", "good-two"}
        (record, *_) = instance.get_run_records(dg.RunsFilter(tags={"dagster/partition": "spoilt"}), limit=1)
        assert record.dagster_run.status == dg.DagsterRunStatus.FAILURE

    code, status = run(capsys, "status")
    assert [(each["scene"], each["type"]) for each in status["failures"]] == [("spoilt", "CheckError")]
    assert status["collections"][0]["rows"] == sum(by_name[name]["patches"] for name in ("good-one", "good-two"))

    shard.unlink()  # as the error says
    code, again = run(capsys, "ingest", str(catalog))
    assert code == 0
    assert {each["scene"]: each["status"] for each in again["scenes"]} == {
        "good-one": "skipped", "spoilt": "ingested", "good-two": "skipped",
    }  # fmt: skip
    assert run(capsys, "status")[1]["failures"] == []


@pytest.mark.usefixtures("milvus_stays")
def test_a_scene_that_failed_a_check_is_not_taken_for_current(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A shard that went bad after it was indexed: found by the scene's next run, and not forgotten by an ingest."""
    catalog = write_source(tmp_path / "source", ("one",))
    assert run(capsys, "ingest", str(catalog))[0] == 0
    with Platform(installed) as platform:
        shard = spoil(platform, "one")
    with dagster_instance(installed) as instance:
        job = build_defs().resolve_job_def("ingest_scenes")
        ran = job.execute_in_process(instance=instance, partition_key="one", run_config=QUIET, raise_on_error=False)
        assert not ran.success
        (failed,) = [event for event in ran.all_events if event.is_step_failure]
        assert failed.step_key == "patch_embeddings_checks"
    code, found = run(capsys, "ingest", str(catalog))
    assert (code, found["scenes"][0]["status"]) == (3, "failed")
    shard.unlink()
    assert run(capsys, "ingest", str(catalog))[0] == 0
    assert run(capsys, "ingest", str(catalog))[1]["scenes"][0]["status"] == "skipped"
