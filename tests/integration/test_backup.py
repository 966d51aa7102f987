"""`imagerag backup` and `restore`: what cannot be made again comes back, and a damaged backup changes nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.questions.answer_records import list_answers
from imagerag_assets.settings import Settings, load_settings
from tests.commands import run
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.s3 import S3Endpoint
from tests.small_source import write_source

SECRET = "sEcReT-of-the-bucket"


def objects(settings: Settings) -> dict[str, bytes]:
    with Platform(settings) as platform:
        kept = [key for key in platform.store.list() if key.split("/")[0] not in ("embeddings", "patches", "locks")]
        return {key: platform.store.read_bytes(key) for key in kept}


@pytest.fixture
def made(installed: Settings, milvus_stays: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Settings:  # noqa: F811
    """A scene, an answer, a watched source, and settings with a secret."""
    source = write_source(tmp_path / "source", ("one",))
    (tmp_path / ".env").write_text(f"AWS_SECRET_ACCESS_KEY={SECRET}\n", encoding="utf-8")
    assert run(capsys, "ingest", str(source))[0] == 0
    (installed.home / "settings.toml").write_text(
        f'[storage.mine]\nbuckets = ["mine"]\nkey = "ABC"\nsecret = "{SECRET}"\n', encoding="utf-8"
    )
    assert run(capsys, "sources", "add", "port", str(source))[0] == 0
    roi = {"question": "What is here?", "scene": "one", "roi": [[0, 0, 100, 100]]}
    (tmp_path / "in.jsonl").write_text(json.dumps(roi), encoding="utf-8")
    batch = ("ask", "--batch", "in.jsonl", "--out", "out.jsonl", "--mode", "oracle", "--no-answer")
    assert run(capsys, *batch)[0] == 0
    return installed


def elsewhere(monkeypatch: pytest.MonkeyPatch, home: Path) -> Settings:
    monkeypatch.setenv("IMAGERAG_HOME", str(home))
    return load_settings()


def test_there_and_back(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = objects(made)
    with dagster_instance(made) as instance:
        runs = {run.run_id: run.status for run in instance.get_runs()}
    code, done = run(capsys, "backup", "copy", "--with-shards")
    assert (code, done["with_shards"], done["backup"]) == (0, True, str(tmp_path / "copy"))
    assert ".env" in done["left_out"][0]
    assert "key and secret" in done["notes"][0]
    leaked = [
        path for path in (tmp_path / "copy").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert leaked == []

    other = elsewhere(monkeypatch, tmp_path / "new")
    code, done = run(capsys, "restore", "copy")
    assert (code, done["aside"], done["next"]) == (0, None, "imagerag doctor --deep --repair")
    assert objects(other) == before
    assert (other.home / "sources.toml").read_bytes() == (made.home / "sources.toml").read_bytes()
    with dagster_instance(other) as instance:
        assert {run.run_id: run.status for run in instance.get_runs()} == runs
    assert not (other.home / "restoring.json").exists()

    code, mended = run(capsys, "doctor", "--deep", "--repair")
    assert (code, {each["kind"] for each in mended["differences"]}) == (0, {"rows"})
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []
    status = run(capsys, "status")[1]
    assert (status["scenes"], status["stale"]) == (1, 0)


def test_without_shards_they_are_made_again(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "backup", "copy")[0] == 0
    assert not (tmp_path / "copy" / "objects" / "embeddings").exists()
    elsewhere(monkeypatch, tmp_path / "new")
    assert run(capsys, "restore", "copy")[0] == 0
    code, mended = run(capsys, "doctor", "--deep", "--repair")
    assert (code, {each["kind"] for each in mended["differences"]}) == (0, {"shard"})
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []


def test_a_damaged_backup_changes_nothing(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "backup", "copy")[0] == 0
    other = elsewhere(monkeypatch, tmp_path / "new")
    for damage in ("changed", "missing", "manifest", "elsewhere", "no backup"):
        copy = tmp_path / damage
        shutil.copytree(tmp_path / "copy", copy)
        (answer,) = (copy / "objects" / "answers").glob("*/answer.json")
        if damage == "changed":
            answer.write_bytes(answer.read_bytes().replace(b"What", b"Whot"))
        elif damage == "missing":
            answer.unlink()
        elif damage == "manifest":
            (copy / "manifest.json").write_text('{"imagerag_backup": 1, "files": [{"path": "../x"}]}')
        elif damage == "elsewhere":
            manifest = json.loads((copy / "manifest.json").read_text())
            manifest["files"].append(manifest["files"][0] | {"path": "home/.env"})
            (copy / "manifest.json").write_text(json.dumps(manifest))
        else:
            shutil.rmtree(copy)
        code, found = run(capsys, "restore", damage)
        assert (damage, code) == (damage, 2 if damage == "no backup" else 1)
        assert "\n" not in found["error"]["message"]
        assert damage in found["error"]["message"]
        assert [path for path in other.home.rglob("*") if path.is_file()] == []


def test_an_installation_that_holds_something(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused; with --replace, what is replaced is moved aside."""
    assert run(capsys, "backup", "copy")[0] == 0
    code, found = run(capsys, "restore", "copy")
    assert (code, "not empty" in found["error"]["message"]) == (2, True)
    assert run(capsys, "backup", "copy")[0] == 2  # the target is not empty, either
    assert run(capsys, "backup", str(made.home / "inside"))[0] == 2

    with Platform(made) as platform:
        (answer,) = list_answers(platform)
        platform.store.write_bytes(f"answers/{answer}/answer.json", b"half")
    code, done = run(capsys, "restore", "copy", "--replace")
    assert code == 0
    assert (Path(done["aside"]) / "dagster" / "dagster.yaml").is_file()
    with Platform(made) as platform:
        (kept,) = [key for key in platform.store.list("set-aside") if key.endswith("answer.json")]
        assert platform.store.read_bytes(kept) == b"half"
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []


def test_a_killed_restore_is_finished_by_the_same_backup(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "backup", "copy")[0] == 0
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    other = elsewhere(monkeypatch, tmp_path / "new")
    (other.home / "objects").mkdir(parents=True)
    (other.home / "objects" / "some.json").write_text("{}")
    (other.home / "restoring.json").write_text(json.dumps({"backup": "copy", "made": manifest["made"]}))
    found = run(capsys, "doctor", "--deep")[1]["differences"]
    assert [each["kind"] for each in found] == ["restore"]
    assert run(capsys, "restore", "copy")[0] == 0
    assert not (other.home / "restoring.json").exists()


def test_the_history_is_whole_while_it_is_written(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (database,) = made.dagster_home.glob("history/runs.db")
    with closing(sqlite3.connect(database)) as writing:
        writing.execute("begin immediate")
        assert run(capsys, "backup", "copy")[0] == 0
        writing.rollback()
    with closing(sqlite3.connect(tmp_path / "copy" / "dagster" / "history" / "runs.db")) as copied:
        assert copied.execute("pragma integrity_check").fetchone() == ("ok",)
        assert copied.execute("select count(*) from runs").fetchone()[0] >= 1


def test_in_a_bucket(
    made: Settings,
    tmp_path: Path,
    s3_endpoint: S3Endpoint,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (s3_endpoint.root / "backups").mkdir()
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    code, done = run(capsys, "backup", "s3://backups/copy")
    assert (code, done["backup"]) == (0, "s3://backups/copy")
    before = objects(made)
    other = elsewhere(monkeypatch, tmp_path / "new")
    assert run(capsys, "restore", "s3://backups/copy")[0] == 0
    assert objects(other) == before
