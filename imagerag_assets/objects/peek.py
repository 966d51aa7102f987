"""Read the first bytes of an object that may not be there, in one request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from urllib3.util.retry import Retry

from imagerag_assets.errors import RasterError, SourceError
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.bounded import first_of_object
from imagerag_assets.objects.deadlines import Deadline
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.guarded import Reach, guarded_session
from imagerag_assets.objects.http import retries
from imagerag_assets.objects.signed import requested
from imagerag_assets.objects.storage import payer_headers
from imagerag_assets.settings import Settings

_LOOK_BYTES, _LOOK_S = 32_768, 10
_PASSED_S, _MOST_PASSED = 600.0, 4096

_passed: dict[tuple[object, ...], float] = {}
_lock = threading.Lock()


def first_bytes(href: str, count: int, settings: Settings) -> bytes | None:
    """Return at most `count` bytes from the start of an http(s) or S3 object; None if it is not there for us.

    A refusal counts as absence: servers that do not let their folders be listed answer so for what they do not have.

    Raises:
        OSError: the server is in trouble, so that it cannot be told.
    """
    if is_http(href):
        return _over_http(requested(href), count, settings)
    try:
        return first_of_object(href, count, settings)
    except Exception as error:  # fsspec, s3fs and botocore share no base class
        if is_transient(error, href):
            raise OSError(str(error)) from error
        return None


def _over_http(url: str, count: int, settings: Settings) -> bytes | None:
    with _asked(url, count, Reach([url], settings), retries(), settings.limit_stall_s) as answer:
        if answer.status_code == 429 or answer.status_code >= 500:
            answer.raise_for_status()
        if answer.status_code not in (200, 206):
            return None
        return b"".join(_at_most(answer, count))


@contextmanager
def _asked(url: str, count: int, reach: Reach, tries: Retry, timeout: float) -> Iterator[requests.Response]:
    """Ask for the first `count` bytes; the body is read as far as the caller does."""
    # GET, not HEAD: signatures are for one of them, and servers refuse HEAD.
    headers = {"Range": f"bytes=0-{count - 1}", "Accept-Encoding": "identity"} | payer_headers(url)
    with (
        Deadline(reach.settings.limit_document_s),
        guarded_session(reach, tries) as session,
        session.get(url, headers=headers, stream=True, timeout=timeout) as answer,
    ):
        yield answer


def trouble(href: str, settings: Settings) -> str | None:
    """Say in a few words what is wrong with how a remote object is served now; None: nothing is to be seen.

    It is asked for its first bytes, once.

    Raises:
        FileNotFoundError: it is not there for us, or its server sends no parts of files.
    """
    if not is_http(href):
        return _trouble_of_object(href, settings)
    url, seconds = requested(href), min(_LOOK_S, settings.limit_stall_s)
    try:
        with _asked(url, _LOOK_BYTES, Reach([url], settings), Retry(0), seconds) as answer:
            if answer.status_code == 429 or answer.status_code >= 500:
                return f"its server answers {answer.status_code}"
            if answer.status_code not in (200, 206):
                raise FileNotFoundError(url)
            if answer.status_code == 200 and (_size(answer) or 0) > _LOOK_BYTES:
                raise FileNotFoundError(url)  # all of a large file, and not the part that was asked for
            came = sum(map(len, _at_most(answer, _LOOK_BYTES)))
            size = _size(answer)
    except (SourceError, ValueError):
        return None
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout) or "timed out" in str(error):
            return f"its server does not answer within {seconds} s"
        return f"the connection to its server fails ({type(error).__name__})"
    return None if size is None or came >= min(size, _LOOK_BYTES) else "its server sends less than it says"


def _trouble_of_object(href: str, settings: Settings) -> str | None:
    try:
        first_of_object(href, _LOOK_BYTES, settings)
    except Exception as error:  # fsspec, s3fs and botocore share no base class
        if not is_transient(error, href):
            raise FileNotFoundError(href) from error
        return f"its server does not answer as it should ({type(error).__name__})"
    return None


def size_over_http(href: str, settings: Settings) -> int | None:
    """Return the size of an http(s) object in bytes; None if the server does not say it.

    Raises:
        OSError, SourceError: the server cannot be reached, or must not be.
    """
    url = requested(href)
    with _asked(url, 1, Reach([url], settings), retries(), settings.limit_stall_s) as answer:
        return _size(answer)


def validators_over_http(href: str, settings: Settings) -> tuple[str, str, str]:
    """Return the size, tag and date that a server gives for a file; empty where it gives none.

    Raises:
        OSError, SourceError: the server cannot be reached, must not be, or has no such file.
    """
    url = requested(href)
    with _asked(url, 1, Reach([url], settings), Retry(0), settings.limit_stall_s) as answer:
        answer.raise_for_status()
        size = _size(answer)
        tag, date = (answer.headers.get(name, "").replace("|", "") for name in ("ETag", "Last-Modified"))
        return "" if size is None else str(size), tag, date


def _size(answer: requests.Response) -> int | None:
    """Return the size of an object by the answer to a request for a part of it; None: the server does not say it."""
    if answer.status_code == 206:
        size = answer.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        size = answer.headers.get("Content-Length", "") if answer.status_code == 200 else ""
    return int(size) if size.isascii() and size.isdecimal() else None


def check_way(href: str, settings: Settings) -> None:
    """Follow the redirects of an http(s) raster, once in ten minutes, before GDAL follows them without asking anybody.

    Raises:
        RasterError: one leads to a host that must not be reached.
    """
    if not is_http(href):
        return
    url = requested(href)
    reach = Reach([url], settings)
    key = (url, reach.key)
    with _lock:
        if time.monotonic() < _passed.get(key, 0.0):
            return
    try:
        with _asked(url, 1, reach, Retry(0), settings.limit_stall_s):
            pass
    except SourceError as error:
        ids = {name: str(value) for name, value in error.ids.items()}
        raise RasterError(error.message, fix=error.fix, href=href, leads_to=ids.get("href", "")) from None
    except (OSError, ValueError):  # GDAL reports it, or finds the server again
        return
    with _lock:
        if len(_passed) >= _MOST_PASSED:
            _passed.clear()
        _passed[key] = time.monotonic() + _PASSED_S


def _at_most(answer: requests.Response, count: int) -> list[bytes]:
    """Return pieces of a body until they have `count` bytes: a server that knows no ranges sends all of it."""
    pieces: list[bytes] = []
    left = count
    for piece in answer.iter_content(min(count, 2**16)):
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if left <= 0:
            break
    return pieces
