"""Moving to another encoder by the command line: what it says, what Dagster shows, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from imagerag_assets.cli import main
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings, load_settings
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def chosen(installed: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:  # noqa: F811
    """The encoder is the one that `encoders use` wrote, not a variable's."""
    monkeypatch.delenv("IMAGERAG_ENCODER")
    monkeypatch.setenv("IMAGERAG_PATCH_PX", "64")
    installed.home.mkdir(parents=True, exist_ok=True)
    installed.active_encoder_file.write_text("tiny\n")
    return load_settings()


def data_versions(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    """Of the latest materialisation of each partition."""
    found: dict[str, str] = {}
    for record in reversed(instance.fetch_materializations(dg.AssetKey(asset), limit=100).records):
        made = record.asset_materialization
        assert made is not None
        found[str(made.partition)] = (made.tags or {})["dagster/data_version"]
    return found


def test_from_choice_to_switch_and_back(
    capsys: pytest.CaptureFixture[str], chosen: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    catalog = write_source(tmp_path / "source", ("one", "two"))
    code, before = run(capsys, "explain", str(catalog))
    assert (code, before["totals"]["new"]) == (0, 2)
    assert before["totals"]["seconds"] > 0
    assert before["totals"]["bytes_read"] == sum(path.stat().st_size for path in (tmp_path / "source").glob("*.tif"))
    assert not Path(chosen.milvus).exists()
    request.getfixturevalue("milvus_stays")
    code, ingested = run(capsys, "ingest", str(catalog))
    assert (code, ingested["totals"]["patches"]) == (0, before["totals"]["patches"])
    code, after = run(capsys, "explain", str(catalog))
    assert (after["totals"]["current"], after["totals"]["patches"], after["totals"]["seconds"]) == (2, 0, 0)

    code, used = run(capsys, "encoders", "use", "tiny-twin")
    assert (code, used["stale"], used["scenes"], used["next"]) == (0, 2, 2, "imagerag backfill")
    code, status = run(capsys, "status")
    assert (status["stale"], status["encoder"]["name"], status["serving"]["name"]) == (2, "tiny-twin", "tiny")
    with dagster_instance(chosen) as instance:
        (seen,) = instance.fetch_observations(dg.AssetKey("encoder"), limit=1).records
        assert seen.asset_observation is not None
        seen_version = (seen.asset_observation.tags or {})["dagster/data_version"]
        assert seen_version == f"{status['encoder']['fingerprint']}:pyramid-p64-o0.5"
    code, answer = run(capsys, "ask", "where is a boat?", "--path", "fast", "--no-answer")
    assert (code, answer["lineage"]["encoder"]) == (0, "tiny")

    code, plan = run(capsys, "backfill", "--dry-run")
    assert (code, plan["states"], plan["switched"]) == (0, {"done": 0, "partial": 0, "missing": 2}, False)
    assert plan["patches"] == ingested["totals"]["patches"]
    code, done = run(capsys, "backfill")
    assert code == 0, done
    assert done["switched"]
    assert done["patches"] == plan["patches"]
    assert done["alias"] == plan["alias"]
    with dagster_instance(chosen) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("encoder_switch"))
        assert event is not None
        assert event.asset_materialization is not None
        shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        assert (shown["kind"], shown["switch"], shown["encoder"]) == ("backfill", done["switch"], "tiny-twin")
        assert "coverage" in str(shown["gate"])
        assert shown["collection"] == done["alias"]["after"]
        assert "| encoder | tiny | tiny-twin |" in str(shown["aliases"])
        versions = data_versions(instance, "patch_embeddings")
        assert {version.partition(":")[0] for version in versions.values()} == {done["fingerprint"]}
        assert versions.keys() == {"one", "two"}
    code, status = run(capsys, "status")
    assert (status["stale"], status["serving"]["name"]) == (0, "tiny-twin")
    code, again = run(capsys, "backfill")
    assert (code, again["switched"], again["gate"], again["patches"]) == (0, False, None, 0)

    code, back = run(capsys, "rollback")
    assert (code, back["encoder"]) == (0, "tiny")
    assert back["alias"] == {"before": done["alias"]["after"], "after": done["alias"]["before"]}
    code, status = run(capsys, "status")
    assert (status["stale"], status["encoder"]["name"], status["serving"]["name"]) == (0, "tiny", "tiny")
    with dagster_instance(chosen) as instance:
        versions = data_versions(instance, "patch_embeddings")
        assert {version.partition(":")[0] for version in versions.values()} == {status["encoder"]["fingerprint"]}

    for words in (["explain", str(catalog)], ["backfill", "--dry-run"], ["encoders", "use", "tiny"], ["rollback"]):
        assert main(words) == 0, words
    assert "back to tiny-twin" in capsys.readouterr().out


@pytest.mark.usefixtures("milvus_stays")
def test_a_gate_that_fails_and_force(capsys: pytest.CaptureFixture[str], chosen: Settings, tmp_path: Path) -> None:
    assert run(capsys, "ingest", str(write_source(tmp_path / "source", ("one", "two"))))[0] == 0
    code, done = run(capsys, "backfill", "--encoder", "tiny-other")
    assert (code, done["switched"], done["gate"]["passed"]) == (1, False, False)
    assert chosen.active_encoder == "tiny"
    with dagster_instance(chosen) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey("encoder_switch")) is None
        assert [each.status.value for each in instance.get_runs(limit=1)] == ["FAILURE"]
        # The alias did not move, and the chosen encoder's embeddings are as fresh as before.
        assert len({version.partition(":")[0] for version in data_versions(instance, "patch_embeddings").values()}) == 1
    assert main(["backfill", "--encoder", "tiny-other"]) == 1
    assert "not switched" in capsys.readouterr().out

    # From the launchpad, as a person would after looking at the gate.
    config = {**QUIET, "ops": {"encoder_switch": {"config": {"encoder": "tiny-other", "force": True}}}}
    job = build_defs().resolve_job_def("backfill_embeddings")
    with dagster_instance(chosen) as instance:
        assert job.execute_in_process(run_config=config, instance=instance).success
    assert chosen.active_encoder == "tiny-other"
    code, status = run(capsys, "status")
    assert (status["serving"]["name"], status["stale"]) == ("tiny-other", 0)


