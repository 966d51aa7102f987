"""Connect to Milvus, Lite or a server, and turn failures into one-line errors.

`milvus_lite_share` lets several processes share a Lite file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock

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
        """The open client.

        Raises:
            StoreError: the connection was closed, or the Lite file cannot be opened again.
        """
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

    def _turn(self, *, writing: bool) -> AbstractContextManager[None]:
        share = self._share
        return share.turn(writing=writing) if share is not None else nullcontext()

    def _connect(self) -> MilvusClient:
        settings = self._settings
        if not settings.milvus_is_lite:
            with milvus_errors("connect", settings.milvus):
                token = settings.milvus_token.get_secret_value() if settings.milvus_token else ""
                return MilvusClient(uri=settings.milvus, token=token, timeout=_CONNECT_SECONDS)
        self._share = LiteShare(lite_path(settings))
        with milvus_errors("connect", settings.milvus):
            return MilvusClient(uri=self._share.url, timeout=_CONNECT_SECONDS, grpc_options=_WITHOUT_PINGS)


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
        if _unreachable(error, message):
            raise StoreError(
                f"Milvus cannot be reached ({verb} {what})",
                fix="Start it (imagerag dev) or correct IMAGERAG_MILVUS_URI and IMAGERAG_MILVUS_TOKEN",
                transient=True,
            ) from shown(error)
        raise StoreError(f"Milvus could not {verb} {what}: {masked(message)[:500]}") from shown(error)


def _unreachable(error: Exception, message: str) -> bool:
    code = error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
    return code == grpc.StatusCode.UNAVAILABLE or any(
        sign in message for sign in ("Fail connecting", "UNAVAILABLE", "failed to connect", "Connection refused")
    )
