"""The sensor of standing questions: a question whose run failed is asked again, less and less often, then no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.sensors import standing_questions_sensor
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings
from imagerag_assets.standing_questions.asking import ask_watch, describe_watches
from imagerag_assets.standing_questions.store import add_watch, load_watch
from imagerag_assets.standing_questions.tries import MAX_TRIES
from tests.answers import answer_record
from tests.items import scene_at, texture, write_scene

NOW = datetime(2030, 1, 1, tzinfo=UTC)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(settings) as instance:
        yield instance


@pytest.fixture
def settings_down(tiny_settings: Settings) -> Settings:
    """Settings whose multimodal LLM is a server that nobody runs."""
    return tiny_settings.model_copy(
        update={"mllm": "http://127.0.0.1:9/v1", "mllm_name": "none", "mllm_retries": 0, "min_confidence": 0.0}
    )


class Sensor:
    """The sensor as the daemon evaluates it: its cursor is kept from tick to tick."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor, self.now = instance, None, NOW
        self.definitions = build_defs(settings=settings, sources=())
        self._sensor = standing_questions_sensor(settings, now=lambda: self.now)
        self._repository = self.definitions.get_repository_def()

    cursor: str | None

    def tick(self, after: timedelta = timedelta()) -> list[dg.RunRequest]:
        self.now += after
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self._repository,
            sensor_name="standing_questions",
        )
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            result = self._sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor or self.cursor
        self.said = result.skip_reason.skip_message if result.skip_reason else ""
        return list(result.run_requests or ())


def index(platform: Platform, instance: dg.DagsterInstance, folder: Path, name: str, seed: int = 0) -> None:
    item = write_scene(folder, name, texture(200, 300, seed))
    assert ingest_scene(platform, scene_at(item, platform.settings)).error is None
    instance.report_runless_asset_event(dg.AssetMaterialization("patch_collection", partition=name))


def test_a_failed_run_is_followed_by_others_and_then_a_note(
    settings_down: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    sensor = Sensor(settings_down, instance)
    with Platform(settings_down) as platform:
        add_watch(platform, Question("What shape are the ships?", choices={"A": "long", "B": "round"}), name="ships")
        index(platform, instance, tmp_path, "port")
        (first,) = sensor.tick()
        job = sensor.definitions.resolve_job_def("ask_standing")
        ran = job.execute_in_process(QUIET, instance, partition_key="ships", raise_on_error=False)
        assert not ran.success
        (about,) = describe_watches(platform)
        assert "Not answered after 1 try: " in about["problem"] and "127.0.0.1:9" in about["problem"]

        keys = [first.run_key]
        assert sensor.tick(timedelta(seconds=30)) == []
        assert sensor.said.endswith("Questions requested earlier and not answered yet: 1.")
        for minutes in (1, 4, 16, 64):
            assert sensor.tick(timedelta(minutes=minutes) / 3) == []
            (again,) = sensor.tick(timedelta(minutes=minutes))
            assert again.partition_key == "ships"
            keys.append(again.run_key)
        assert len(set(keys)) == len(keys) == MAX_TRIES
        assert sensor.tick(timedelta(days=1)) == []
        assert sensor.cursor is not None and sensor.cursor.isdigit()
        assert "imagerag watch run ships" in sensor.said
        (about,) = describe_watches(platform)
        assert "It waits for the next acquisition; to ask it now, run: imagerag watch run ships" in about["problem"]
        assert sensor.tick(timedelta(days=1)) == []

        index(platform, instance, tmp_path, "later", seed=3)
        (fresh,) = sensor.tick()  # another acquisition: a new start
        assert fresh.run_key not in keys
        watch = load_watch(platform, "ships")
        record = answer_record(answer="one", choice="A", path="fast")
        ask_watch(platform, watch, lambda _: record)
        assert sensor.tick(timedelta(days=1)) == []
        assert sensor.cursor.isdigit()
        assert describe_watches(platform)[0]["problem"] is None


def test_a_run_under_way_is_waited_for(tiny_settings: Settings, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    sensor = Sensor(tiny_settings, instance)
    with Platform(tiny_settings) as platform:
        add_watch(platform, Question("Where?"), name="w")
        index(platform, instance, tmp_path, "port")
    assert len(sensor.tick()) == 1
    run = instance.create_run_for_job(
        sensor.definitions.resolve_job_def("ask_standing"),
        tags={"dagster/partition": "w"},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert sensor.tick(timedelta(days=1)) == []
    instance.delete_run(run.run_id)  # killed: no failure was recorded
    (again,) = sensor.tick()
    assert again.run_key.endswith(":2")


def test_a_watch_that_cannot_be_read_does_not_stop_the_sensor(
    tiny_settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    sensor = Sensor(tiny_settings, instance)
    with Platform(tiny_settings) as platform:
        whole = add_watch(platform, Question("Where?"), name="whole")
        platform.store.write_json("watches/not one!.json", whole.to_dict())
        platform.store.write_json("watches/odd.json", whole.to_dict() | {"question": 5})
        platform.store.write_json("watches/list.json", [1])
        platform.store.write_bytes("watches/cut.json", b'{"watch_id"')
        platform.store.write_json("watches/whole/seen.json", ["port"])
        index(platform, instance, tmp_path, "port")
        assert [request.partition_key for request in sensor.tick()] == ["whole"]
        about = {each["watch_id"]: each["problem"] for each in describe_watches(platform)}
        assert about.pop("whole") is None
        assert about.keys() == {"not one!", "odd", "list", "cut"}
        assert all(about.values())
