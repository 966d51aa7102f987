"""Write local files and folders beside their target, then rename them into place.

A reader sees the earlier file or the new one, never half of one, also when the writer is killed.  A full disk is
reported as that.  Every local write that replaces something goes through here; objects on S3 need none of it.

An unfinished file or folder is locked by its writer, and its name says which process that is (``.aside-PID.BORN-...``).
So what a killed process left can be told from what is being written, and is removed by `remove_dead`.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagerag_assets.errors import StoreError, disk_error

ASIDE = ".aside-"
"""How the names of unfinished files and folders begin."""
_TEMPORARY = "imagerag-"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WRITER = re.compile(rf"{re.escape(ASIDE)}(?:.*\.)?(?P<pid>\d+)\.(?P<born>\d*)-[^-]*")
_JUST_MADE, _UNLOCKED = 10.0, 86_400.0  # seconds until an unlocked one counts as left, if it names its writer or not


@contextmanager
def written_aside(target: Path, *, sync: bool = False, replace: bool = True, private: bool = False) -> Iterator[Path]:
    """Give the path of an empty file beside `target`; it becomes `target` when the context ends without an error.

    After an error the file is removed, and `target` stays as it was.  The path keeps the target's suffix, which some
    libraries go by.

    Args:
        target: The file to write.  Its folder must exist.
        sync: Bring the content and the name to the disk before the context ends, so that they survive a power cut.
        replace: Replace an earlier file.  If False and there is one, raise FileExistsError and leave it alone; of
            several writers, one wins.
        private: Only its owner may read it.

    Raises:
        StoreError: the disk is full.
        OSError: the file cannot be written.
    """
    with reporting_full_disk(target):
        handle, name = tempfile.mkstemp(prefix=f"{ASIDE}{this_writer()}", suffix=target.suffix, dir=target.parent)
        path = Path(name)
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)  # waits only for one who looks whether it was left
            yield path
            if not private:
                path.chmod(0o666 & ~_umask())  # mkstemp's files can be read by their owner only
            if sync:
                _sync(path)
            if replace:
                path.replace(target)
            else:
                os.link(path, target)
            if sync:
                _sync(target.parent)
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)


@contextmanager
def folder_aside(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target`; it becomes `target` when the context ends without an error.

    After an error the folder is removed.  Where another process made `target` first, that one stays.  What a killed
    process left of the same target is removed first.

    Args:
        target: The folder to make.  Its parent must exist.

    Raises:
        StoreError: the disk is full.
        OSError: the folder cannot be written.
    """
    with reporting_full_disk(target):
        _remove_left_over(target)
        path, handle = _claimed_folder(target)
        try:
            yield path
            path.chmod(0o777 & ~_umask())
            try:
                path.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            os.close(handle)
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def temporary_folder(what: str, root: Path | None = None) -> Iterator[Path]:
    """Give an empty folder, which is removed when the context ends.

    What a killed process left is found by :func:`find_unfinished` below `root`, and else by :func:`find_temporary`.

    Args:
        what: Stands in its name.
        root: Where it is; default: among the system's temporary files.
    """
    path, handle = _claimed_folder((root or Path(tempfile.gettempdir())) / f"{_TEMPORARY}{what}")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def replace_bytes(target: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace a file as a whole with `data`; see :func:`written_aside`."""
    with written_aside(target, sync=sync) as path:
        path.write_bytes(data)


def replace_text(target: Path, text: str, *, sync: bool = False) -> None:
    """Replace a file as a whole with `text` in UTF-8, half a character as its code; see :func:`written_aside`."""
    replace_bytes(target, text.encode(errors="backslashreplace"), sync=sync)


@contextmanager
def reporting_full_disk(path: Path, **ids: Any) -> Iterator[None]:
    """Report a full disk, quota or file as a StoreError that names `path`, and what else `ids` says.

    Raises:
        StoreError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        known = disk_error(error) if error.errno in _FULL else None
        if known is None:
            raise
        raise StoreError(known.message, fix=known.fix, **ids, path=path) from error


def _claimed_folder(target: Path) -> tuple[Path, int]:
    """Make a folder beside `target` and lock it, so that nobody takes it for one that a killed process left."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{ASIDE}{target.name}.{this_writer()}", dir=target.parent))
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.is_dir():
            return path, handle
        os.close(handle)


def _remove_left_over(target: Path) -> None:
    for path in target.parent.glob(f"{ASIDE}{glob.escape(target.name)}.*"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its maker is still at work
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


@dataclass(frozen=True)
class Unfinished:
    """An unfinished file or folder that a process left, or is writing."""

    path: Path
    pid: int | None
    """The process that wrote it; None: its name does not say."""
    since: str
    """When it was last written, ISO 8601, UTC."""
    dead: bool
    """Whether its writer is gone."""


def find_unfinished(root: Path, *, deep: bool = True) -> Iterator[Unfinished]:
    """Yield the unfinished files and folders below a folder, or only in it, also those that are being written."""
    for folder, folders, files in os.walk(root):
        left = [name for name in folders if name.startswith(ASIDE)]
        folders[:] = [name for name in folders if name not in left]
        for name in [*left, *(each for each in files if each.startswith(ASIDE))]:
            with suppress(OSError):  # finished meanwhile
                yield _looked_at(Path(folder, name))
        if not deep:
            return


def remove_left(folder: Path, *, deep: bool = False) -> None:
    """Remove what killed processes left in a folder outside of any installation, where only its next writer looks.

    Args:
        folder: The folder that a person named; it need not exist.
        deep: Also in the folders in it.
    """
    for left in find_unfinished(folder, deep=deep):
        if left.dead:
            with suppress(OSError):
                remove_dead(left)


def find_temporary() -> Iterator[Unfinished]:
    """Yield the folders of :func:`temporary_folder`, of all installations of this user."""
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{ASIDE}{_TEMPORARY}*")):
        with suppress(OSError):  # another user's, or removed meanwhile
            if path.stat().st_uid == os.geteuid():
                yield _looked_at(path)


def remove_dead(found: Unfinished) -> bool:
    """Remove what a killed process left; return False, and leave it, if somebody is writing it."""
    with suppress(OSError):
        handle = os.open(found.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if found.path.is_dir():
                shutil.rmtree(found.path)
            else:
                found.path.unlink()
        finally:
            os.close(handle)
        return True
    return not found.path.exists()


def _looked_at(path: Path) -> Unfinished:
    about = path.lstat()
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        raise OSError(errno.EINVAL, "Not made by a writer", path)
    named = _WRITER.fullmatch(path.name)
    age, gone = time.time() - about.st_mtime, False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old = age > (_UNLOCKED if named is None else _JUST_MADE)  # there is a moment between making and locking it
        gone = old or (named is not None and birth_of(int(named["pid"])) != named["born"])
    except OSError:
        gone = False
    finally:
        os.close(handle)
    since = datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds")
    return Unfinished(path, int(named["pid"]) if named else None, since, gone)


def birth_of(pid: int) -> str:
    """Return when a process of this namespace started, in the system's own count; empty if that is unknown."""
    try:
        about = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if about[0] == "Z" else about[19]


def this_writer() -> str:
    """Return what stands for this process in the names of its unfinished files."""
    pid = os.getpid()
    return f"{pid}.{birth_of(pid)}-"


def _sync(path: Path) -> None:
    with suppress(PermissionError):  # a folder that can be written but not read
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
                raise
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's umask, which can only be read by setting it; Linux tells without."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("Umask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        return 0o022
