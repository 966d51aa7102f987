"""The daemon ticks a sensor on a bucket: an item that appears is ingested, one that fails is told and run again."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.dev import free_port
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.settings import Settings
from imagerag_assets.watched_sources.sources import add_source
from tests.dagster_ui import ask, running_dev, wait_for
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.items import texture, write_scene
from tests.s3 import S3Endpoint
from tests.webhook import Hook, hook  # noqa: F401

_RUNS = "{runsOrError{...on Runs{results{runId jobName status tags{key value}}}}}"
_AGAIN = (
    "mutation($p:ReexecutionParams!){launchRunReexecution(reexecutionParams:$p){__typename"
    " ...on LaunchRunSuccess{run{runId}} ...on PythonError{message}}}"
)
_FRESH = '{assetNodes(assetKeys:[{path:["source_bucket"]}]){freshnessStatusInfo{freshnessStatus}}}'


def put(bucket: Path, folder: Path, name: str, size: int = 300) -> None:
    """Upload a scene, its file first."""
    item = write_scene(folder, name, texture(size, size))
    for file in (item.with_suffix(".tif"), item):
        shutil.copy(file, bucket / file.name)


def test_an_item_in_a_bucket_becomes_a_scene(
    installed: Settings,  # noqa: F811
    s3_endpoint: S3Endpoint,
    hook: Hook,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**s3_endpoint.environment(), "IMAGERAG_WEBHOOK_URL": hook.url}.items():
        monkeypatch.setenv(name, value)
    bucket = s3_endpoint.root / "ticks"
    bucket.mkdir()
    put(bucket, tmp_path / "made", "first")
    add_source(installed, "bucket", "s3://ticks", every=5, fresh_within="2d")
    port = free_port("127.0.0.1")
    with running_dev(port, tmp_path / "dev.log") as process:

        def statuses() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for run in ask(port, _RUNS)["runsOrError"]["results"]:
                tags = {tag["key"]: tag["value"] for tag in run["tags"]}
                if "imagerag/scene" not in tags:
                    continue  # renews the index for all of them
                assert tags["imagerag/source"] == "bucket"
                found.setdefault(tags["imagerag/scene"], []).append(run["status"])
            return found

        def ended(scene: str, status: str) -> bool | None:
            return statuses().get(scene, [None])[0] == status or None

        wait_for(lambda: ended("first", "SUCCESS"), 400, process)
        put(bucket, tmp_path / "made", "second")  # while the daemon watches
        whole = (bucket / "second.tif").read_bytes()
        put(bucket, tmp_path / "made", "third")
        broken = bucket / "third.tif"
        broken.write_bytes(whole[: len(whole) // 3])
        wait_for(lambda: ended("second", "SUCCESS"), 300, process)
        wait_for(lambda: ended("third", "FAILURE"), 300, process)
        with Platform(installed) as platform:
            assert [failure.scene for failure in list_failures(platform)] == ["third"]

        told = wait_for(lambda: next(iter(hook.received), None), 200, process)
        assert (told["event"], told["detail"]["scene"], told["detail"]["source"]) == ("run_failed", "third", "bucket")
        assert "third.tif" in told["detail"]["errors"][0]

        broken.write_bytes(whole)  # mended, and run again by the button of the UI
        (failed,) = [run for run in ask(port, _RUNS)["runsOrError"]["results"] if run["status"] == "FAILURE"]
        again = ask(port, _AGAIN, p={"parentRunId": failed["runId"], "strategy": "FROM_FAILURE"})
        assert again["launchRunReexecution"]["__typename"] == "LaunchRunSuccess", again
        wait_for(lambda: ended("third", "SUCCESS"), 300, process)

        def fresh() -> bool | None:
            (source,) = ask(port, _FRESH)["assetNodes"]
            status = (source["freshnessStatusInfo"] or {}).get("freshnessStatus")
            return status == "HEALTHY" or None

        wait_for(fresh, 120, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    with dagster_instance(installed) as instance:
        assert sorted(instance.get_dynamic_partitions("scenes")) == ["first", "second", "third"]
    with Platform(installed) as platform:
        assert list_failures(platform) == []
        (collection,) = platform.vectors.list_collections()
        assert collection.rows > 0
