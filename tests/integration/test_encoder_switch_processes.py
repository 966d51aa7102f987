"""A switch of encoders under a stream of questions from other processes, and a backfill that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from imagerag_assets.encoder_switch.backfill import backfill
from imagerag_assets.encoder_switch.switching import rollback
from imagerag_assets.errors import LockedError
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import target_of
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.scenes.records import load_record
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shards import list_shards
from tests.installation import shards_in
from tests.items import scene_at, texture, write_scene
from tests.milvus_server import at_server
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401
from tests.waiting import wait_until

# Each line asked for on standard input is one question; its lineage is the line that comes back.
ASK = """
import json, sys
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import load_settings

with Platform(load_settings(_env_file=None)) as platform:
    for line in iter(sys.stdin.readline, ""):
        answer = ask(platform, Question(line.strip(), path="fast", answer=False)).to_dict()
        print(json.dumps(answer["lineage"] | {"scores": [cue["score"] for cue in answer["cues"]]}), flush=True)
"""
BACKFILL = """
from imagerag_assets.encoder_switch.backfill import backfill
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import load_settings

with Platform(load_settings(_env_file=None)) as platform:
    print("ready", flush=True)
    print(backfill(platform, "tiny-twin").to_dict(), flush=True)
"""

DAGSTER_BACKFILL = """
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.settings import load_settings

with open_runner(load_settings(_env_file=None)) as runner:
    print(runner.backfill("tiny-twin"), flush=True)
