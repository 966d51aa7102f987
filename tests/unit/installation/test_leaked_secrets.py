"""Secrets that an earlier version stored are found in objects, files and databases, and taken out in place."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.leaked_secrets import find_secrets
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import open_store
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.scenes.failures import find_failure, list_failures
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Band
from tests.leaks import leaks_below, leaks_in

MARK = "m4rk-of-an-earlier-version"
SIGNED = f"https://me:{MARK}@data.example/a.tif?X-Amz-Credential={MARK}&X-Amz-Signature={MARK}&f=tif"
PLAIN = "https://data.example/a.tif?f=tif"


def _mended(settings: Settings) -> list[str]:
    found = list(find_secrets(settings))
    assert not any(MARK in each.name + each.detail + each.fix for each in found)
    for each in found:
        assert each.mend is not None, each
        assert MARK not in each.mend()
    return [each.name for each in found]


def test_objects_lose_their_secrets_and_nothing_else(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "m4rk-of-the-model-key")
    store = open_store(settings)
    band = {"asset_key": "b", "href": SIGNED, "index": 1, "alternates": [SIGNED]}
    record = {
        "scene": {"source": SIGNED, "imagery": {"bands": [band, band | {"href": "/data/a.tif"}]}},
        "numbers": [1.5],
    }
    store.write_json("scenes/one/record.json", record)
    store.write_json("answers/1/answer.json", {"answer": "My key is m4rk-of-the-model-key.", "id": "m4rk"})
    store.write_bytes("prompts/p.txt", f"Look at {SIGNED}, please\n".encode())
    ledger = {SIGNED: {"version": "1"}}
    store.write_bytes("sources/s/ledger-00000001.json.gz", gzip.compress(json.dumps(ledger).encode()))
    untouched = {"a.json": b'{"a":1,  "b": "https://x/?size=large"}', "b.json": b"{no json", "c.txt": "naïve".encode()}
    for key, data in untouched.items():
        store.write_bytes(key, data)
    assert len(_mended(settings)) == 4
    assert leaks_below(settings.home, [MARK, "m4rk-of-the-model-key"]) == {}
    kept = store.read_json("scenes/one/record.json")
    assert kept["numbers"] == [1.5] and kept["scene"]["source"] == PLAIN
    first, second = kept["scene"]["imagery"]["bands"]
    assert (Band(**first).href, first["signed"], first["alternates"]) == (PLAIN, True, [PLAIN])
    assert "signed" not in second and second["href"] == "/data/a.tif"
    assert store.read_json("answers/1/answer.json") == {"answer": "My key is ***.", "id": "m4rk"}
    assert json.loads(gzip.decompress(store.read_bytes("sources/s/ledger-00000001.json.gz"))) == {
        PLAIN: {"version": "1"}
    }
    assert {key: store.read_bytes(key) for key in untouched} == untouched
    assert _mended(settings) == []


def test_failures_are_named_by_the_plain_address(settings: Settings) -> None:
    store = open_store(settings)
    failure = {"scene": "one", "error": f"no: {SIGNED}", "type": "ItemError", "when": "2026-01-01", "item_href": SIGNED}
    old, new = (hashlib.sha256(href.encode()).hexdigest()[:24] for href in (SIGNED, PLAIN))
    store.write_json(f"failures/@{old}.json", failure)
    store.write_json("failures/two.json", failure | {"scene": "two"})
    assert len(_mended(settings)) == 2
    assert store.list("failures") == [f"failures/@{new}.json", "failures/two.json"]
    with Platform(settings) as platform:
        assert [each.item_href for each in list_failures(platform)] == [PLAIN, PLAIN]
        assert find_failure(platform, "two") is not None


def test_dagsters_databases_and_logs_are_cleaned(settings: Settings) -> None:
    @dg.op(config_schema={"source": str})
    def fails(context) -> None:  # type: ignore[no-untyped-def]
        context.log.info(f"reading {context.op_config['source']}")
        raise ValueError(f"refused: {context.op_config['source']}")

    @dg.job
    def scans() -> None:
        fails()

    config = {"ops": {"fails": {"config": {"source": SIGNED}}}}
    with dagster_instance(settings) as instance:
        done = scans.execute_in_process(
            run_config=config, instance=instance, raise_on_error=False, tags={"source": SIGNED}
        )
        events = len(instance.all_logs(done.run_id))
    logs = settings.dagster_home / "storage" / done.run_id / "compute_logs"
    logs.mkdir(parents=True)
    (logs / "fails.err").write_text(f"1\nOSError: {SIGNED}\n2\n")
    assert leaks_below(settings.home, [MARK])
    names = _mended(settings)
    assert any(name.endswith("runs.db") for name in names) and any(name.endswith(".err") for name in names)
    assert leaks_below(settings.home, [MARK]) == {}
    assert (logs / "fails.err").read_text() == f"1\nOSError: {PLAIN}\n2\n"
    with dagster_instance(settings) as instance:
        run = instance.get_run_by_id(done.run_id)
        assert run is not None and run.tags["source"] == PLAIN
        assert run.run_config["ops"] == {"fails": {"config": {"source": PLAIN}}}
        assert len(instance.all_logs(done.run_id)) == events
    assert _mended(settings) == []


def test_snapshots_are_unpacked_and_a_database_in_use_stays_as_it_is(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True)
    path = settings.dagster_home / "x.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE snapshots (id INTEGER PRIMARY KEY, body BLOB, other BLOB)")
        body = zlib.compress(json.dumps({"source": SIGNED}).encode())
        database.execute("INSERT INTO snapshots VALUES (1, ?, ?)", (body, b"x\x00no text"))
        database.commit()
        (found,) = find_secrets(settings)
        assert found.mend is not None
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="Stop `imagerag dev`"):
            found.mend()
        database.rollback()
    found.mend()
    assert leaks_in(path.read_bytes(), [MARK]) == []
    with closing(sqlite3.connect(path)) as database:
        ((body, other),) = database.execute("SELECT body, other FROM snapshots")
    assert json.loads(zlib.decompress(body)) == {"source": PLAIN} and other == b"x\x00no text"


def test_where_a_person_keeps_secrets_they_stay(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    (settings.home / "sources.toml").write_text(f'[sources.a]\nsource = "{SIGNED}"\n')
    (settings.home / "settings.toml").write_text(f'[storage.a]\nbuckets = "b"\nkey = "{MARK}"\nsecret = "{MARK}"\n')
    assert list(find_secrets(settings)) == []
