"""Versions of files: values that change when a file does, told without reading it."""

from __future__ import annotations

import stat

from imagerag_assets.objects.addresses import is_http, is_remote
from imagerag_assets.objects.bounded import info_of
from imagerag_assets.objects.gdal import note_version
from imagerag_assets.objects.local_files import look_at
from imagerag_assets.objects.peek import validators_over_http
from imagerag_assets.settings import Settings


def local_version(path: str, settings: Settings) -> tuple[str, int, bool]:
    """Return the version of a local file, its size, and whether it is a file and no folder.

    Raises:
        OSError: it is not there, cannot be looked at, or is a pipe, socket or device.
    """
    about = look_at(path, settings)
    return f"{about.st_size}:{about.st_mtime_ns}", about.st_size, stat.S_ISREG(about.st_mode)


def object_version(href: str, settings: Settings) -> tuple[str, int, bool]:
    """Return the same for an object in a bucket.

    Raises:
        Exception: it is not there, or cannot be looked at; fsspec, s3fs and botocore share no base class.
    """
    about = info_of(href, settings)
    token = about.get("ETag") or about.get("LastModified") or about.get("mtime") or ""
    version = f"{about.get('size')}:{token}"
    note_version(href, settings, version)
    return version, int(about.get("size") or 0), about["type"] == "file"


def version_now(href: str, settings: Settings) -> str | None:
    """Return the version of a file, wherever it is; None if it is not to be learnt now."""
    try:
        if is_http(href):
            return "|".join(validators_over_http(href, settings))
        return (object_version(href, settings) if is_remote(href) else local_version(href, settings))[0]
    except Exception:  # reading the file reports what is wrong
        return None


def is_replaced(href: str, before: str, now: str | None) -> bool:
    """Return whether a file was replaced between two looks at it.

    A file of the web stays the same as long as one of the two things that its server says of it, the tag and the date,
    does: servers that stand for each other agree on one of them at least.
    """
    if now is None or now == before:
        return False
    if not is_http(href):
        return True
    then, since = before.split("|"), now.split("|")
    if then[0] and since[0] and then[0] != since[0]:
        return True
    said = [(a, b) for a, b in zip(then[1:], since[1:], strict=True) if a and b]
    return bool(said) and all(a != b for a, b in said)
