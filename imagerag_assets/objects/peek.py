"""Read the first bytes of an object that may not be there, in one request."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter

from imagerag_assets.objects.addresses import filesystem, is_http
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.http import retries
from imagerag_assets.objects.signed import requested
from imagerag_assets.objects.storage import payer_headers
from imagerag_assets.settings import Settings

_TIMEOUT_S = 60


def first_bytes(href: str, count: int, settings: Settings) -> bytes | None:
    """Return at most `count` bytes from the start of an http(s) or S3 object; None if it is not there for us.

    A refusal counts as absence: servers that do not let their folders be listed answer so for what they do not have.

    Raises:
        OSError: the server is in trouble, so that it cannot be told.
    """
    if is_http(href):
        return _over_http(requested(href), count)
    fs, path = filesystem(href, settings)
    try:
        found: bytes = fs.cat_file(path, start=0, end=count)
    except Exception as error:  # fsspec, s3fs and botocore share no base class
        if is_transient(error, href):
            raise OSError(str(error)) from error
        return None
    return found


def _over_http(url: str, count: int) -> bytes | None:
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retries()))
        # GET, not HEAD: signatures are for one of them, and servers refuse HEAD.
        headers = {"Range": f"bytes=0-{count - 1}", "Accept-Encoding": "identity"} | payer_headers(url)
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code == 429 or answer.status_code >= 500:
                answer.raise_for_status()
            if answer.status_code not in (200, 206):
                return None
            return b"".join(_at_most(answer, count))


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