"""


@pytest.fixture
def fine(tiny_settings: Settings) -> Settings:  # noqa: F811
    """Many patches in several super-tiles, so that embedding takes a while; the encoder is chosen in HOME."""
    settings = tiny_settings.model_copy(update={"encoder": None, "patch_px": 64, "batch_size": 16})
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.active_encoder_file.write_text("tiny\n")
    return settings


@contextmanager
def process(program: str, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    names = ("home", "encoders_file", "patch_px", "supertile_px", "batch_size", "milvus_uri")
    chosen = {
        f"IMAGERAG_{name.upper()}": str(value) for name in names if (value := getattr(settings, name)) is not None
    }
    if settings.milvus_token is not None:
        chosen["IMAGERAG_MILVUS_TOKEN"] = settings.milvus_token.get_secret_value()
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | chosen | {"IMAGERAG_MIN_CONFIDENCE": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ask(running: subprocess.Popen[str], question: str) -> dict[str, Any]:
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(question + "\n")
    running.stdin.flush()
    line = running.stdout.readline()
    if not line:
        pytest.fail(f"a question was lost: {running.communicate()[1][-1500:]}")
    found: dict[str, Any] = json.loads(line)
    return found


def test_questions_of_another_process_go_on_through_a_switch_and_a_rollback(
    tmp_path: Path, fine: Settings, milvus_server: str
) -> None:
    """On a server; `test_load` has the same on Milvus Lite, nightly."""
    settings = fine.model_copy(update=at_server(milvus_server))
    with Platform(settings) as platform:
        for name in ("a", "b"):
            scene = scene_at(write_scene(tmp_path, name, texture(500, 600, ord(name))), settings)
            assert ingest_scene(platform, scene).error is None
        answers: list[dict[str, Any]] = []
        with process(ASK, settings) as other:
            answers.append(ask(other, "where is a boat?"))
            # A question stands between any two steps of the work, also between the moves of the aliases.
            done = backfill(
                platform,
                "tiny-twin",
                progress=lambda number, *_: answers.append(ask(other, f"where is boat {number}?")),
                made=lambda *_: answers.append(ask(other, "where is a tree?")),
            )
            assert done.switched is not None, done.to_dict()
            answers.append(ask(other, "where is a boat?"))
            during = len(answers)
            rollback(platform)
            answers.append(ask(other, "where is a boat?"))
        collections = {each.fingerprint: each.name for each in platform.vectors.list_collections()}
        targets = {target.fingerprint: target for target in (target_of(platform, n) for n in ("tiny", "tiny-twin"))}
    assert during > 6
    for answer in answers:
        assert answer["collection"] == collections[answer["fingerprint"]]
        assert answer["encoder"] == targets[answer["fingerprint"]].encoder
        assert all(shard.split("/")[3] == answer["fingerprint"][:16] for shard in answer["shards"].values())
        assert answer["scores"]
    assert [answer["encoder"] for answer in answers[-3:]] == ["tiny", "tiny-twin", "tiny"]
    assert {answer["encoder"] for answer in answers[:-2]} == {"tiny"}
    with Platform(settings) as platform:  # the server is shared with other tests
        platform.vectors.client.drop_alias("patches")
        for name in collections.values():
            platform.vectors.drop(name)


def test_a_killed_backfill_goes_on_where_it_was(tmp_path: Path, fine: Settings) -> None:
    names = ("a", "b", "c")
    with Platform(fine) as platform:
        for name in names:
            scene = scene_at(write_scene(tmp_path, name, texture(800, 800, ord(name))), fine)
            assert ingest_scene(platform, scene).error is None
        twin = target_of(platform, "tiny-twin").fingerprint
        served = platform.vectors.alias_target("patches")

    def shards() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in shards_in(fine) if twin[:16] in path.parts}

    def parts() -> dict[str, int]:
        folder = fine.home / "scratch" / "embed" / "b"
        return {str(path): path.stat().st_mtime_ns for path in folder.rglob("[0-9]*.parquet")}

    with process(BACKFILL, fine) as running:
        wait_until(lambda: shards() and parts(), running)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        left, left_parts = shards(), parts()
    assert len(left) == 1
    assert left_parts
    assert (fine.home / "objects" / "locks" / "backfill.json").exists()

    kept: dict[str, int] = {}

    def watch(_done: int, _total: int, what: str) -> None:
        if what == "embedding b":
            kept.update({path: time for path, time in parts().items() if path in left_parts})

    with Platform(fine) as platform:
        assert platform.vectors.alias_target("patches") == served
        done = backfill(platform, "tiny-twin", progress=watch)
        assert done.switched is not None, done.to_dict()
        assert done.patches == 2 * len(list(platform.recipe.division_for(None).patches(800, 800)))  # of b and c
        assert len(list_shards(platform.store, fingerprint=twin)) == 3
    assert left.items() <= shards().items()
    assert kept == left_parts
    assert not (fine.home / "objects" / "locks" / "backfill.json").exists()


def test_what_a_killed_backfill_embedded_is_reported_to_dagster_when_it_resumes(tmp_path: Path, fine: Settings) -> None:
    with open_runner(fine) as runner:
        for name in ("a", "b"):
            scene = scene_at(write_scene(tmp_path, name, texture(800, 800, ord(name))), fine)
            assert runner.ingest(scene).error is None
        twin = target_of(runner.platform, "tiny-twin")
    first = fine.home / "objects" / twin.key(load_record(runner.platform, "a")).path
    parts = fine.home / "scratch" / "embed" / "b"
    with process(DAGSTER_BACKFILL, fine) as running:
        wait_until(lambda: first.exists() and list(parts.rglob("[0-9]*.parquet")), running)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL

    with open_runner(fine) as runner:
        done = runner.backfill("tiny-twin")
        assert done["switched"], done
        assert done["states"] == {"done": 1, "partial": 1, "missing": 0}
        for asset in ("patch_embeddings", "patch_collection"):
            for name in ("a", "b"):
                made = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[name])
                (record,) = runner.instance.fetch_materializations(made, limit=1).records
                assert record.asset_materialization is not None
                assert record.asset_materialization.metadata["encoder"].value == "tiny-twin", (asset, name)


def test_a_second_process_is_told_who_is_at_work(tmp_path: Path, fine: Settings) -> None:
    with Platform(fine) as platform:
        scene = scene_at(write_scene(tmp_path, "a", texture(800, 800)), fine)
        assert ingest_scene(platform, scene).error is None
    elsewhere = fine.model_copy(update={"milvus_uri": str(fine.home / "another.db")})  # Lite is one process's
    lock = fine.home / "objects" / "locks" / "backfill.json"
    with process(BACKFILL, fine) as running:
        wait_until(lock.exists, running)
        with (
            Platform(elsewhere) as platform,
            pytest.raises(LockedError, match=f"process {running.pid} on .* since .*Wait for it, or end it"),
        ):
            backfill(platform, "tiny-twin")
        running.kill()
        running.wait()
