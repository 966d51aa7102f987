"""Connect to Milvus, Lite or a server, and turn failures into one-line errors.

`milvus_lite_share` lets several processes share a Lite file.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, cast

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from imagerag_assets.errors import SettingsError, StoreError, shown
from imagerag_assets.masking import masked
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_lite_share import LiteShare
from imagerag_assets.stores.milvus_schema import BackEnd, parse_version

# pymilvus logs a traceback of every error that it also raises.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_WITHOUT_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}
"""For a server on this machine, whose end is seen at once: pings that it answers late, when the machine is busy,
would end a connection that works."""
_CONNECT_SECONDS = 10.0
_TRIES, _QUICK_TRIES, _WAIT_S = 6, 3, 0.5
_OWN_CALLS = frozenset({"prepare_index_params", "query_iterator"})
"""Methods that ask nothing of Milvus, or whose result does."""


class MilvusConnection:
    """A connection that survives the kill of a Lite server.  Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        """Connect; create the Lite file if it does not exist.

        Raises:
            SettingsError: IMAGERAG_MILVUS_URI is neither a .db path nor a URL.
            StoreError: the server cannot be reached, or the Lite file cannot be opened.
        """
        self._settings = settings
        self._lock = Lock()
        self._share: LiteShare | None = None
        self._client: MilvusClient | None = self._connect()
        with milvus_errors("connect", settings.milvus):
            version = parse_version(self._client.get_server_version())
        self.back_end = BackEnd(lite=settings.milvus_is_lite, version=version)

    def close(self) -> None:
        """Close the connection; its last user closes a Lite file.  Closing again does nothing."""
        with self._lock:
            client, self._client = self._client, None
            share, self._share = self._share, None
        if client is not None:
            client.close()
        if share is not None:
            share.close()

    @property
    def client(self) -> MilvusClient:
        """A client whose calls are repeated when Milvus was lost meanwhile; a killed Lite server is started again.

        All calls are such that repeating one that succeeded does no harm, or is told by `milvus_collections`.
        """
        return cast(MilvusClient, _Steady(self))

    def repeated(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Call a method of the client until it gets through, a few times within about 20 s.

        Raises:
            StoreError: the connection was closed, or the Lite file cannot be opened again.
            MilvusException, grpc.RpcError: the last failure.
        """
        for number in range(_TRIES):
            try:
                return getattr(self._open_client(), name)(*arguments, retry_times=_QUICK_TRIES, **options)
            except StoreError as error:
                if number + 1 == _TRIES or not error.transient:
                    raise
            except (MilvusException, grpc.RpcError) as error:
                said = getattr(error, "message", None) or str(error)
                if number + 1 == _TRIES or not (_unreachable(error, said) or _not_ready(said)):
                    raise
            time.sleep(_WAIT_S * 2**number * random.uniform(0.5, 1.5))  # nosec B311 # a wait
        raise AssertionError

    def _open_client(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                raise StoreError("The vector store is closed")
            if self._share is not None and not self._share.alive():
                self._client.close()
                self._share.close()
                self._client = self._connect()
            return self._client

    @contextmanager
    def reading(self, verb: str, what: str) -> Iterator[None]:
        """Wrap calls that read: errors say what was tried, and no process writes to a Lite file meanwhile."""
        with self._turn(writing=False), milvus_errors(verb, what):
            yield

    @contextmanager
    def writing(self, verb: str, what: str) -> Iterator[None]:
        """Wrap calls that write, as :meth:`reading` does; no process reads a Lite file meanwhile."""
        with self._turn(writing=True), milvus_errors(verb, what):
            yield

    def index_version(self) -> int:
        """Return a number that changes when a process gives a collection of a Lite file another index; 0: a server."""
        share = self._share
        return 0 if share is None else share.index_version()

    def note_index_change(self) -> None:
        """Let other processes that use a Lite file ask for the index again."""
        if self._share is not None:
            self._share.note_index_change()

    def _turn(self, *, writing: bool) -> AbstractContextManager[None]:
        share = self._share
        return share.turn(writing=writing) if share is not None else nullcontext()

    def _connect(self) -> MilvusClient:
        settings = self._settings
        if not settings.milvus_is_lite:
            with milvus_errors("connect", settings.milvus):
                token = settings.milvus_token.get_secret_value() if settings.milvus_token else ""
                return MilvusClient(
                    uri=settings.milvus, token=token, timeout=_CONNECT_SECONDS, grpc_options=_within(settings)
                )
        self._share = LiteShare(lite_path(settings))
        with milvus_errors("connect", settings.milvus):
            return MilvusClient(
                uri=self._share.url, timeout=_CONNECT_SECONDS, grpc_options=_WITHOUT_PINGS | _within(settings)
            )


class _Steady:
    """Stands for a client; see `MilvusConnection.client`."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        if name in _OWN_CALLS:
            return getattr(self._connection._open_client(), name)
        return lambda *arguments, **options: self._connection.repeated(name, arguments, options)


def _within(settings: Settings) -> dict[str, Any]:
    """Return the option of a channel that gives each call a deadline; pymilvus's own would repeat calls until then."""
    every = {"name": [{}], "timeout": f"{settings.milvus_timeout_s:g}s"}
    return {"grpc.service_config": json.dumps({"methodConfig": [every]})}


def lite_path(settings: Settings) -> str:
    """Return the absolute path of the Lite file.

    Raises:
        SettingsError: it is not a path ending in .db.
    """
    if not settings.milvus.endswith(".db"):
        raise SettingsError(
            f"IMAGERAG_MILVUS_URI={settings.milvus!r} is neither a path ending in .db nor a URL",
            fix="Use e.g. .imagerag/milvus.db or http://127.0.0.1:19530",
        )
    return str(Path(settings.milvus).expanduser().absolute())


@contextmanager
def milvus_errors(verb: str, what: str) -> Iterator[None]:
    """Turn the client's errors into a StoreError that says what was tried."""
    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        message = getattr(error, "message", None) or str(error)
        if _code(error) == grpc.StatusCode.DEADLINE_EXCEEDED or "DEADLINE_EXCEEDED" in message:
            raise StoreError(
                f"Milvus does not answer ({verb} {what})",
                fix="Look at its load, or raise IMAGERAG_MILVUS_TIMEOUT_S",
                transient=True,
            ) from error
        if _unreachable(error, message):
            raise StoreError(
                f"Milvus cannot be reached ({verb} {what})",
                fix="Start it (imagerag dev) or correct IMAGERAG_MILVUS_URI and IMAGERAG_MILVUS_TOKEN",
                transient=True,
            ) from shown(error)
        if _not_ready(message):
            raise StoreError(
                f"Milvus is not ready ({verb} {what}): {masked(message)[:200]}",
                fix="Wait until it has started; if it stays so, look at its load and start it again",
                transient=True,
            ) from shown(error)
        raise StoreError(f"Milvus could not {verb} {what}: {masked(message)[:500]}") from shown(error)


def _unreachable(error: Exception, message: str) -> bool:
    return _code(error) == grpc.StatusCode.UNAVAILABLE or any(
        sign in message for sign in ("Fail connecting", "UNAVAILABLE", "failed to connect", "Connection refused")
    )


def _not_ready(message: str) -> bool:
    """Return whether a server says that it starts, stops, or has lost a part of itself, e.g. when it is starved."""
    return any(
        sign in message for sign in ("service not ready", "channel not available", "channel lacks", "node offline")
    )


def _code(error: Exception) -> Any:
    code = error.code if isinstance(error, MilvusException) else getattr(error, "code", None)
    return code() if callable(code) else code
