"""Read documents over http(s).  A server that is busy or in trouble is asked again, when it says or a little later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.util.retry import Retry

_TIMEOUT_S = 60
_TRIES, _BACKOFF_S, _LONGEST_WAIT_S = 5, 0.5, 30
_THREADS = 16
_HIDDEN = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407})


class _Patient(Retry):
    """Waits as long as a server asks for, but half a minute at most each time, as a tick has little time."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        after = super().get_retry_after(response)
        return None if after is None else min(after, _LONGEST_WAIT_S)


def retries() -> Retry:
    """Return when a request that changes nothing is sent again: after a failed connection, 429 and 5xx."""
    return _Patient(
        total=_TRIES,
        connect=2,
        status_forcelist={429, *range(500, 600)},
        allowed_methods=None,  # searches are sent with POST as well
        backoff_factor=_BACKOFF_S,
        raise_on_status=False,
    )


def read_all(urls: Sequence[str]) -> Iterator[bytes | Exception]:
    """Yield the content of each address, in order, several at a time; an exception in place of a failed one.

    It is a FileNotFoundError or a PermissionError where the server says so, and otherwise one of `requests`.
    """
    with requests.Session() as session, ThreadPoolExecutor(min(_THREADS, len(urls) or 1)) as pool:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_THREADS, max_retries=retries()))

        def read(url: str) -> bytes | Exception:
            try:
                answer = session.get(url, timeout=_TIMEOUT_S)
                if answer.status_code in _HIDDEN:
                    raise FileNotFoundError(url)
                if answer.status_code in _DENIED:
                    raise PermissionError(url)
                answer.raise_for_status()
                return answer.content
            except (OSError, ValueError) as error:  # those of `requests` are OSErrors; bad addresses are ValueErrors
                return error

        yield from pool.map(read, urls)