@pytest.mark.usefixtures("milvus_stays")
def test_a_scene_that_questions_cannot_find_is_said_and_ends_with_code_3(
    capsys: pytest.CaptureFixture[str], chosen: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = str(write_source(tmp_path / "before", ("one",)))
    assert run(capsys, "ingest", before)[0] == 0
    # The encoder that serves leaves the registry; another one is chosen.
    registry, whole = tmp_path / "left.toml", chosen.registry_file
    text = whole.read_text(encoding="utf-8").replace('"local-dir:', f'"local-dir:{whole.parent}/')
    registry.write_text("[encoders.tiny-twin]" + text.split("[encoders.tiny-twin]")[1], encoding="utf-8")
    monkeypatch.setenv("IMAGERAG_ENCODERS_FILE", str(registry))
    monkeypatch.setenv("IMAGERAG_ENCODER", "tiny-twin")
    code, found = run(capsys, "ingest", before)
    assert (code, found["totals"]["ingested"], found["scenes"][0]["note"]) == (0, 1, None)  # its rows serve as they are

    later = str(write_source(tmp_path / "later", ("two",)))
    code, found = run(capsys, "ingest", later)
    note = found["scenes"][0]["note"]
    assert (code, found["totals"]["ingested"], found["totals"]["failed"]) == (3, 1, 0)
    assert note.startswith("Questions cannot find the scene yet: No encoder of the registry has")
    code, again = run(capsys, "ingest", later)
    assert (code, again["totals"]["skipped"], again["scenes"][0]["note"]) == (3, 1, note)
    assert main(["ingest", later]) == 3
    assert "two: Questions cannot find the scene yet" in " ".join(capsys.readouterr().out.split())
    two = dg.AssetRecordsFilter(asset_key=dg.AssetKey("patch_embeddings"), asset_partitions=["two"])
    with dagster_instance(chosen) as instance:
        made = instance.fetch_materializations(two, limit=1).records[0].asset_materialization
        assert made is not None
        assert made.metadata["for_serving_encoder"].value == note

    assert run(capsys, "backfill", "--force")[0] == 0
    code, found = run(capsys, "ingest", later)
    assert (code, found["scenes"][0]["note"]) == (0, None)


def test_what_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], chosen: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tmp_path / "more.toml"
    source = chosen.registry_file
    text = source.read_text(encoding="utf-8").replace('"local-dir:', f'"local-dir:{source.parent}/')
    (tmp_path / "broken").mkdir()
    config = json.loads((source.parent / "tiny" / "open_clip_config.json").read_text(encoding="utf-8"))
    (tmp_path / "broken" / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"these are no weights")
    registry.write_text(f'{text}[encoders.broken]\narchitecture = "local-dir:broken"\n', encoding="utf-8")
    monkeypatch.setenv("IMAGERAG_ENCODERS_FILE", str(registry))
    for words, kind in (
        (["encoders", "use", "broken"], "EncoderError"),
        (["backfill", "--encoder", "broken"], "EncoderError"),
        (["backfill", "--encoder", "brokn"], "UnknownEncoderError"),
        (["rollback"], "GateError"),
        (["explain", str(tmp_path / "nowhere")], "SourceError"),
    ):
        code, said = run(capsys, *words)
        assert said["error"]["type"] == kind, words
        assert code == (2 if kind in ("UnknownEncoderError", "SourceError") else 1)
        assert "\n" not in said["error"]["message"]
    assert chosen.active_encoder == "tiny"
