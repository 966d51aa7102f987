"""`imagerag backup` and `restore`, killed at several points: what was there stays, and the same command ends it."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagerag_assets.installation.platform import open_store
from imagerag_assets.maintenance.backup import back_up
from imagerag_assets.maintenance.restore import restore, restore_differences
from imagerag_assets.objects.aside import find_unfinished
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings, load_settings
from tests.commands import run
from tests.installation import installed, tiny_registry  # noqa: F401

Progress = Callable[[int, int, str], None]
TYPED = "typed-in-dagster"
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def objects(settings: Settings) -> dict[str, bytes]:
    store = open_store(settings)
    return {key: store.read_bytes(key) for key in store.list()}


def killed_at(doing: str, share: float, work: Callable[[Progress], object]) -> bool:
    """Do some work in a process that is killed when that share of what it does is done; return whether it was."""
    child = os.fork()
    if child == 0:

        def progress(done: int, total: int, what: str) -> None:
            if what.startswith(doing) and done >= int(share * (total - 1)):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(progress)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.fixture
def made(installed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:  # noqa: F811
    """An installation with objects, a file of settings, and something in Dagster's databases."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))  # what is killed leaves its folders there
    store = open_store(installed)
    for number in range(8):
        store.write_bytes(f"answers/a{number}/answer.json", f'{{"number": {number}}}'.encode() * 50)
    store.write_bytes("embeddings/one/pyramid/x.parquet", b"shard" * 1000)
    (installed.home / "sources.toml").write_text("# of then\n")
    with dagster_instance(installed) as instance:
        instance.add_dynamic_partitions("scenes", [TYPED])
    return installed


def partitions(settings: Settings) -> list[str]:
    with dagster_instance(settings) as instance:
        return list(instance.get_dynamic_partitions("scenes"))


def test_a_killed_backup_or_restore_is_ended_by_the_same_command(
    made: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, copy = objects(made), tmp_path / "copy"
    for share in (0.0, 0.5, 1.0):
        assert killed_at("copying", share, lambda report: back_up(made, "copy", with_shards=True, progress=report))
        assert not copy.exists()
    back_up(made, "copy", with_shards=True)
    assert [each for each in find_unfinished(tmp_path) if each.path.parent.name != "temporary"] == []
    assert objects(made) == before

    monkeypatch.setenv("IMAGERAG_HOME", str(tmp_path / "new"))
    new = load_settings()

    def restoring(report: Progress) -> object:
        return restore(new, "copy", progress=report)

    assert killed_at("checking", 0.5, restoring)
    assert objects(new) == {} and list(restore_differences(new)) == []
    for share in (0.0, 0.5, 1.0):
        assert killed_at("restoring", share, restoring)
        for command in (("ingest", str(tmp_path)), ("backup", "half")):
            code, found = run(capsys, *command)
            assert (code, "was not finished" in found["error"]["message"]) == (1, True)
            assert "imagerag restore copy" in found["error"]["fix"]
    assert restoring(lambda *_: None)
    assert objects(new) == before
    assert partitions(new) == [TYPED]
    assert list(restore_differences(new)) == []
    assert [each for each in find_unfinished(new.home) if not each.dead] == []


def test_what_a_killed_restore_replaced_is_kept(made: Settings) -> None:
    back_up(made, "copy", with_shards=True)
    (made.home / "sources.toml").write_text("# of today\n")
    open_store(made).write_bytes("answers/a3/answer.json", b"of today")
    with dagster_instance(made) as instance:
        instance.add_dynamic_partitions("scenes", ["today"])

    def restoring(report: Progress) -> object:
        return restore(made, "copy", replace=True, progress=report)

    for share in (0.3, 0.9):
        assert killed_at("restoring", share, restoring)
    assert restoring(lambda *_: None)
    assert open_store(made).read_bytes("answers/a3/answer.json") != b"of today"
    assert partitions(made) == [TYPED]
    kept = [path.read_bytes() for path in made.home.rglob("*") if path.is_file()]
    assert b"of today" in kept and b"# of today\n" in kept
    assert any((each / "dagster" / "dagster.yaml").is_file() for each in made.home.glob("before-restore-*"))
