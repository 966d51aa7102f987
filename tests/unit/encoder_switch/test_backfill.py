from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.encoder_switch.backfill import backfill, make_plan
from imagerag_assets.encoder_switch.gate import Measured
from imagerag_assets.encoder_switch.switching import LOCK, list_switches, rollback
from imagerag_assets.errors import FingerprintError, GateError, LockedError, StoreError, UnknownEncoderError
from imagerag_assets.ingestion.ingest import embed, ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving, target_of
from imagerag_assets.knowledge.build import build
from imagerag_assets.objects.locks import held
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.scenes.records import load_record
from imagerag_assets.scenes.removed import mark_removed
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shard_columns import patch_table
from imagerag_assets.stores.shards import ShardWriter, list_shards, read_shard
from tests.items import scene_at, texture, write_scene

LOOK = Question("where is a boat?", answer=False, path="fast")
Add = Callable[..., None]


@pytest.fixture
def platform(tiny_settings: Settings) -> Iterator[Platform]:
    """An installation whose encoder is chosen in HOME, not by a variable."""
    settings = tiny_settings.model_copy(update={"encoder": None})
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.active_encoder_file.write_text("tiny\n")
    with Platform(settings) as opened:
        yield opened


@pytest.fixture
def add(tmp_path: Path, platform: Platform) -> Add:
    """Write scenes and ingest them."""

    def ingest(*names: str, seed: int = 0) -> None:
        for name in names:
            item = write_scene(tmp_path, name, texture(300, 400, seed + sum(name.encode())))
            assert ingest_scene(platform, scene_at(item, platform.settings)).status == "ingested"

    return ingest


def outcome(checks: list[dict[str, object]]) -> dict[object, object]:
    return {check["name"]: check["passed"] for check in checks}


def test_a_plan_says_what_is_left_and_changes_nothing(platform: Platform, add: Add) -> None:
    add("a", "b", "c")
    embed(platform, "b", target=target_of(platform, "tiny-twin"))
    before = platform.store.list()
    plan = make_plan(platform, "tiny-twin").to_dict()

    assert (plan["scenes"], plan["states"]) == (3, {"done": 0, "partial": 1, "missing": 2})
    assert plan["to_do"] == ["a", "b", "c"]
    patches = 2 * platform.recipe.division_for(None).count(400, 300)
    assert (plan["patches"], plan["vector_bytes"]) == (patches, patches * 384 * 4)
    sizes = [Path(load_record(platform, key).scene.imagery.hrefs[0]).stat().st_size for key in "ac"]
    assert plan["bytes_read"] == sum(sizes)
    assert plan["seconds"] > 0  # b was embedded with it, and timed
    assert 0 < make_plan(platform, "tiny-other").to_dict()["seconds"] < 3600  # never used here: a few patches are tried
    assert make_plan(platform).to_do == ()
    assert platform.store.list() == before
    assert len(platform.vectors.list_collections()) == 1


def test_a_backfill_fills_checks_and_switches_and_a_rollback_goes_back(
    tmp_path: Path, platform: Platform, add: Add
) -> None:
    add("a", "b", "c")
    for label, red in {"pond": 30, "turbine": 200}.items():
        (tmp_path / "chips" / label).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(np.full((64, 64, 3), red + number, np.uint8)).save(tmp_path / f"chips/{label}/{number}.png")
    build(platform, "labels", str(tmp_path / "chips"))
    old = {name: platform.vectors.alias_target(name) for name in ("patches", "knowledge_labels")}
    made: list[str] = []
    steps: list[tuple[int, int]] = []
    done = backfill(
        platform,
        "tiny-twin",
        progress=lambda done, total, _: steps.append((done, total)),
        made=lambda embedded, _: made.append(embedded.scene),
    ).to_dict()

    assert outcome(done["gate"]["checks"]) == {
        "coverage": True, "vectors": True, "calibration": None, "neighbours": True, "phrases": True,
        "benchmark": None, "knowledge": True,
    }  # fmt: skip
    assert (done["switched"], done["forced"], done["failed"], made) == (True, False, [], ["a", "b", "c"])
    assert done["alias"] == {"before": old["patches"], "after": platform.vectors.alias_target("patches")}
    assert done["alias"]["before"] != done["alias"]["after"]
    assert steps[-1][0] <= steps[-1][1]
    assert platform.vectors.alias_target("knowledge_labels") != old["knowledge_labels"]
    assert platform.settings.active_encoder == "tiny-twin"
    lineage = ask(platform, LOOK).to_dict()["lineage"]
    assert (lineage["encoder"], lineage["collection"]) == ("tiny-twin", done["alias"]["after"])
    json.dumps(done)
    with pytest.raises(StoreError, match="in use as patches"):
        platform.vectors.drop(done["alias"]["after"])

    (first,) = list_switches(platform)
    assert (first.id, first.before["patches"], first.after["encoder"]) == (done["switch"], old["patches"], "tiny-twin")
    back = rollback(platform)
    assert {name: platform.vectors.alias_target(name) for name in old} == old
    assert (back.kind, back.after["encoder"], platform.settings.active_encoder) == ("rollback", "tiny", "tiny")
    assert ask(platform, LOOK).to_dict()["lineage"]["encoder"] == "tiny"

    again = backfill(platform, "tiny-twin").to_dict()
    assert (again["patches"], again["switched"]) == (0, True)
    add("d")  # with the new encoder alone
    with pytest.raises(GateError, match="lacks 1 scenes, e.g. d.*imagerag backfill --encoder tiny"):
        rollback(platform)
    platform.vectors.drop(str(old["patches"]))
    with pytest.raises(GateError, match="is gone.*imagerag backfill --encoder tiny"):
        rollback(platform)
    restored = backfill(platform, "tiny").to_dict()
    assert restored["switched"]
    patches = platform.recipe.division_for(None).count(400, 300)
    assert restored["patches"] == patches  # of d: the others only had to be indexed again


