"""The object store: bytes under keys, in a folder or an S3 prefix, never half-written.

Keys, atomic writes and the wording of failures belong here.  What the bytes mean does not.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from fsspec.implementations.local import LocalFileSystem

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.addresses import filesystem
from imagerag_assets.objects.aside import ASIDE, written_aside
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.settings import Settings


def validate_key(key: str) -> str:
    """Return `key` if it is a relative path without empty, ``.`` or ``..`` parts and without control characters.

    Raises:
        StoreError: it is not.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in key or not key.isprintable():
        raise StoreError(f"{key!r} is not a valid object key", fix="Use relative names joined by single slashes")
    return key


class ObjectStore:
    """Objects under one URL.  Several threads may use it at once.

    A reader sees the whole object as it was before a write or after it, even if the writer is killed: local files are
    written aside, synced and renamed; S3 shows an object only when its upload is complete.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        """Nothing is contacted or created yet.  `url` is a path or ``s3://bucket/prefix``."""
        self._url, self._settings = url.rstrip("/") or "/", settings
        self._fs, self._root = filesystem(url, settings)
        self._local = isinstance(self._fs, LocalFileSystem)

    def url(self, key: str = "") -> str:
        """Return the address of an object, or of the store itself."""
        base = self._root if self._local else self._url
        return f"{base}/{validate_key(key)}" if key else base

    def read_bytes(self, key: str) -> bytes:
        """Return an object's bytes.  Raises StoreError if there is no such object or it cannot be read."""
        with self._failures("read", key):
            return cast(bytes, self._fs.cat_file(self._path(key)))

    def write_bytes(self, key: str, data: bytes) -> None:
        """Replace the object as a whole.  Raises StoreError if it cannot be written."""
        with self._failures("write", key):
            if self._local:
                with written_aside(self._target(key), sync=True) as path:
                    path.write_bytes(data)
            else:
                self._fs.pipe_file(self._path(key), data)

    def create_json(self, key: str, value: Any) -> bool:
        """Write `value` as JSON if there is no object yet; return whether it was written.

        Of several writers one wins: always in a folder, and on S3 if the server supports conditional writes.
        """
        data = _json_bytes(value)
        with self._failures("write", key):
            if self._local:
                try:
                    with written_aside(self._target(key), sync=True, replace=False) as path:
                        path.write_bytes(data)
                except FileExistsError:
                    return False
                return True
            if self._fs.isfile(self._path(key)):  # not every server checks the condition
                return False
            try:
                self._fs.pipe_file(self._path(key), data, mode="create")
            except OSError as error:
                if error.errno == errno.EINVAL:  # s3fs's word for a condition that was not met
                    return False
                raise
            return True

    def put_file(self, path: Path, key: str) -> None:
        """Copy a local file to `key`, replacing the object as a whole.  Raises StoreError if that fails."""
        with self._failures("write", key):
            if self._local:
                with written_aside(self._target(key), sync=True) as aside:
                    shutil.copyfile(path, aside)
            else:
                self._fs.put_file(str(path), self._path(key))

    def get_file(self, key: str, path: Path) -> None:
        """Copy an object to a local file.  Raises StoreError if there is no such object, or it cannot be copied."""
        with self._failures("read", key), self._fs.open(self._path(key), "rb") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)

    def read_json(self, key: str) -> Any:
        """Return an object's JSON.  Raises StoreError if there is no such object or it is not JSON."""
        try:
            return json.loads(self.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"Not valid JSON: {error}", fix="Delete it and run the step again", object=self.url(key)
            ) from None

    def write_json(self, key: str, value: Any) -> None:
        """Write `value` as readable, key-sorted JSON."""
        self.write_bytes(key, _json_bytes(value))

    def exists(self, key: str) -> bool:
        """Return whether there is an object (not only a folder) at `key`."""
        with self._failures("read", key):
            return bool(self._fs.isfile(self._path(key)))

    def list(self, prefix: str = "") -> list[str]:
        """Return the keys under a folder-like prefix, at any depth, sorted; none if the prefix does not exist."""
        path = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._failures("list", prefix):
            try:
                found = self._fs.find(path)
            except FileNotFoundError:
                return []
        return sorted(key for key in map(self._key, found) if not key.rsplit("/", 1)[-1].startswith(ASIDE))

    def modified(self, prefix: str) -> dict[str, datetime]:
        """Return by key when each object under a prefix was last written, in UTC.  This takes one listing."""
        with self._failures("list", prefix):
            try:
                found = self._fs.find(self._path(prefix.rstrip("/")), detail=True)
            except FileNotFoundError:
                return {}
        times = {self._key(name): about.get("LastModified", about.get("mtime")) for name, about in found.items()}
        return {
            key: time.astimezone(UTC) if isinstance(time, datetime) else datetime.fromtimestamp(float(time), UTC)
            for key, time in times.items()
            if time is not None
        }

    def delete(self, key: str) -> None:
        """Delete an object if there is one."""
        with self._failures("delete", key):
            try:
                self._fs.rm_file(self._path(key))
            except FileNotFoundError:
                return

    def move(self, key: str, to: str) -> None:
        """Give an object another key, replacing what is there.  Raises StoreError if that fails; it is still there."""
        with self._failures("move", key):
            if self._local:
                os.replace(self._path(key), self._target(to))
            else:
                self._fs.copy(self._path(key), self._path(to))
                self._fs.rm_file(self._path(key))

    def version(self, key: str) -> str:
        """Return a value that changes when the object does: S3's ETag, or size and time of a local file."""
        with self._failures("read", key):
            info = self._fs.info(self._path(key))
            return str(info.get("ETag", "")).strip('"') or f"{info['size']}-{info.get('mtime', 0)}"

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for reading in place, with range requests where it is remote.  Raises StoreError."""
        with self._failures("read", key), self._fs.open(self._path(key), "rb") as file:
            yield file

    def _key(self, path: str) -> str:
        return path[len(self._root.rstrip("/")) + 1 :]

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{validate_key(key)}"

    def _target(self, key: str) -> Path:
        """Return the local file of a key, after making its folder."""
        target = Path(self._path(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    @contextmanager
    def _failures(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # fsspec's, botocore's, aiohttp's and the operating system's
            if not _is_io(error):
                raise
            what, fix = explain_failure(error, self._url, self._settings)
            if self._local and verb != "read" and isinstance(error, PermissionError):
                fix = "Make its folder writable for this user"
            again = is_transient(error, self._url)
            raise StoreError(
                f"Cannot {verb} an object: {what}", fix=fix, transient=again, object=self.url(key)
            ) from error


def _json_bytes(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    # Half a character, which JSON may hold and UTF-8 cannot, becomes its code.
    return text.encode(errors="backslashreplace")


def _is_io(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in {"botocore", "aiohttp", "s3fs"}


def open_store(settings: Settings) -> ObjectStore:
    """Return the object store of these settings."""
    return ObjectStore(settings.store_url, settings)


_READS = 16  # objects read at once: they are small and may be far away
T = TypeVar("T")


class HasStore(Protocol):
    """Anything with an object store; a `Platform` is one."""

    @property
    def store(self) -> ObjectStore: ...


def read_all(read: Callable[[str], T], keys: list[str]) -> list[T]:
    """Return `read(key)` of every key, in order, reading several at once."""
    with ThreadPoolExecutor(_READS) as pool:
        return list(pool.map(read, keys))
