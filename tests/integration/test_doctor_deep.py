"""`imagerag doctor --deep`: each kind of difference is named, `--repair` mends it, and then there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.locks import LOCKS
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.deep_looks import Looked, look_deep
from imagerag_assets.orchestration.partitions import SCENES_NAME
from imagerag_assets.questions.answer_records import list_answers
from imagerag_assets.scenes.records import overview_key, record_key
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shards import list_shards
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

Damage = Callable[[Platform], None]


@pytest.fixture
def made(installed: Settings, milvus_stays: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Settings:  # noqa: F811
    """Two scenes and an answer with a cue."""
    make(tmp_path, capsys)
    return installed


def make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ingest two scenes, and have an answer with a cue."""
    source = write_source(tmp_path / "source", ("one", "two"))
    assert run(capsys, "ingest", str(source))[0] == 0
    roi = {"question": "What is here?", "scene": "one", "roi": [[0, 0, 100, 100]]}
    (tmp_path / "in.jsonl").write_text(json.dumps(roi), encoding="utf-8")
    batch = ("ask", "--batch", "in.jsonl", "--out", "out.jsonl", "--mode", "oracle", "--no-answer")
    assert run(capsys, *batch)[0] == 0


def shard_of(platform: Platform, scene: str) -> str:
    (ref,) = list_shards(platform.store, scene_key=scene)
    return ref.path


def collection(platform: Platform) -> str:
    name = platform.vectors.alias_target("patches")
    assert name is not None
    return name


def no_row(platform: Platform) -> None:
    platform.vectors.delete_scene(collection(platform), "one")


def other_rows(platform: Platform) -> None:
    """As many rows as before, one of them of another patch."""
    table = pq.read_table(platform.store.url(shard_of(platform, "one"))).drop_columns("geometry")
    first = table.slice(0, 1)
    ids = first.column("patch_id").to_pylist()
    at = table.schema.get_field_index("patch_id")
    platform.vectors.upsert(collection(platform), [first.set_column(at, table.schema.field(at), [["one:ghost:0:9:9"]])])
    platform.vectors.delete(collection(platform), ids)


def rows_of_nobody(platform: Platform) -> None:
    table = pq.read_table(platform.store.url(shard_of(platform, "one"))).drop_columns("geometry").slice(0, 1)
    for name in ("patch_id", "scene_key"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [["ghost" if name == "scene_key" else "ghost:p:0:0:0"]])
    platform.vectors.upsert(collection(platform), [table])


def no_milvus(platform: Platform) -> None:
    name = collection(platform)
    platform.vectors.client.drop_alias("patches")
    platform.vectors.client.drop_collection(name)


def damaged_shard(platform: Platform) -> None:
    key = shard_of(platform, "one")
    platform.store.write_bytes(key, platform.store.read_bytes(key)[:-100])


def shard_of_nobody(platform: Platform) -> None:
    key = shard_of(platform, "one")
    platform.store.write_bytes(key.replace("/one/", "/ghost/"), platform.store.read_bytes(key))


def overview_gone(platform: Platform) -> None:
    platform.store.delete(overview_key("one"))


def record_damaged(platform: Platform) -> None:
    platform.store.write_json(record_key("one"), {"scene": 1})


def table_damaged(platform: Platform) -> None:
    (key,) = platform.store.list("patches/one")
    platform.store.write_bytes(key, b"half")


def partition_gone(platform: Platform) -> None:
    with open_runner(platform.settings, platform=platform) as runner:
        runner.instance.delete_dynamic_partition(SCENES_NAME, "one")


def partition_typed(platform: Platform) -> None:
    with open_runner(platform.settings, platform=platform) as runner:
        runner.instance.add_dynamic_partitions(SCENES_NAME, ["typed"])


def item_gone(platform: Platform) -> None:
    platform.store.delete("sources/one.json")


