"""The benchmark as an asset: numbers for a series, a tag with the encoder, and the record that a gate reads."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from imagerag_assets.cli import main
from imagerag_assets.evaluation.benchmarks import latest_benchmark
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source

QUESTIONS = [
    {"id": "1", "scene": "one", "kind": "position", "question": "Where is the boat?", "roi": [[0, 0, 150, 150]]},
    {"id": "2", "scene": "one", "kind": "absent", "question": "Where is the tree?", "roi": []},
]


def test_figures_form_a_series(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert main(["ingest", str(write_source(tmp_path / "source", ("one",)))]) == 0
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS), encoding="utf-8")
    config = {"questions": [str(file)], "path": "none"}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dagster_instance(installed) as instance:
        job = build_defs().resolve_job_def("benchmark")
        ran = job.execute_in_process(
            run_config={**quiet, "ops": {"retrieval_benchmark": {"config": config}}}, instance=instance
        )
        assert ran.success
        event = instance.get_latest_materialization_event(dg.AssetKey("retrieval_benchmark"))
    assert event is not None and event.asset_materialization is not None
    made = event.asset_materialization
    with Platform(installed) as platform:
        kept = latest_benchmark(platform, platform.fingerprint)
        assert kept is not None
        assert made.tags is not None
        assert made.tags["imagerag/fingerprint"] == platform.fingerprint[:16]
    shown = {name: value.value for name, value in made.metadata.items()}
    assert (shown["recall"], shown["recall_position_count"], shown["no_cue"], shown["false_cues"]) == (0, 0, 1, 0)
    assert isinstance(made.metadata["recall"], dg.FloatMetadataValue)
    assert "accuracy" not in shown  # nothing was answered
    assert Path(str(shown["record"])).is_file()
    assert Path(str(shown["report"])).is_file()
    assert (kept.name, kept.questions, kept.options["path"]) == ("retrieval", 2, "none")
    assert kept.metrics["no_cue"]["value"] == 1.0
