"""The object store: bytes under keys, in a folder or an S3 prefix, never half-written.

Keys, atomic writes and the wording of failures live here.  What the bytes mean does not.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from fsspec.implementations.local import LocalFileSystem

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.addresses import filesystem
from imagerag_assets.objects.failures import FREE_SPACE, explain_failure, is_disk_full, is_transient
from imagerag_assets.settings import Settings

_ASIDE = ".aside-"


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
    """Objects under one URL.  Safe to call from several threads.

    A reader sees an object whole, as it was or as it became, also when the writer is killed: local files are written
    aside, synced and renamed; S3 shows an object only when its upload is complete.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        """Nothing is contacted or created yet.  `url` is a path or ``s3://bucket/prefix``."""
        self._url, self._settings = url.rstrip("/") or "/", settings
        self._fs, self._root = filesystem(url, settings)
        self._local = isinstance(self._fs, LocalFileSystem)

    def url(self, key: str = "") -> str:
        """The address of an object, or of the store itself."""
        base = self._root if self._local else self._url
        return f"{base}/{validate_key(key)}" if key else base

    def read_bytes(self, key: str) -> bytes:
        """Raises StoreError when there is no such object or it cannot be read."""
        with self._failures("read", key):
            return cast(bytes, self._fs.cat_file(self._path(key)))

    def write_bytes(self, key: str, data: bytes) -> None:
        """Replace the object as a whole.  Raises StoreError when it cannot be written."""
        with self._failures("write", key):
            if self._local:
                with self._aside(key) as file:
                    file.write(data)
            else:
                self._fs.pipe_file(self._path(key), data)

    def create_json(self, key: str, value: Any) -> bool:
        """Write `value` as JSON where there is no object yet; returns whether it was written.

        Of several writers one wins: in a folder always, on S3 where the server knows conditional writes.
        """
        data = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()
        with self._failures("write", key):
            if self._local:
                try:
                    with self._aside(key, replace=False) as file:
                        file.write(data)
                except FileExistsError:
                    return False
                return True
            if self._fs.isfile(self._path(key)):  # not every server looks at the condition
                return False
            try:
                self._fs.pipe_file(self._path(key), data, mode="create")
            except OSError as error:
                if error.errno == errno.EINVAL:  # s3fs's word for a condition that was not met
                    return False
                raise
            return True

    def put_file(self, path: Path, key: str) -> None:
        """Copy a local file to `key`, replacing it as a whole.  Raises StoreError when that fails."""
        with self._failures("write", key):
            if self._local:
                with self._aside(key) as file, path.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            else:
                self._fs.put_file(str(path), self._path(key))

    def read_json(self, key: str) -> Any:
        """Raises StoreError when there is no such object or it is not JSON."""
        try:
            return json.loads(self.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"Not valid JSON: {error}", fix="Delete it and run the step again", object=self.url(key)
            ) from None

    def write_json(self, key: str, value: Any) -> None:
        """Write `value` as readable, key-sorted JSON."""
        self.write_bytes(key, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode())

    def exists(self, key: str) -> bool:
        """Whether there is an object (not only a folder) at `key`."""
        with self._failures("read", key):
            return bool(self._fs.isfile(self._path(key)))

    def list(self, prefix: str = "") -> list[str]:
        """Keys under a folder-like prefix, at any depth, sorted.  A prefix that does not exist has none."""
        path = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._failures("list", prefix):
            try:
                found = self._fs.find(path)
            except FileNotFoundError:
                return []
        return sorted(key for key in map(self._key, found) if not key.rsplit("/", 1)[-1].startswith(_ASIDE))

    def modified(self, prefix: str) -> dict[str, datetime]:
        """When each object under a prefix was written last, UTC, by key; one listing, nothing is opened."""
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
        """Delete an object; one that is not there is no error."""
        with self._failures("delete", key):
            try:
                self._fs.rm_file(self._path(key))
            except FileNotFoundError:
                return

    def version(self, key: str) -> str:
        """A value that changes when the object does: S3's ETag, or size and time of a local file."""
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

    @contextmanager
    def _aside(self, key: str, *, replace: bool = True) -> Iterator[BinaryIO]:
        """A local file that becomes the object when the context ends; raises FileExistsError unless it may replace."""
        target = Path(self._path(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_ASIDE, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~_umask())  # mkstemp's files are for their owner only
            if replace:
                Path(name).replace(target)
            else:
                os.link(name, target)
                Path(name).unlink()
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _failures(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # fsspec's, botocore's, aiohttp's and the operating system's
            if not _is_io(error):
                raise
            if is_disk_full(error):  # of the store, or of the folder that an object is copied to
                done = "copied" if verb == "read" else "written"
                raise StoreError(
                    f"The disk is full: an object cannot be {done}", fix=FREE_SPACE, object=self.url(key)
                ) from error
            what, fix = explain_failure(error, self._url, self._settings)
            again = is_transient(error, self._url)
            raise StoreError(
                f"Cannot {verb} an object: {what}", fix=fix, transient=again, object=self.url(key)
            ) from error


def _is_io(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in {"botocore", "aiohttp", "s3fs"}


def _umask() -> int:
    """The process's umask, which can only be read by setting it; Linux tells without."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("Umask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        return 0o022


def open_store(settings: Settings) -> ObjectStore:
    """The store of these settings."""
    return ObjectStore(settings.store_url, settings)


_READS = 16  # objects read at once: they are small and may be far away
T = TypeVar("T")


class HasStore(Protocol):
    """Anything with an object store; a `Platform` is one."""

    @property
    def store(self) -> ObjectStore: ...


def read_all(read: Callable[[str], T], keys: list[str]) -> list[T]:
    """`read` of every key, in order, several at once."""
    with ThreadPoolExecutor(_READS) as pool:
        return list(pool.map(read, keys))
