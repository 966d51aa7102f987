"""`imagerag backup` and `restore`, killed at several points: what was there stays, and the same command ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from imagerag_assets.maintenance.backup import back_up
from imagerag_assets.maintenance.restore import restore
from imagerag_assets.objects.aside import find_unfinished
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.integration.test_backup import elsewhere, made, objects, run  # noqa: F401

Progress = Callable[[int, int, str], None]


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


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_killed_backup_or_restore_is_ended_by_the_same_command(
    made: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, copy = objects(made), tmp_path / "copy"
    with dagster_instance(made) as instance:
        runs = {each.run_id: each.status for each in instance.get_runs()}
    for share in (0.0, 0.5, 1.0):
        assert killed_at("copying", share, lambda report: back_up(made, "copy", with_shards=True, progress=report))
        assert not copy.exists()
    assert run(capsys, "backup", "copy", "--with-shards")[0] == 0
    assert list(find_unfinished(tmp_path)) == []
    assert objects(made) == before

    new = elsewhere(monkeypatch, tmp_path / "new")

    def restoring(report: Progress) -> object:
        return restore(new, "copy", progress=report)

    assert killed_at("checking", 0.5, restoring)
    assert objects(new) == {} and not (new.home / "restoring.json").exists()
    for share in (0.0, 0.5, 1.0):
        assert killed_at("restoring", share, restoring)
        code, found = run(capsys, "ingest", str(tmp_path / "source"))
        assert (code, "was not finished" in found["error"]["message"]) == (1, True)
        assert "imagerag restore copy" in found["error"]["fix"]
        assert run(capsys, "backup", "half")[0] == 1
    assert run(capsys, "restore", "copy")[0] == 0
    assert objects(new) == before
    with dagster_instance(new) as instance:
        assert {each.run_id: each.status for each in instance.get_runs()} == runs
    assert run(capsys, "doctor", "--deep", "--repair")[0] == 0
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []
    assert list(find_unfinished(new.home)) == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_what_a_killed_restore_replaced_is_kept(
    made: Settings,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(capsys, "backup", "copy")[0] == 0
    sources = made.home / "sources.toml"
    sources.write_text(sources.read_text() + "# of today\n")
    today = sources.read_bytes()
    (answer,) = [key for key in objects(made) if key.endswith("answer.json")]
    (made.home / "objects" / answer).write_bytes(b"half")
    for share in (0.3, 0.9):
        assert killed_at("restoring", share, lambda report: restore(made, "copy", replace=True, progress=report))
    assert run(capsys, "restore", "copy", "--replace")[0] == 0
    kept = [path.read_bytes() for path in made.home.rglob("*") if path.is_file()]
    assert b"half" in kept and today in kept
    assert any((each / "dagster" / "dagster.yaml").is_file() for each in made.home.glob("before-restore-*"))
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []
