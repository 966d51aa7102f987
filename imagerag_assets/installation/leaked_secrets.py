"""Secrets that an earlier version stored: found in objects, files and Dagster's databases, and taken out in place.

Places that a person keeps secrets in stay as they are: the settings file and the file of watched sources.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.databases import secrets_in_database
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.without_secrets import clean_text, clean_value, json_in
from imagerag_assets.objects.addresses import is_remote, local_path
from imagerag_assets.objects.aside import replace_bytes
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import unsigned

KIND = "secret"
_DETAIL = "holds a password, a signature or a key"
_FIX = "takes it out, and leaves the address without it"
_TEXTS = (".json", ".jsonl", ".geojson", ".json.gz", ".txt", ".md", ".html", ".csv", ".toml", ".yaml")
_LOGS = (*_TEXTS, ".log", ".out", ".err", ".vrt", ".xml", ".complete")
_DATABASES = (".db", ".sqlite")
_LARGEST = 256 * 2**20
_FAILURES = "failures/"


def find_secrets(settings: Settings) -> Iterator[Difference]:
    """Yield each object, file and database that holds a signature, a login or a known secret.

    Close other processes before mending: a database that is in use is not changed.

    Raises:
        StoreError: the store cannot be read.
    """
    store = open_store(settings)
    for key in store.list():
        if key.endswith(_TEXTS):
            yield from _in_object(store, key)
    yield from _in_files(settings)


def _in_object(store: ObjectStore, key: str) -> Iterator[Difference]:
    try:
        data = store.read_bytes(key)
    except StoreError:  # deleted meanwhile, or damaged, which others report
        return
    new_key = _named_anew(key, data)
    if new_key != key or clean_bytes(data) != data:
        yield Difference(KIND, clean_text(key), _DETAIL, _FIX, partial(_mend_object, store, key, new_key))


def _mend_object(store: ObjectStore, key: str, new_key: str) -> str:
    store.write_bytes(new_key, clean_bytes(store.read_bytes(key)))  # as it is now: it may have been written since
    if new_key != key:
        store.delete(key)
    return "taken out"


def _named_anew(key: str, data: bytes) -> str:
    """Return the key of an object; one that is named by the digest of a signed address is named by the plain one."""
    if not key.startswith(f"{_FAILURES}@"):
        return key
    try:
        href = json.loads(data)["item_href"]
    except (ValueError, KeyError, TypeError):
        return key
    if not isinstance(href, str) or unsigned(href) == href:
        return key
    return f"{_FAILURES}@{hashlib.sha256(unsigned(href).encode()).hexdigest()[:24]}.json"


def clean_bytes(data: bytes) -> bytes:
    """Return a stored text, JSON or lines of JSON, gzipped or not, without secrets; anything else as it is."""
    if data[:2] == b"\x1f\x8b":
        try:
            plain = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return data
        clean = clean_bytes(plain)
        return data if clean == plain else gzip.compress(clean, compresslevel=1, mtime=0)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    if (value := json_in(text)) is not None:
        clean = clean_value(value)
        return data if clean == value else _dumped(clean)
    lines = text.split("\n")
    cleaned = [clean_text(line) for line in lines]
    return data if cleaned == lines else "\n".join(cleaned).encode("utf-8")


def _dumped(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return text.encode(errors="backslashreplace")


def _in_files(settings: Settings) -> Iterator[Difference]:
    """Look through the files below HOME that are not of the store."""
    home = settings.home.expanduser().absolute()
    kept = {path.expanduser().absolute() for path in (settings.storage_file, settings.watched_sources_file)}
    left_out = [settings.cache_folder.expanduser().absolute(), settings.mllm_cache_folder.expanduser().absolute()]
    if not is_remote(settings.store_url):
        left_out.append(Path(local_path(settings.store_url)))
    if settings.milvus_is_lite:
        left_out.append(Path(settings.milvus).expanduser().absolute())
    for path in sorted(home.rglob("*")):
        if path in kept or any(path.is_relative_to(folder) for folder in left_out) or not path.is_file():
            continue
        if path.suffix in _DATABASES:
            yield from secrets_in_database(path, str(path.relative_to(home)))
        elif (path.name.endswith(_LOGS) or not path.suffix) and path.stat().st_size <= _LARGEST:
            data = path.read_bytes()
            if clean_bytes(data) != data:
                name = clean_text(str(path.relative_to(home)))
                yield Difference(KIND, name, _DETAIL, _FIX, _mending(path))


def _mending(path: Path) -> Callable[[], str]:
    def mend() -> str:
        try:
            replace_bytes(path, clean_bytes(path.read_bytes()))
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}", fix="Correct its permissions") from None
        return "taken out"

    return mend
