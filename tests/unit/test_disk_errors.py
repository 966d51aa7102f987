"""A full disk and a read-only file system, as the operating system and a database tell them."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.errors import describe, disk_error


def test_the_full_device_is_a_full_disk() -> None:
    with pytest.raises(OSError, match="No space left") as raised, open("/dev/full", "w", buffering=1) as full:
        full.write("x\n")
    known = disk_error(raised.value)
    assert known is not None
    assert known.message == "The disk is full"
    assert "\n" not in describe(raised.value)


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("PRAGMA max_page_count = 2")
        database.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as raised:
            database.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    error = RuntimeError("a step failed")
    error.__cause__ = raised.value
    assert describe(error).startswith("The disk is full")


def test_a_read_only_database_and_file_system_are_told_as_such(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    database = sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as raised:
        database.execute("CREATE TABLE t (x)")
    database.close()
    assert describe(raised.value).startswith("The file system is read-only")
    error = PermissionError(errno.EACCES, "Permission denied", "/somewhere/x")
    assert describe(error).startswith("This user has no permission for a file or folder [path=/somewhere/x]")
    error = OSError(errno.EROFS, "Read-only file system", "/somewhere/x")
    assert describe(error).startswith("The file system is read-only [path=/somewhere/x]")


def test_what_is_no_fault_of_the_disk_stays_as_it_is() -> None:
    assert disk_error(ValueError("the disk is full of joy")) is None
    assert disk_error(FileNotFoundError(errno.ENOENT, "no such file")) is None


def test_a_command_in_a_home_that_is_no_folder_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    done = subprocess.run(
        [sys.executable, "-m", "imagerag_assets.cli", "watch", "add", "is there a boat?"],
        env={"IMAGERAG_HOME": str(tmp_path / "home"), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
