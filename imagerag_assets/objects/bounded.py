"""Read and list objects within bounds of bytes, number and time, wherever they are.

fsspec reads whatever comes for as long as it comes, and goes on when nobody waits any more.  Here, what takes too long
is cancelled, and what is too large is not read to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from imagerag_assets.objects.addresses import filesystem, is_s3, local_path
from imagerag_assets.objects.deadlines import TooLargeError, TooManyError, TooSlowError, in_time
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.local_files import disk_does_not_answer, open_file
from imagerag_assets.settings import Settings

_PIECE = 2**18
_WAITS = (0.5, 1.0)
T = TypeVar("T")
Info = dict[str, Any]
"""fsspec's description of a file, folder or object."""


def read_object(href: str, settings: Settings) -> bytes:
    """Return the content of a local file or an S3 object.

    Raises:
        TooLargeError, TooSlowError: it has more bytes, or takes longer, than a document may.
        OSError: it cannot be read; or it is a device or a pipe, which may have no end.
    """
    if not is_s3(href):
        filesystem(href, settings)  # refuses other kinds of addresses
        return _read_file(local_path(href), settings)
    fs, path = filesystem(href, settings)
    return _within(fs, lambda: _read_s3_again(fs, path, settings.limit_document_bytes), settings.limit_document_s)


def info_of(href: str, settings: Settings) -> Info:
    """Return the description of a file or object.

    Raises:
        TooSlowError: it takes longer than a document may.
        Exception: as the file system.
    """
    fs, path = filesystem(href, settings)
    if is_s3(href):
        return _within(fs, lambda: fs._info(path), settings.limit_document_s)
    found: Info = in_time(disk_does_not_answer(settings), fs.info, path)
    return found


def find_objects(prefix: str, settings: Settings) -> dict[str, Info]:
    """Return the descriptions of all objects below an S3 prefix, or of the one that has its name, by name.

    Raises:
        TooManyError, TooSlowError: there are more than a listing may have, or it takes longer.
        FileNotFoundError: there is no such bucket.
        Exception: as the file system.
    """
    fs, path = filesystem(prefix, settings)
    return _within(fs, lambda: _find(fs, path, settings.limit_items), settings.limit_listing_s, "LISTING")


def first_of_object(href: str, count: int, settings: Settings) -> bytes:
    """Return at most `count` bytes from the start of an S3 object.

    Raises:
        TooSlowError: it takes longer than a document may.
        Exception: as the file system.
    """
    fs, path = filesystem(href, settings)

    async def read() -> bytes:
        found: bytes = await fs._cat_file(path, start=0, end=count)
        return found

    return _within(fs, read, settings.limit_document_s)


def _read_file(path: str, settings: Settings) -> bytes:
    at_most = settings.limit_document_bytes
    with open_file(path, settings) as file:
        data = in_time(TooSlowError(settings.limit_document_s), file.read, at_most + 1)
    if len(data) > at_most:
        raise TooLargeError(at_most)
    return data


async def _read_s3_again(fs: Any, path: str, at_most: int) -> bytes:
    """Read an object, again if the connection breaks on the way; s3fs repeats only what fails before."""
    for waits in _WAITS:
        try:
            return await _read_s3(fs, path, at_most)
        except Exception as error:
            if not is_transient(error, "s3://"):
                raise
        await asyncio.sleep(waits)
    return await _read_s3(fs, path, at_most)


async def _read_s3(fs: Any, path: str, at_most: int) -> bytes:
    bucket, key, _ = fs.split_path(path)
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, **fs.req_kw)
    data, body = bytearray(), answer["Body"]
    try:
        while piece := await body.read(_PIECE):
            data += piece
            if len(data) > at_most:
                raise TooLargeError(at_most)
    finally:
        body.close()
    return bytes(data)


async def _find(fs: Any, path: str, at_most: int) -> dict[str, Info]:
    bucket, key, _ = fs.split_path(path)
    found: dict[str, Info] = {}
    async for each in fs._iterdir(bucket, delimiter="", prefix=f"{key.rstrip('/')}/" if key else ""):
        if len(found) >= at_most:
            raise TooManyError(at_most)
        found[each["name"]] = each
    if not found and key:
        with suppress(FileNotFoundError):
            found[path] = await fs._info(path)
    return found


def _within(fs: Any, act: Callable[[], Coroutine[Any, Any, T]], seconds: float, limit: str = "DOCUMENT") -> T:
    async def limited() -> T:
        time_is_up = asyncio.timeout(seconds)
        try:
            async with time_is_up:
                return await act()
        except TimeoutError:
            if time_is_up.expired():
                raise TooSlowError(seconds, limit) from None
            raise

    return asyncio.run_coroutine_threadsafe(limited(), fs.loop).result()
