"""Lead GDAL's connections to web servers through `relay`, which is started with the first of them."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from imagerag_assets.errors import RasterError
from imagerag_assets.objects.boundary import Authority, authority, is_foreign
from imagerag_assets.objects.relay import LIMITS, LISTS
from imagerag_assets.settings import Settings

_PROXIES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY")
_END_S = 2.0
_PACKAGES = str(Path(__file__).resolve().parents[2])
_MOST_PORTS = 200  # the relay serves some more, so that none that is in use ends

_lock = Lock()
_relay: tuple[int, subprocess.Popen[str], str] | None = None
"""Process that started it, the relay, and the token that it wants."""
_ports: dict[str, int] = {}


def relay_options(addresses: Iterable[str], settings: Settings) -> dict[str, Any]:
    """Return GDAL's options by which it connects to these web addresses, and to where they may lead, and nothing else.

    Where the environment names a proxy, there are none: that one connects.

    Raises:
        RasterError: the relay cannot be started.
    """
    if any(os.environ.get(name) for name in _PROXIES):
        return {}
    known = {where for address in addresses if (where := authority(address)) is not None}
    here = {where for where in known if not is_foreign(where)}
    with _lock:
        port, token = _port(known, here, settings)
    return {
        "GDAL_HTTP_PROXY": f"http://127.0.0.1:{port}",
        "GDAL_HTTPS_PROXY": f"http://127.0.0.1:{port}",
        "GDAL_HTTP_PROXYUSERPWD": f"imagerag:{token}",
        "GDAL_PROXY_AUTH": "BASIC",
    }


def _port(known: set[Authority], here: set[Authority], settings: Settings) -> tuple[int, str]:
    """Return the port of a policy: connections are reused by the port, so that each policy has its own."""
    process, token = _running()
    said = {"known": sorted(known), "here": sorted(here)} | {name: list(getattr(settings, name)) for name in LISTS}
    said |= {name: getattr(settings, name) for name in LIMITS}
    text = json.dumps(said | {"token": token}, sort_keys=True)
    if text not in _ports:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(text + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            port = int(answer)
        except (OSError, ValueError):
            raise RasterError(
                "The relay that checks GDAL's connections does not answer", fix="Run it again", transient=True
            ) from None
        if len(_ports) >= _MOST_PORTS:
            del _ports[next(iter(_ports))]
        _ports[text] = port
    return _ports[text], token


def _running() -> tuple[subprocess.Popen[str], str]:
    global _relay
    if _relay is not None and _relay[0] == os.getpid() and _relay[1].poll() is None:
        return _relay[1], _relay[2]
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)  # there is no other proxy that it could be meant for, and libcurl would obey it
    _ports.clear()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "imagerag_assets.objects.relay"],  # -P: nothing of the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (_PACKAGES, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # an interrupt ends the command, which ends the relay
        )
    except OSError as error:
        raise RasterError(
            f"The relay that checks GDAL's connections cannot be started ({error.strerror})", fix="Run it again"
        ) from None
    if _relay is None:
        atexit.register(_end)
    _relay = os.getpid(), process, secrets.token_urlsafe(24)
    return process, _relay[2]


def _end() -> None:
    """End the relay: it reads to the end of what is written to it."""
    if _relay is not None and _relay[0] == os.getpid() and _relay[1].stdin is not None:
        _relay[1].stdin.close()
        try:
            _relay[1].wait(_END_S)
        except subprocess.TimeoutExpired:  # it waits for a server of names
            _relay[1].kill()
