"""Look at and open files of this machine: regular files only, and for no longer than a disk may take.

A pipe without a writer never opens, a device may have no end, and a network disk that is gone never answers.
"""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import unescape

from imagerag_assets.objects.deadlines import TooSlowError, in_time
from imagerag_assets.settings import Settings

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_SOURCES = re.compile(rb"<SourceFilename([^>]*)>\s*([^<]+?)\s*</SourceFilename>", re.IGNORECASE)
_BESIDE = re.compile(r"\.(?:txt|xml|imd|rpb|rpc|pvl|eph|pass|dim|met|tab|[a-z]{1,3}w|wld)", re.IGNORECASE)
"""Endings of what GDAL looks for beside a raster by names of their own, such as ``..._MTL.txt``, ``DIM_....XML``."""
_LARGEST_VRT, _MOST_VRTS = 64 * 2**20, 1000
_DISK_S: float = Settings.model_fields["limit_disk_s"].default


class NotAFileError(OSError):
    """What has the name of a file is a pipe, a socket or a device."""

    def __init__(self, path: str, kind: str) -> None:
        self.kind = kind
        super().__init__(f"{os.path.basename(path)} is {kind}, not a file")


def check_regular(path: str | Path) -> os.stat_result:
    """Return what the system says of a file or folder.

    Raises:
        NotAFileError: it is something else.
        OSError: it is not there, or cannot be looked at.
    """
    about = os.stat(path)
    _refuse(str(path), about.st_mode)
    return about


def look_at(path: str | Path, settings: Settings | None = None) -> os.stat_result:
    """Return the same, in the time that a disk may take.

    Raises:
        TooSlowError: the disk does not answer.
        OSError: as :func:`check_regular`.
    """
    return in_time(disk_does_not_answer(settings), check_regular, path)


def open_file(path: str | Path, settings: Settings | None = None) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        TooSlowError: the disk does not answer.
        OSError: as :func:`check_regular`, or it cannot be opened.
    """
    return in_time(disk_does_not_answer(settings), _opened, path)


def read_text(path: str | Path, settings: Settings | None = None) -> str:
    """Return the content of a file in UTF-8.

    Raises:
        OSError: as :func:`open_file`.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_file(path, settings) as file:
        return file.read().decode("utf-8").replace("\r\n", "\n")


def check_raster(path: str) -> None:
    """Refuse a local raster that, itself or beside it, has what never opens; a virtual one also for what it names.

    GDAL opens what lies beside a file by its name.

    Raises:
        OSError: as :func:`check_regular`.
    """
    waiting, seen = [os.path.abspath(path)], set[str]()
    while waiting and len(seen) < _MOST_VRTS:
        each = waiting.pop()
        seen.add(each)
        if len(seen) == 1 or os.path.exists(each):
            check_regular(each)
            _check_beside(each)
            if each.lower().endswith(".vrt"):
                waiting += [name for name in _named_by(each) if name not in seen]


def _check_beside(path: str) -> None:
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    for other, kind in _special(folder, os.stat(folder).st_mtime_ns):
        shares_name = other.startswith(stem) and other[len(stem) :][:1] in ("", ".", "_")
        if shares_name or _BESIDE.fullmatch(os.path.splitext(other)[1]):
            raise NotAFileError(os.path.join(folder, other), kind)


@lru_cache(maxsize=256)
def _special(folder: str, _changed: int) -> tuple[tuple[str, str], ...]:
    """Return the names in a folder, as of its last change, that are neither files nor folders, and what they are."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                try:
                    kind = _KINDS.get(stat.S_IFMT(entry.stat().st_mode))
                except OSError:  # a link to nothing
                    continue
                if kind is not None:
                    found.append((entry.name, kind))
    return tuple(found)


def _named_by(path: str) -> list[str]:
    """Return the files that a virtual raster names."""
    with _opened(path) as file:
        found = _SOURCES.findall(file.read(_LARGEST_VRT))
    folder = os.path.dirname(path)
    names = [(b'"1"' in said, unescape(os.fsdecode(name))) for said, name in found]
    return [
        os.path.abspath(os.path.join(folder, name) if beside else name)
        for beside, name in names
        if "://" not in name and not name.startswith(("/vsi", "<"))
    ]


def _opened(path: str | Path) -> BinaryIO:
    check_regular(path)  # opening a device may do something
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _refuse(str(path), os.fstat(file.fileno()).st_mode)  # it may have been replaced in between
    except BaseException:
        file.close()
        raise
    return file


def _refuse(path: str, mode: int) -> None:
    if (kind := _KINDS.get(stat.S_IFMT(mode))) is not None:
        raise NotAFileError(path, kind)


def disk_does_not_answer(settings: Settings | None = None) -> TooSlowError:
    """Return the error for a disk that takes longer than it may."""
    seconds = _DISK_S if settings is None else settings.limit_disk_s
    return TooSlowError(seconds, "DISK", "The disk does not answer")
