"""Look up the numbers of hosts in a time that is bounded: the look-up of the system may hang as long as it likes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from functools import partial
from threading import Lock
from typing import Any

from imagerag_assets.escaping import one_line
from imagerag_assets.objects.deadlines import TooSlowError, in_time

_KEPT_S, _SLOW_S, _FAILED_S, _MOST_NAMES = 60.0, 30.0, 1.0, 4096

_looked_up: dict[str, tuple[float, tuple[str, ...] | OSError]] = {}
_lock = Lock()


def as_number(host: str) -> str | None:
    """Return the number that a host is, in whatever way it is written; None: it is a name."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # 2852039166, 0xa9fea9fe and the like
    except (OSError, UnicodeError):
        return None


def look_up(host: str, seconds: float) -> tuple[str, ...]:
    """Return the numbers of a host: itself, or what its name stands for, as of the last minute.

    Args:
        host: A name or a number.
        seconds: How long it may take.

    Raises:
        TooSlowError: it takes longer; for half a minute, it is not asked again.
        OSError: nobody knows the name.
    """
    if (written := as_number(host)) is not None:
        return (written,)
    with _lock:
        known = _looked_up.get(host)
    if known is None or time.monotonic() >= known[0]:
        found = _asked(host, seconds)
        kept = _KEPT_S if isinstance(found, tuple) else _SLOW_S if isinstance(found, TooSlowError) else _FAILED_S
        known = time.monotonic() + kept, found
        with _lock:
            if len(_looked_up) >= _MOST_NAMES:
                _looked_up.clear()
            _looked_up[host] = known
    if isinstance(known[1], OSError):
        raise known[1].with_traceback(None)
    return known[1]


def _asked(host: str, seconds: float) -> tuple[str, ...] | OSError:
    slow = TooSlowError(seconds, "LOOKUP", f"The name {one_line(host)[:100]} was not looked up")
    try:
        found = in_time(slow, partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM))
    except UnicodeError:
        return socket.gaierror(socket.EAI_NONAME, "the name is none")
    except OSError as error:
        return error
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def resolver(seconds: float) -> Any:
    """Return what looks names up for aiohttp, by which S3 is reached."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            numbers = await asyncio.to_thread(look_up, host, seconds)
            found = [(each, socket.AF_INET6 if ":" in each else socket.AF_INET) for each in numbers]
            return [
                ResolveResult(hostname=host, host=number, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
                for number, kind in found
                if family in (kind, socket.AF_UNSPEC)
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Resolver()
