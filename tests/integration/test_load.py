"""Many questions through the resident process beside an ingest and a backfill: the small size of `load`.

It runs with NIGHTLY=1; `test_ask_during_ingest` and `test_encoder_switch_processes` have its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.load import put_under_load
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import load_settings
from tests.conftest import NIGHTLY
from tests.items import scene_at, texture, write_scene
from tests.killed import forked_commands
from tests.tiny_encoder import tiny_registry  # noqa: F401


@pytest.mark.skipif(not NIGHTLY, reason="takes a minute; runs with NIGHTLY=1")
def test_questions_in_flight_go_on_beside_an_ingest_and_a_switch(
    tmp_path: Path,
    tiny_registry: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "encoder.txt").write_text("tiny\n")
    for name, value in {
        "HOME": home,
        "ENCODERS_FILE": tiny_registry,
        "PATCH_PX": 128,
        "MIN_CONFIDENCE": 0,
        "PLANNER": "rules",
    }.items():
        monkeypatch.setenv(f"IMAGERAG_{name}", str(value))
    settings = load_settings(_env_file=None)
    with Platform(settings) as platform:
        first = scene_at(write_scene(tmp_path / "first", "a", texture(300, 300)), settings)
        assert ingest_scene(platform, first).error is None
    second = write_scene(tmp_path / "second", "b", texture(300, 300, 1))
    commands = [["ingest", str(second)], ["backfill", "--encoder", "tiny-twin", "--force"]]
    with forked_commands() as forked:

        def run(command: Sequence[str]) -> tuple[int, str]:
            (done,) = forked.run(settings, command)
            return done.code, done.err

        load = put_under_load(settings, at_once=2, until=0, questions=6, commands=commands, run=run, pause=2.0)
    found = load.to_dict()
    assert found["errors"] == []
    assert found["wrong"] == []
    assert [each["code"] for each in found["others"]] == [0, 0], found["others"]
    assert found["questions"] >= 6
    assert len(load.fingerprints) == 2  # some were answered before the switch, and some after it
