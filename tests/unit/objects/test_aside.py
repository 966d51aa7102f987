"""Files and folders appear whole or not at all; a full disk is reported as that."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.exchange.exporting import copy_out
from imagerag_assets.objects.aside import (
    ASIDE,
    find_temporary,
    find_unfinished,
    folder_aside,
    remove_dead,
    remove_left,
    replace_text,
    temporary_folder,
    written_aside,
)
from imagerag_assets.objects.store import open_store
from imagerag_assets.settings import Settings

FULL = Path("/dev/full")  # every write to it fails as on a full disk


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    target, plain = tmp_path / "made.json", tmp_path / "plain"
    replace_text(target, "é1", sync=True)
    plain.write_text("")
    assert target.read_text(encoding="utf-8") == "é1"
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    with pytest.raises(KeyboardInterrupt), written_aside(target) as path:
        assert path.suffix == ".json"
        path.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(FileExistsError), written_aside(target, replace=False) as path:
        path.write_text("second")
    assert target.read_text(encoding="utf-8") == "é1"
    assert names(tmp_path) == ["made.json", "plain"]


def test_a_folder_appears_whole_and_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    target = tmp_path / "made"
    program = (
        "import os, pathlib, signal, sys\n"
        "from imagerag_assets.objects.aside import folder_aside\n"
        "with folder_aside(pathlib.Path(sys.argv[1])) as path:\n"
        "    (path / 'half').write_text('')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert [name.startswith(f"{ASIDE}made.") for name in names(tmp_path)] == [True]
    with folder_aside(tmp_path / "made") as other:  # at work at the same time: it is left alone
        with folder_aside(target) as path:
            (path / "file").write_text("first")
        (other / "file").write_text("second")
    assert names(tmp_path) == ["made"]
    assert (target / "file").read_text() == "first"
    assert stat.S_IMODE(target.stat().st_mode) & 0o500 == 0o500


def test_a_full_disk_is_reported_as_that(tmp_path: Path) -> None:
    target = tmp_path / "made"
    message = r"^The disk is full \[path=.*made\]\. Free space"
    with pytest.raises(StoreError, match=message) as caught, written_aside(target):
        FULL.write_text("x")
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOSPC
    with pytest.raises(StoreError, match="The disk is full"), folder_aside(target):
        FULL.write_text("x")
    assert names(tmp_path) == []


def test_a_disk_that_fills_while_copying_is_reported_as_that(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, source = open_store(settings), tmp_path / "source"
    source.write_bytes(b"x" * 100_000)
    store.put_file(source, "a/b")
    (tmp_path / "out").symlink_to(FULL)
    with pytest.raises(StoreError, match=r"^The disk is full \[path=.*out\]"):
        copy_out(store, "a/b", tmp_path / "out")
    make: Callable[..., tuple[int, str]] = tempfile.mkstemp

    def on_a_full_disk(**options: Any) -> tuple[int, str]:
        handle, name = make(**options)
        Path(name).unlink()
        Path(name).symlink_to(FULL)
        return handle, name

    monkeypatch.setattr(tempfile, "mkstemp", on_a_full_disk)
    writes: list[Callable[[], object]] = [
        lambda: store.put_file(source, "a/b"),
        lambda: store.write_bytes("a/b", b"y"),
        lambda: store.create_json("a/c", {}),
    ]
    for write in writes:
        with pytest.raises(StoreError, match=r"^The disk is full \[path=.*/objects/a/[bc]\]"):
            write()
    monkeypatch.undo()
    assert store.read_bytes("a/b") == source.read_bytes()
    assert names(settings.home / "objects" / "a") == ["b"]


def test_what_a_killed_writer_left_is_told_from_what_is_written(tmp_path: Path) -> None:
    """A living writer's file stays, also a folder's; a killed one's is removed."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    dead = tmp_path / f"{ASIDE}{gone.pid}.1-abcdefgh.json"
    dead.write_text("half")
    of_an_earlier_version = tmp_path / f"{ASIDE}abcdefgh.json"
    of_an_earlier_version.write_text("half")
    dead_folder = tmp_path / f"{ASIDE}model.{gone.pid}.1-abcdefgh"
    (dead_folder / "in").mkdir(parents=True)
    (dead_folder / "in" / "it").write_text("half")
    with written_aside(tmp_path / "file") as file, folder_aside(tmp_path / "folder") as folder:
        found = {each.path: each for each in find_unfinished(tmp_path)}
        assert {path for path, each in found.items() if each.dead} == {dead, dead_folder}
        assert set(found) == {dead, dead_folder, of_an_earlier_version, file, folder}
        assert (found[file].pid, found[folder].pid, found[dead].pid) == (os.getpid(), os.getpid(), gone.pid)
        assert [remove_dead(found[path]) for path in (dead, dead_folder, file, folder)] == [True, True, False, False]
        assert not dead.exists()
        assert not dead_folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [of_an_earlier_version.name, "file", "folder"]
    os.utime(of_an_earlier_version, (0, 0))
    (old,) = find_unfinished(tmp_path)
    assert old.dead


def test_the_next_writer_in_a_folder_removes_what_killed_ones_left(tmp_path: Path) -> None:
    """Not what is written, a link, or a pipe, which would never open."""
    name = f"{ASIDE}{2**22 + 1}.1-abcdefgh"  # no process has such a number
    inner = tmp_path / "items" / "one"
    inner.mkdir(parents=True)
    for folder in (tmp_path, inner):
        (folder / f"{name}.json").write_text("half")
    (tmp_path / f"{name}.link").symlink_to(inner)
    os.mkfifo(tmp_path / f"{name}.pipe")
    with written_aside(inner / "file") as written:
        remove_left(tmp_path)
        assert [path.exists() for path in (tmp_path / f"{name}.json", inner / f"{name}.json")] == [False, True]
        remove_left(tmp_path, deep=True)
        assert [path.exists() for path in (inner / f"{name}.json", written)] == [False, True]
    assert names(tmp_path) == [f"{name}.link", f"{name}.pipe", "items"]
    remove_left(tmp_path / "nothing")


def test_a_temporary_folder_of_a_killed_process_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    dead = tmp_path / f"{ASIDE}imagerag-export.{gone.pid}.1-abcdefgh"
    dead.mkdir()
    with temporary_folder("import") as folder:
        (folder / "file").write_text("some")
        assert {each.path: each.dead for each in find_temporary()} == {dead: True, folder: False}
    assert [each.path for each in find_temporary()] == [dead]
