"""The instance in HOME/dagster, and what an error of ours becomes on its way through a run."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from imagerag_assets.errors import KnowledgeError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.orchestration.dagster_home import DAGSTER_YAML, dagster_instance, prepare_dagster_home
from imagerag_assets.orchestration.step_failures import failures
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.items import write_item


def test_the_instance_is_in_home_whatever_dagster_home_says(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    with dagster_instance(settings) as instance:
        assert Path(instance.root_directory) == settings.dagster_home.absolute()
        assert not instance.telemetry_enabled and not instance.nux_enabled
        instance.add_dynamic_partitions("scenes", ["one"])
    with dagster_instance(settings) as instance:
        assert instance.get_dynamic_partitions("scenes") == ["one"]
    assert not (tmp_path / "elsewhere").exists()


def test_an_edited_dagster_yaml_is_left_alone(settings: Settings) -> None:
    file = prepare_dagster_home(settings) / "dagster.yaml"
    assert file.read_text() == DAGSTER_YAML
    file.write_text("telemetry:\n  enabled: true\n")
    prepare_dagster_home(settings)
    assert "true" in file.read_text()
    file.write_text(DAGSTER_YAML.replace("nux:\n  enabled: false\n", ""))  # as an earlier version wrote it
    prepare_dagster_home(settings)
    assert file.read_text() == DAGSTER_YAML


def test_a_damaged_dagster_yaml_is_one_line(settings: Settings) -> None:
    (prepare_dagster_home(settings) / "dagster.yaml").write_text("storage: [what]\n")
    with pytest.raises(StoreError, match=r"Dagster cannot use .*dagster\.yaml") as caught:
        dagster_instance(settings)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_a_file(settings: Settings) -> None:
    settings.home.write_text("")
    with pytest.raises(StoreError, match=r"cannot be written.*IMAGERAG_HOME"):
        prepare_dagster_home(settings)


def test_an_expected_error_comes_back_as_itself_and_the_run_is_recorded(settings: Settings) -> None:
    with open_runner(settings) as runner:
        with pytest.raises(KnowledgeError, match="IMAGERAG_KNOWLEDGE_LABELS"):
            runner.build_knowledge("labels")
        (run,) = runner.instance.get_runs()
    assert (run.job_name, run.status) == ("build_knowledge", dg.DagsterRunStatus.FAILURE)
    (named,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    location = named["python_file"]["location_name"]
    assert run.tags[".dagster/repository"] == f"__repository__@{location}"  # the UI lists it below its job


def test_failures_are_noted_with_their_scene(settings: Settings) -> None:
    with Platform(settings) as platform:
        with (
            pytest.raises(dg.Failure, match="It is broken") as caught,
            failures(platform, scene_key="one", item_href="/one.json"),
        ):
            raise StoreError("It is broken", fix="Mend it", scene="one")
        assert caught.value.metadata["fix"].value == "Mend it"
        assert caught.value.allow_retries is False
        with pytest.raises(dg.Failure, match="ZeroDivisionError: division"), failures(platform, scene_key="two"):
            _ = 1 / 0
        noted = {failure.scene: (failure.type, failure.item_href) for failure in list_failures(platform)}
    assert noted == {"one": ("StoreError", "/one.json"), "two": ("ZeroDivisionError", None)}


def test_what_is_raised_before_a_run_is_noted_with_its_scene_and_the_others_follow(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_item(tmp_path / "items" / f"{name}.json", "./x.tif")
    (tmp_path / "items" / "x.tif").write_bytes(b"II*\0")
    with open_runner(settings) as runner:
        runner.platform.store.write_bytes("sources/one.json", b"{")
        results = list(runner.ingest_source(str(tmp_path / "items")))
        noted = {failure.scene: failure.error for failure in list_failures(runner.platform)}
    assert [(result.scene, result.status) for result in results] == [("one", "failed"), ("two", "failed")]
    assert noted == {result.scene: result.error for result in results}
    assert "sources/one.json" in noted["one"]
    assert "x.tif" in noted["two"]