def events_gone(platform: Platform) -> None:
    with open_runner(platform.settings, platform=platform) as runner:
        runner.instance.wipe_assets([dg.AssetKey("patch_collection")])


def evidence_gone(platform: Platform) -> None:
    (answer,) = list_answers(platform)
    for key in platform.store.list(f"answers/{answer}/evidence"):
        platform.store.delete(key)


def dead_lock(platform: Platform) -> None:
    owner = {"token": "t", "host": "gone", "pid": 1, "born": "", "since": "2024-01-01T00:00:00+00:00",
             "beat": "2024-01-01T00:00:00+00:00"}  # fmt: skip
    platform.store.write_json(f"{LOCKS}/backfill.json", owner)


def alias_gone(platform: Platform) -> None:
    platform.vectors.client.drop_alias("patches")


DAMAGES: dict[str, tuple[Damage, set[str]]] = {
    "rows missing": (no_row, {"rows"}),
    "other rows": (other_rows, {"rows"}),
    "rows of no scene": (rows_of_nobody, {"rows"}),
    "Milvus lost": (no_milvus, {"rows"}),
    "damaged shard": (damaged_shard, {"shard"}),
    "shard of no scene": (shard_of_nobody, {"shard"}),
    "overview": (overview_gone, {"overview"}),
    "record": (record_damaged, {"record"}),
    "patch table": (table_damaged, {"patch table"}),
    "partition": (partition_gone, {"partition"}),
    "typed partition": (partition_typed, {"partition"}),
    "item": (item_gone, {"partition"}),
    "events": (events_gone, {"materialization"}),
    "evidence": (evidence_gone, {"answer"}),
    "lock": (dead_lock, {"lock"}),
    "alias": (alias_gone, {"alias"}),
}


def test_each_difference_is_named_and_mended(made: Settings) -> None:
    """One after the other in the same installation, which is whole again after each."""
    with Platform(made) as platform, dagster_instance(made) as instance:
        on = Looked(platform, instance)
        assert look_deep(on)["totals"] == {"found": 0, "mended": 0, "left": 0}
        for name, (damage, kinds) in DAMAGES.items():
            damage(platform)
            if name == "rows missing":  # looking alone mends nothing
                assert [each["mended"] for each in look_deep(on)["differences"]] == [None]
            found = look_deep(on, repair=True)["differences"]
            assert (name, {each["kind"] for each in found}) == (name, kinds)
            assert (name, [each for each in found if not each["mended"]]) == (name, [])
            assert (name, look_deep(on)["differences"]) == (name, [])
        aside = platform.store.list("set-aside")
    assert sum(key.endswith(".parquet") and "/embeddings/" in key for key in aside) == 2  # nothing was deleted


def test_the_command(made: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code says whether a difference is left."""
    assert run(capsys, "doctor", "--deep")[0] == 0
    with Platform(made) as platform:
        no_row(platform)
    code, found = run(capsys, "doctor", "--deep")
    assert (code, found["totals"]) == (1, {"found": 1, "mended": 0, "left": 1})
    code, found = run(capsys, "doctor", "--deep", "--repair")
    assert (code, found["totals"]) == (0, {"found": 1, "mended": 1, "left": 0})
    assert main(["doctor", "--deep"]) == 0
    assert "no differences" in capsys.readouterr().out


def test_what_only_a_person_can_mend_stays(made: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with Platform(made) as platform:
        (answer,) = list_answers(platform)
        platform.store.write_json(f"answers/{answer}/answer.json", {"answer_id": answer})
    code, found = run(capsys, "doctor", "--deep", "--repair")
    assert (code, found["totals"]) == (3, {"found": 1, "mended": 0, "left": 1})
    assert found["differences"][0]["name"] == f"answers/{answer}"


def test_repair_needs_deep(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    code, found = run(capsys, "doctor", "--repair")
    assert (code, found["error"]["fix"]) == (2, "Give both: imagerag doctor --deep --repair")