def test_a_failing_check_of_quality_keeps_the_alias_unless_forced(platform: Platform, add: Add) -> None:
    add("a", "b", "c")
    done = backfill(platform, "tiny-other").to_dict()
    checks = outcome(done["gate"]["checks"])
    assert False in (checks["neighbours"], checks["phrases"])
    assert not done["switched"]
    assert done["alias"]["after"] == done["alias"]["before"] == platform.vectors.alias_target("patches")
    assert platform.settings.active_encoder == "tiny"
    assert list_switches(platform) == []

    forced = backfill(platform, "tiny-other", force=True).to_dict()
    assert (forced["switched"], forced["forced"], forced["patches"]) == (True, True, 0)
    assert list_switches(platform)[0].forced


def test_what_the_benchmark_says_counts(platform: Platform, add: Add) -> None:
    add("a", "b", "c")
    recalls = {"tiny": 0.9, "tiny-twin": 0.8}

    def measure(asked: Platform) -> Measured:
        serving = find_serving(asked)
        assert serving is not None
        return Measured(recalls[serving.target.encoder], 20)

    done = backfill(platform, "tiny-twin", measure=measure).to_dict()
    assert [check["name"] for check in done["gate"]["checks"] if check["passed"] is False] == ["benchmark"]
    assert not done["switched"]
    recalls["tiny-twin"] = 0.86
    assert backfill(platform, "tiny-twin", measure=measure).to_dict()["switched"]


def test_incomplete_coverage_and_unusable_vectors_cannot_be_forced(
    tmp_path: Path, platform: Platform, add: Add
) -> None:
    add("a", "b", "c")
    raster = tmp_path / "b.tif"
    whole = raster.read_bytes()
    raster.write_bytes(whole[:2000])
    done = backfill(platform, "tiny-twin", force=True).to_dict()
    assert [each["scene"] for each in done["failed"]] == ["b"]
    assert "b.tif" in done["failed"][0]["error"]
    assert done["gate"]["checks"][0]["detail"] == "1 of 3 scenes are not complete: b"
    assert not done["switched"]

    # What has left its source holds nothing up.
    mark_removed(platform, "b")
    shards = list_shards(platform.store, scene_key="a", fingerprint=platform.using("tiny-twin").fingerprint)
    table = read_shard(platform.store, shards[0].path)
    target = target_of(platform, "tiny-twin")
    vectors = np.full((table.num_rows, 384), 1 / np.sqrt(384), np.float32)
    vectors[3] = np.nan
    columns = {
        name: table.column(name).to_pylist() for name in table.column_names if name not in ("embedding", "geometry")
    }
    key = target.key(load_record(platform, "a"))
    with ShardWriter(platform.store, key, dim=384, encoder="tiny-twin") as writer:
        writer.append(patch_table(columns, vectors))
        writer.commit()
    broken = backfill(platform, "tiny-twin", force=True).to_dict()
    assert outcome(broken["gate"]["checks"])["vectors"] is False
    assert not broken["switched"]
    assert any("left their source" in note for note in broken["notes"])

    platform.store.delete(key.path)
    fixed = backfill(platform, "tiny-twin").to_dict()
    assert fixed["switched"]
    assert platform.vectors.count(fixed["alias"]["after"], Filter().scene_in(["b"])) == 0


def test_one_backfill_at_a_time_and_encoders_that_cannot_be(tmp_path: Path, platform: Platform, add: Add) -> None:
    add("a")
    with held(platform.store, LOCK), pytest.raises(LockedError, match="A backfill is already running: process"):
        backfill(platform, "tiny-twin")
    with pytest.raises(UnknownEncoderError, match="tiny-twin"):
        backfill(platform, "tiny-twn")
    with pytest.raises(GateError, match="nothing to roll back to"):
        rollback(platform)
    platform.vectors.ensure_patches(platform.using("tiny-twin").fingerprint, 7, platform.recipe)
    with pytest.raises(FingerprintError, match="differs.*dim=7"):
        backfill(platform, "tiny-twin")
    assert len(list_shards(platform.store)) == 1  # said before a pixel was read


def test_an_encoder_that_is_in_no_registry_any_more_can_be_replaced(
    tmp_path: Path, platform: Platform, add: Add
) -> None:
    add("a", "b", "c")
    served = platform.vectors.alias_target("patches")
    registry = tmp_path / "encoders.toml"
    source = platform.settings.registry_file
    text = source.read_text().replace('"local-dir:tiny"', f'"local-dir:{source.parent / "tiny"}"')
    registry.write_text("[encoders.tiny-twin]" + text.split("[encoders.tiny-twin]")[1])
    with Platform(platform.settings.model_copy(update={"encoders_file": registry, "encoder": "tiny-twin",
                                                       "milvus_uri": None})) as left:  # fmt: skip
        platform.close()
        done = backfill(left).to_dict()
        assert done["switched"], done["gate"]
        assert outcome(done["gate"]["checks"])["phrases"] is None
        assert done["alias"]["before"] == served
        assert ask(left, LOOK).to_dict()["lineage"]["encoder"] == "tiny-twin"
