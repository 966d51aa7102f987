"""Read documents over http(s).  A server that is busy or in trouble is asked again, when it says or a little later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.objects.deadlines import Deadline, current, pause
from imagerag_assets.objects.guarded import Reach, content_of, guarded_session
from imagerag_assets.objects.storage import payer_headers

_TIMEOUT_S = 60
_TRIES, _BACKOFF_S, _LONGEST_WAIT_S = 5, 0.5, 30
_LARGEST, _LONGEST_S = 64 * 2**20, 120.0
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

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        after = None if response is None else self.get_retry_after(response)
        pause(after or self.get_backoff_time())

    def increment(self, *args: Any, **kwargs: Any) -> _Patient:
        deadline = current()
        if deadline is not None and deadline.is_up:
            raise TimeoutError  # which the deadline explains
        return super().increment(*args, **kwargs)


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


def read_all(
    urls: Sequence[str],
    *,
    at_most: int = _LARGEST,
    seconds: float = _LONGEST_S,
    reach: Reach | None = None,
    threads: int = _THREADS,
) -> Iterator[bytes | Exception]:
    """Yield the content of each address, in order, several at a time; an exception in place of a failed one.

    It is a FileNotFoundError or a PermissionError where the server says so, what `reach` raises, a TooLargeError or
    TooSlowError where the content is too long or does not come in time, and otherwise one of `requests`.

    Args:
        urls: The addresses.
        at_most: The largest number of bytes that one may have.
        seconds: How long each may take, with all further tries.
        reach: What may be asked for, and where servers may redirect to; None: anything.
        threads: How many are read at a time.
    """
    with (
        guarded_session(reach, retries(), _THREADS) as session,
        ThreadPoolExecutor(min(threads, len(urls) or 1)) as pool,
    ):

        def how(url: str) -> dict[str, Any]:
            return {"headers": payer_headers(url), "timeout": _TIMEOUT_S, "stream": True}

        def read(url: str) -> bytes | Exception:
            try:
                with Deadline(seconds), session.get(url, **how(url)) as answer:
                    if answer.status_code in _HIDDEN:
                        raise FileNotFoundError(url)
                    if answer.status_code in _DENIED:
                        raise PermissionError(url)
                    answer.raise_for_status()
                    return content_of(answer, at_most)
            # Those of `requests` are OSErrors, bad addresses are ValueErrors, and `reach` raises the last.
            except (OSError, ValueError, ImageRAGError) as error:
                return error

        yield from pool.map(read, urls)
