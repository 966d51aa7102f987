"""Read remote imagery again when the network or its server failed, and say which of both it was.

GDAL repeats requests that are answered with 429 or 5xx, and connections that break; not what comes short or not at all.
Its errors seldom say that a request failed: the piece that is missing looks like a damaged file, or like no image.  So
the address is asked what is the matter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from imagerag_assets.errors import RasterError
from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.peek import trouble
from imagerag_assets.settings import Settings

_TRIES = 3
_LONGEST_S = 60.0
"""No further try begins after it."""
_WAIT_S = 0.5
LATER = "Try again later: the network or the server is in trouble, not the item"
T = TypeVar("T")


def patiently(href: str, settings: Settings, read: Callable[[], T], forget: Callable[[], object]) -> T:
    """Return what `read` returns; read again, a little later each time, when the network or the server failed.

    Args:
        href: The address that is read.
        settings: How it is reached.
        read: Raises RasterError if it cannot read.
        forget: Called before each further try: forgets what was kept of the address.

    Raises:
        RasterError: as `read`; a transient one, with the cause, where the address is in trouble.
    """
    if not is_remote(href):
        return read()
    started = time.monotonic()
    for left in reversed(range(_TRIES)):
        try:
            return read()
        except RasterError as error:
            if error.__cause__ is None and not error.transient:
                raise  # found in what was read, which came as it is
            try:
                problem = trouble(href, settings)
            except FileNotFoundError:
                raise error from None
            if problem is not None or error.transient:
                error = _explained(error, problem)
            if not left or time.monotonic() - started > _LONGEST_S:
                raise error from error.__cause__
            forget()
        time.sleep(_WAIT_S * 2 ** (_TRIES - 1 - left) * random.uniform(0.5, 1.5))  # nosec B311 # a wait
    raise AssertionError


def _explained(error: RasterError, problem: str | None) -> RasterError:
    what = error.message.partition(" (")[0]
    message = error.message if problem is None else f"{what}: {problem}"
    found = RasterError(message, fix=LATER, transient=True, **error.ids)
    found.__cause__ = error.__cause__
    return found
