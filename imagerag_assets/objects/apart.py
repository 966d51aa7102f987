"""Let GDAL open and read rasters in a process of its own: what a file does to GDAL costs that file only.

The other process is told what this one knows of the addresses: signatures, versions, and which hosts are foreign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from imagerag_assets.errors import RasterError
from imagerag_assets.isolation.pool import CrashError, IsolationError, MemoryIsUpError, Pool, TimeIsUpError
from imagerag_assets.isolation.worker import is_worker
from imagerag_assets.objects import boundary, gdal, signed
from imagerag_assets.objects.addresses import is_remote, local_path
from imagerag_assets.objects.deadlines import TooSlowError
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.objects.local_files import NotAFileError, look_at
from imagerag_assets.settings import PREFIX, Settings

Verb = Literal["opened", "read", "given overviews"]
T = TypeVar("T")
_DEADLINES: dict[Verb, str] = {
    "opened": "limit_open_s",
    "read": "limit_read_s",
    "given overviews": "limit_overviews_s",
}
_NO_MEMORY = re.compile(
    r"out of memory|not enough memory|(?:cannot|could not|failed to|unable to) allocate|allocation failed|bad_alloc",
    re.IGNORECASE,
)
_AFTER = {
    "SIGKILL": "Check whether this machine has enough memory",
    "SIGABRT": "Check that the file is sound; if it is, raise {}",
}
"""What to do after how a process ended: C++ aborts without memory, and a system without any kills."""
_readers = Pool()


@dataclass(frozen=True)
class _Known:
    """What one process knows of some addresses."""

    signed: dict[str, str]
    logins: dict[str, str]
    foreign: tuple[boundary.Authority, ...]
    versions: dict[str, str]


def reading(
    href: str,
    verb: Verb,
    settings: Settings,
    read: Callable[..., T],
    *arguments: Any,
    about: Hashable = None,
) -> T:
    """Return what a function reads of a raster, in another process and within the limits of the settings.

    Args:
        href: The raster, whose address the function asks for, and no other but those beside it.
        verb: What is done to it, which decides how long that may take.
        settings: The limits, and whether to use another process.
        read: A function of a module, or a `functools.partial` of one; it returns data, no open dataset.
        arguments: Its arguments.
        about: Names what the function keeps open there until :func:`close_apart`.

    Raises:
        RasterError: a limit is passed, or GDAL crashed.
        ImageRAGError: as the function.
    """
    if verb == "opened" and not is_remote(href):
        _check_disk(href, settings)
    if not settings.read_apart or is_worker():
        return read(*arguments)
    setting = _DEADLINES[verb]
    seconds: float = getattr(settings, setting)
    try:
        return _readers.call(
            _with_knowledge,
            _known(href, settings),
            settings,
            read,
            arguments,
            seconds=seconds,
            memory=settings.limit_read_bytes,
            about=about,
            modules=(_module_of(read),),
        )
    except IsolationError as error:
        raise _explained(error, href, verb, settings) from None


def _check_disk(href: str, settings: Settings) -> None:
    """Refuse what is no file, and find out whether its disk answers, before a process waits for it.

    Raises:
        RasterError: it is refused, or its disk does not answer.
    """
    try:
        look_at(local_path(href), settings)
    except (NotAFileError, TooSlowError) as error:
        message, fix = explain_failure(error, href, settings)
        raise RasterError(message, fix=fix, transient=is_transient(error, href), href=href) from None
    except OSError:  # GDAL says what is wrong
        return


def close_apart(about: Hashable, close: Callable[..., object], *arguments: Any) -> None:
    """Call a quick function in the processes that keep something open."""
    _readers.tell(about, close, *arguments)


def _explained(error: IsolationError, href: str, verb: Verb, settings: Settings) -> RasterError:
    if isinstance(error, MemoryIsUpError):
        return out_of_memory(href, verb, settings)
    if isinstance(error, TimeIsUpError):
        name = _DEADLINES[verb]
        return RasterError(
            f"image cannot be {verb} in {getattr(settings, name):g} s",
            href=href,
            transient=is_remote(href),
            fix=f"Check the file{' and its server' if is_remote(href) else ''}, or raise {_named(name)}",
        )
    assert isinstance(error, CrashError)
    return RasterError(
        f"image cannot be {verb}: the process that did it ended ({error})",
        href=href,
        fix=_AFTER.get(str(error), "Check that the file is sound").format(_named("limit_read_bytes")),
    )


def out_of_memory(href: str, verb: str, settings: Settings) -> RasterError:
    """Return the error for a raster that would take too much memory."""
    return RasterError(
        f"image cannot be {verb} in {settings.limit_read_bytes:,} bytes of memory",
        href=href,
        fix=f"Write it anew in smaller tiles, or raise {_named('limit_read_bytes')}",
    )


def _module_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(function.__module__)


def _named(setting: str) -> str:
    return f"{PREFIX}{setting.upper()}"


def _known(href: str, settings: Settings) -> _Known:
    address, where = signed.requested(href), boundary.authority(href)
    version = gdal.noted_version(href, settings)
    return _Known(
        signed={} if address == href else {href: address},
        logins=signed.logins(),
        foreign=() if where is None or not boundary.is_foreign(where) else (where,),
        versions={} if version is None else {href: version},
    )


def _with_knowledge(known: _Known, settings: Settings, read: Callable[..., T], arguments: Iterable[Any]) -> T:
    signed.learn(known.signed, known.logins)
    boundary.note_foreign(known.foreign)
    for href, version in known.versions.items():
        gdal.note_version(href, settings, version)
    try:
        return read(*arguments)
    except RasterError as error:
        if _NO_MEMORY.search(error.message):  # GDAL has no class for it that all of its drivers use
            raise MemoryError from None
        raise
