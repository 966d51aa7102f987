"""The process through which GDAL connects to web servers: `python -m imagerag_assets.objects.relay`.

GDAL follows redirects and looks up names by itself, and has no option that forbids it.  As an HTTP proxy, this process
sees each host that it connects to, on the way, too, holds it to the boundary, and connects to the very number that it
checked.  It is a process of its own since GDAL may wait for it while the caller holds Python's lock.

Each line of standard input is a policy in JSON: who may use it (`token`), and what `relayed` writes.  Each line of
standard output is the port that it is served at.  The end of standard input ends the process.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from base64 import b64encode
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from imagerag_assets.objects.boundary import Authority, authority, is_same_host, peer_refusal, refusal
from imagerag_assets.objects.deadlines import TooSlowError
from imagerag_assets.objects.name_lookup import look_up
from imagerag_assets.settings import Settings, load_settings

LISTS = ("allowed_schemes", "allowed_hosts", "allowed_ports")
LIMITS = ("limit_lookup_s",)
_OF_THE_WEB = "https://"
_MOST_POLICIES = 256
_LARGEST_HEAD = 2**18  # bytes of a request's headers
_CONNECT_S = 10.0
_PIECE = 2**18
_LOOKUPS = 64  # names that are looked up at a time
_HEAD = re.compile(rb"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1\.[01]\r\n")
_RAW = re.compile(rb"[\x80-\xff]")
"""What libcurl percent-encodes for a server, and not for a proxy."""
_FOR_PROXIES = (b"proxy-", b"connection:", b"keep-alive:")


@dataclass(frozen=True)
class Policy:
    """What may be reached through one port."""

    known: frozenset[Authority]
    """Hosts and ports that were let through already."""
    here: frozenset[Authority]
    """Those of them that a person or a document of this machine named."""
    settings: Settings
    sent: bytes
    """What a request needs in `Proxy-Authorization`."""

    @classmethod
    def of(cls, said: dict[str, Any]) -> Policy:
        """Read what `relayed` wrote."""
        known, here = (frozenset((str(host), int(port)) for host, port in said[name]) for name in ("known", "here"))
        lists = {name: tuple(said[name]) for name in LISTS} | {name: said[name] for name in LIMITS}
        sent = b"Basic " + b64encode(f"imagerag:{said['token']}".encode())
        return cls(known, here, load_settings(**lists, _env_file=None), sent)

    def refuses(self, where: Authority) -> bool:
        """Return whether a host and port must not be reached, whatever its number."""
        host, port = where
        if any(is_same_host(known, where) for known in self.known):
            return False
        return refusal(f"http://{f'[{host}]' if ':' in host else host}:{port}", _OF_THE_WEB, self.settings) is not None

    def refuses_number(self, where: Authority, number: str) -> bool:
        """Return whether a host must not lead to a number."""
        here = any(is_same_host(known, where) for known in self.here)
        return peer_refusal(where, number, self.settings, named_here=here) is not None


class _RefusedError(Exception):
    """A request is answered with a status and nothing else."""

    def __init__(self, status: str, *headers: str) -> None:
        self.answer = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""])
        super().__init__(status)


async def _serve(policy: Policy) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer(policy, reader, writer)
        except _RefusedError as error:
            with suppress(OSError):
                writer.write(error.answer.encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # either side has left, or it is no request
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LARGEST_HEAD)


async def _answer(policy: Policy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    first = _HEAD.match(head)
    if first is None:
        raise _RefusedError("400 Bad Request")
    lines = head[first.end() : -4].split(b"\r\n")
    given = next((line for line in lines if line.lower().startswith(b"proxy-authorization:")), b"")
    if not secrets.compare_digest(given.partition(b":")[2].strip(), policy.sent):
        raise _RefusedError("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="imagerag"')
    method, target = first["method"].decode(), _RAW.sub(_encoded, first["target"]).decode("ascii")
    if method == "CONNECT":
        there, back = await _connected(policy, authority(f"https://{target}"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    elif method in ("GET", "HEAD") and target.lower().startswith("http://"):
        there, back = await _connected(policy, authority(target))
        parts = urlsplit(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = [line for line in lines if line and not line.lower().startswith(_FOR_PROXIES)]
        back.write(b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *kept, b"Connection: close", b"", b""]))
    else:
        raise _RefusedError("405 Method Not Allowed")
    try:
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
    finally:
        back.close()


def _encoded(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


async def _connected(policy: Policy, where: Authority | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a host and port, to a number that was checked."""
    if where is None or await asyncio.to_thread(policy.refuses, where):
        raise _RefusedError("403 Forbidden")
    host, port = where
    try:
        numbers = await asyncio.to_thread(look_up, host, policy.settings.limit_lookup_s)
    except TooSlowError:
        raise _RefusedError("504 Name was not looked up in time") from None
    except OSError:
        raise _RefusedError("502 Bad Gateway") from None
    if any(policy.refuses_number(where, number) for number in numbers):
        raise _RefusedError("403 Forbidden")
    for number in numbers:
        with suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(number, port), _CONNECT_S)
    raise _RefusedError("502 Bad Gateway")


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
    with suppress(OSError):
        if target.can_write_eof():
            target.write_eof()


async def _main() -> None:
    serving: OrderedDict[int, asyncio.Server] = OrderedDict()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_LOOKUPS))
    while line := await asyncio.to_thread(sys.stdin.readline):
        server = await _serve(Policy.of(json.loads(line)))
        port = server.sockets[0].getsockname()[1]
        serving[port] = server
        if len(serving) > _MOST_POLICIES:
            serving.popitem(last=False)[1].close()
        print(port, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
