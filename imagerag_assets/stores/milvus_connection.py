"""Connecting to Milvus Lite or a server, and turning what goes wrong into one line.

Milvus Lite lets one process open a file, and prints a traceback when a second one tries; both are handled here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from imagerag_assets.errors import SettingsError, StoreError
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_schema import BackEnd, parse_version

# pymilvus logs a traceback of every error that it also raises.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_CONNECT_SECONDS = 10.0
_lite_users: Counter[str] = Counter()
_lite_lock = Lock()


def connect(settings: Settings) -> tuple[MilvusClient, BackEnd]:
    """Open the Milvus of these settings, creating a Lite file where there is none.  Undo with :func:`disconnect`.

    Raises:
        SettingsError: IMAGERAG_MILVUS_URI is neither a .db path nor a URL.
        StoreError: the server cannot be reached, or another process has the file open.
    """
    return _connect_lite(settings) if settings.milvus_is_lite else _connect_server(settings)


def disconnect(client: MilvusClient, settings: Settings) -> None:
    """Close a connection; the last one of a Lite file closes the file, so that other processes can open it."""
    client.close()
    if not settings.milvus_is_lite:
        return
    from milvus_lite.server_manager import server_manager_instance

    path = _lite_path(settings)
    with _lite_lock:
        _lite_users[path] -= 1
        if _lite_users[path] <= 0:
            del _lite_users[path]
            server_manager_instance.release_server(path)


def _connect_lite(settings: Settings) -> tuple[MilvusClient, BackEnd]:
    path = _lite_path(settings)
    with _lite_lock, _watch_lite_start() as failures:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            client = MilvusClient(uri=path)
        except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
            raise _lite_failure(path, failures[0] if failures else error) from None
        _lite_users[path] += 1
    return client, BackEnd(lite=True, version=parse_version(client.get_server_version()))


def _connect_server(settings: Settings) -> tuple[MilvusClient, BackEnd]:
    url = settings.milvus
    with milvus_errors("connect", url):
        client = MilvusClient(uri=url, token=settings.milvus_token or "", timeout=_CONNECT_SECONDS)
        return client, BackEnd(lite=False, version=parse_version(client.get_server_version()))


def _lite_path(settings: Settings) -> str:
    if not settings.milvus.endswith(".db"):
        raise SettingsError(
            f"IMAGERAG_MILVUS_URI={settings.milvus!r} is neither a path ending in .db nor a URL",
            fix="Use e.g. .imagerag/milvus.db or http://127.0.0.1:19530",
        )
    return str(Path(settings.milvus).expanduser().absolute())


def _lite_failure(path: str, error: BaseException) -> StoreError:
    if type(error).__name__ == "DataDirLockedError":
        return StoreError(
            f"The Milvus Lite file {path} is open in another process",
            fix="Wait for it, or share one Milvus: run `imagerag dev` and set IMAGERAG_MILVUS_URI to its URL",
        )
    return StoreError(
        f"The Milvus Lite file {path} cannot be opened: {error}",
        fix="If it is damaged or of an older version, move it away and run: imagerag ingest (shards are kept)",
    )


@contextmanager
def _watch_lite_start() -> Iterator[list[BaseException]]:
    """Collect what Lite logs instead of raising while its embedded server starts."""
    failures: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            failures.append(record.exc_info[1])
        return False

    logger = logging.getLogger("milvus_lite.server_manager")
    logger.addFilter(keep)
    try:
        yield failures
    finally:
        logger.removeFilter(keep)


@contextmanager
def milvus_errors(verb: str, what: str) -> Iterator[None]:
    """Turn the client's errors into a StoreError that says what was tried on what."""
    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        message = getattr(error, "message", None) or str(error)
        if _unreachable(error, message):
            raise StoreError(
                f"Milvus cannot be reached ({verb} {what})",
                fix="Start it (imagerag dev) or correct IMAGERAG_MILVUS_URI and IMAGERAG_MILVUS_TOKEN",
                transient=True,
            ) from error
        raise StoreError(f"Milvus could not {verb} {what}: {message}"[:500]) from error


def _unreachable(error: Exception, message: str) -> bool:
    code = error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
    return code == grpc.StatusCode.UNAVAILABLE or any(
        sign in message for sign in ("Fail connecting", "UNAVAILABLE", "failed to connect", "Connection refused")
    )
