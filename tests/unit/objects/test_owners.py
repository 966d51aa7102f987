"""Owners: a process is known while it works, and a killed one is told from one that cannot be seen."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from imagerag_assets.objects.owners import Owner, at_work, current_owner, list_owners, state_of, succeeding

WORKER = """
import signal, sys
from pathlib import Path
from imagerag_assets.objects.owners import at_work

with at_work(Path(sys.argv[1]), "some work"):
    print("ready", flush=True)
    signal.pause()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def of_another_boot(owner: Owner, folder: Path) -> Owner:
    """The same owner as if it were of another container: only the lock on its file tells of it."""
    other = replace(owner, machine="another boot")
    (folder / f"{owner.token}.json").write_text(other.to_json())
    return other


def test_it_is_known_while_it_works(tmp_path: Path) -> None:
    with at_work(tmp_path, "a test") as owner:
        with at_work(tmp_path, "more of it") as again:
            assert again == owner == current_owner(tmp_path)
        assert (owner.pid, owner.work) == (os.getpid(), "a test")
        assert list_owners(tmp_path) == [(owner, "alive")]
        assert Owner.from_json(owner.to_json()) == owner
    assert current_owner(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_is_dead_and_closed_once(tmp_path: Path) -> None:
    process = start(tmp_path)
    ((owner, state),) = list_owners(tmp_path)
    assert (owner.pid, owner.work, state) == (process.pid, "some work", "alive")
    with succeeding(owner, tmp_path) as chosen:
        assert not chosen
    assert list_owners(tmp_path) == [(owner, "alive")]
    process.kill()
    process.communicate()
    assert list_owners(tmp_path) == [(owner, "dead")]
    with succeeding(owner, tmp_path) as first, succeeding(owner, tmp_path) as second:
        assert (first, second) == (True, False)
    assert list_owners(tmp_path) == []


def test_of_another_container_the_lock_decides(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        ((owner, _),) = list_owners(tmp_path)
        other = of_another_boot(owner, tmp_path)
        assert list_owners(tmp_path) == [(other, "alive")]
    finally:
        process.kill()
        process.communicate()
    assert list_owners(tmp_path) == [(other, "dead")]
    assert state_of(replace(other, token="elsewhere"), tmp_path) == "unknown"  # it has no file here


def test_a_process_id_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    here = Owner.this_process("a test")
    assert state_of(here, tmp_path) == "alive"
    assert state_of(replace(here, born="1"), tmp_path) == "dead"
    assert state_of(replace(here, born=""), tmp_path) == "unknown"


def test_what_is_no_owner_is_passed_over(tmp_path: Path) -> None:
    for name, text in {"a.json": "{}", "b.json": "half", "c.json": '{"token": "../x"}'}.items():
        (tmp_path / name).write_text(text)
    assert list_owners(tmp_path) == []
    assert list_owners(tmp_path / "missing") == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with at_work(tmp_path / "file", "a test") as owner:
        assert state_of(owner, tmp_path / "file") == "alive"
