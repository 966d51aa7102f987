"""Run the API on a port, on the socket of the resident process, or on both, until it is stopped or idle."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from imagerag_assets.errors import LockedError, SettingsError
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.objects.owners import at_work, seen_from_here, state_of
from imagerag_assets.resident.identity import identity_of
from imagerag_assets.resident.place import find_resident, listening, withdraw
from imagerag_assets.serve.app import make_app
from imagerag_assets.serve.asking import Asking
from imagerag_assets.serve.guard import PageGuard, access_from
from imagerag_assets.serve.listening import STOP_SECONDS, WebServer, bound, on_signals, say_where, web_server
from imagerag_assets.web_guard import Access

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

WORK = "answers questions for others"
_LOOK_SECONDS = 0.25


def serve(settings: Settings, *, host: str, port: int | None) -> None:
    """Serve until a signal, or without a port until no question came for IMAGERAG_RESIDENT_IDLE_S.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: 0 takes a free one; None: only the socket.

    Raises:
        SettingsError: other machines can connect and there is no token, or the port is taken.
        LockedError: only the socket is wanted, and this user has a resident process already.
        StoreError: HOME cannot be written.
    """
    identity = identity_of(settings)  # before anything is imported or set that could change it
    access = None if port is None else access_from(settings, host, least="read")
    with ExitStack() as opened:
        owner = opened.enter_context(at_work(owners_folder(settings), WORK))
        sockets: list[tuple[socket.socket, Access, str | None]] = []
        if access is not None and port is not None:
            listener = opened.enter_context(bound(host, port))
            sockets.append((listener, access, None))
        try:
            if settings.resident != "off" or port is None:
                sockets.append((opened.enter_context(listening(settings, owner)), Access(), identity))
        except LockedError:
            if port is None:
                raise
            print("note: commands go on to use the resident process that runs already", file=sys.stderr)
        asking = opened.enter_context(Asking(settings))
        servers = [_server(asking, access, own) for _, access, own in sockets]
        if port is not None:
            say_where(sockets[0][0])
        idle_s = settings.resident_idle_s if port is None else None
        served = list(zip(servers, (listener for listener, _, _ in sockets), strict=True))
        ours = any(own is not None for _, _, own in sockets)
        asyncio.run(_run(asking, served, idle_s, (lambda: withdraw(settings)) if ours else (lambda: None)))


def stop_resident(settings: Settings) -> bool:
    """End this user's resident process once it has answered what it works on; return whether there was one.

    Raises:
        SettingsError: it is on another machine or in another container.
    """
    found = find_resident(settings)
    if found is None:
        return False
    owner = found.owner
    if seen_from_here(owner.machine, owner.pid, owner.born) != "alive":
        raise SettingsError(f"It cannot be reached from here: {owner}", fix="Stop it where it runs")
    with suppress(ProcessLookupError):
        os.kill(owner.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    # Not only until it is not found any more: another one could not start yet.
    while time.monotonic() < deadline and state_of(owner, owners_folder(settings)) == "alive":
        time.sleep(_LOOK_SECONDS)
    return True


def _server(asking: Asking, access: Access, identity: str | None) -> WebServer:
    app = PageGuard(make_app(asking, access=access, identity=identity), access)
    return web_server(app, asking.settings, lifespan="off")


async def _run(
    asking: Asking, served: list[tuple[WebServer, socket.socket]], idle_s: float | None, withdrawn: Callable[[], None]
) -> None:
    def stop() -> None:
        withdrawn()
        for server, _ in served:
            server.should_exit = True

    on_signals(stop)
    running = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in served]
    while not any(task.done() for task in running):
        await asyncio.sleep(_LOOK_SECONDS)
        if idle_s is not None and not asking.in_flight and time.monotonic() - asking.last > idle_s:
            stop()
            break
    stop()
    await asyncio.gather(*running)
