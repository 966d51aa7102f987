"""Read documents over http(s).  A server that is busy or in trouble is asked again, when it says or a little later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import requests
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.objects.guarded import Reach, guarded_session
from imagerag_assets.objects.storage import payer_headers

_TIMEOUT_S = 60
_TRIES, _BACKOFF_S, _LONGEST_WAIT_S = 5, 0.5, 30
_THREADS = 16
_NEVER = frozenset({501, 505})
"""What a server cannot do, it cannot do later."""
_HIDDEN = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407})


class _Patient(Retry):
    """Waits as long as a server asks for, but half a minute at most each time, as a tick has little time."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            after = super().get_retry_after(response)
        except InvalidHeader:  # nonsense is no reason to give up
            return None
        return None if after is None else min(after, _LONGEST_WAIT_S)


def retries() -> Retry:
    """Return when a request that changes nothing is sent again: after a failed connection, 429 and 5xx."""
    return _Patient(
        total=_TRIES,
        connect=2,
        status_forcelist={429, *range(500, 600)} - _NEVER,
        allowed_methods=None,  # searches are sent with POST as well
        backoff_factor=_BACKOFF_S,
        raise_on_status=False,
    )


def _content(answer: requests.Response, at_most: int | None) -> bytes:
    if at_most is None:
        return answer.content
    data = bytearray()
    for piece in answer.iter_content(2**16):
        data += piece
        if len(data) > at_most:
            raise ValueError(f"more than {at_most:,} bytes")
    return bytes(data)


def read_all(
    urls: Sequence[str],
    *,
    at_most: int | None = None,
    reach: Reach | None = None,
    threads: int = _THREADS,
) -> Iterator[bytes | Exception]:
    """Yield the content of each address, in order, several at a time; an exception in place of a failed one.

    It is a FileNotFoundError or a PermissionError where the server says so, what `reach` raises, a ValueError where
    the content is too long, and otherwise one of `requests`.

    Args:
        urls: The addresses.
        at_most: The largest number of bytes that one may have; None: any.
        reach: What may be asked for, and where servers may redirect to; None: anything.
        threads: How many are read at a time.
    """
    with (
        guarded_session(reach, retries(), _THREADS) as session,
        ThreadPoolExecutor(min(threads, len(urls) or 1)) as pool,
    ):

        def read(url: str) -> bytes | Exception:
            try:
                answer = session.get(url, headers=payer_headers(url), timeout=_TIMEOUT_S, stream=at_most is not None)
                if answer.status_code in _HIDDEN:
                    raise FileNotFoundError(url)
                if answer.status_code in _DENIED:
                    raise PermissionError(url)
                answer.raise_for_status()
                return _content(answer, at_most)
            # Those of `requests` are OSErrors, bad addresses are ValueErrors, and `reach` raises the last.
            except (OSError, ValueError, ImageRAGError) as error:
                return error

        yield from pool.map(read, urls)
