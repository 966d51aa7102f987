"""Back up what cannot be made again: answers, standing questions, records, settings and Dagster's history.

A backup is a folder or a bucket prefix with copies of files under the paths ``objects/{key}``, ``home/{name}`` and
``dagster/{path}``, and ``manifest.json``, written last, with the size and sha256 of each.  A local one appears only
when it is complete.  Left out are what can be made again (embeddings, unless asked for; patch tables; rows in Milvus;
models; imagery) and secrets: `.env`, and the keys in the settings file.  `restore` reads a backup back.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from imagerag_assets.errors import InputError, StoreError
from imagerag_assets.maintenance.looks import SET_ASIDE, Progress
from imagerag_assets.objects.addresses import is_http, is_remote
from imagerag_assets.objects.aside import ASIDE, folder_aside, reporting_full_disk, temporary_folder
from imagerag_assets.objects.locks import LOCKS
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.online_layers.items import FOLDER as LAYERS
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shards import PREFIX as SHARDS

MANIFEST, FORM = "manifest.json", 1
OBJECTS, HOME, DAGSTER = "objects", "home", "dagster"
"""Folders of a backup."""
LEFT_OUT = (
    ".env and the variables of the environment",
    "keys, secrets and tokens in the settings file",
    "models",
    "imagery, that of online layers included",
    "patch tables and rows in Milvus",
)
_REBUILT = ("patches", LOCKS, LAYERS, SET_ASIDE)  # folders of the object store
_SECRETS = ("key", "secret", "token")  # of a table of storage
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Copied:
    """One file of a backup."""

    path: str
    """In the backup."""
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A backup that was made."""

    backup: str
    """Its address."""
    made: str
    """ISO 8601, UTC."""
    files: int
    bytes: int
    with_shards: bool
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``imagerag backup``."""
        return asdict(self) | {"left_out": list(self.left_out), "notes": list(self.notes)}


def back_up(settings: Settings, target: str, *, with_shards: bool = False, progress: Progress | None = None) -> Backup:
    """Write a backup.

    Args:
        settings: The installation.
        target: A folder that does not exist or is empty, or such an ``s3://`` prefix.
        with_shards: Copy the embeddings, too: they can be made again, but may take hours.
        progress: Called with the number of files done, the number of all, and what is being done.

    Raises:
        InputError: `target` holds something, or cannot be written to.
        StoreError: the installation cannot be read, or the backup cannot be written.
    """
    if not target.strip() or is_http(target):
        raise InputError(f"{target!r} cannot be written to", fix="Give a folder or s3://bucket/prefix")
    if is_remote(target):
        made = ObjectStore(target, settings)
        if made.list():
            raise _not_empty(target)
        return _written(settings, made, target, with_shards, progress)
    folder = Path(target).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise _not_empty(target)
    for own in (settings.home, Path(settings.store_url) if not is_remote(settings.store_url) else settings.home):
        if own.expanduser().absolute() in [folder, *folder.parents]:
            raise InputError(f"{target!r} is inside of what is backed up", fix="Give a folder elsewhere")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_aside(folder) as aside:
            return _written(settings, ObjectStore(str(aside), settings), str(folder), with_shards, progress)
    except OSError as error:
        raise StoreError(f"The backup {folder} cannot be written: {error}", fix="Give another folder") from None


def _not_empty(target: str) -> InputError:
    return InputError(f"{target!r} is not empty", fix="Give a new folder or prefix for each backup")


BENCHMARK = "benchmark.jsonl"


def home_files(settings: Settings) -> dict[str, Path]:
    """Return the files of settings that a backup has, by their names in it."""
    files = {
        "sources.toml": settings.watched_sources_file,
        "settings.toml": settings.storage_file,
        "encoders.toml": settings.registry_file,
        "encoder.txt": settings.active_encoder_file,
    }
    if settings.benchmark is not None:
        files[BENCHMARK] = settings.benchmark
    return {name: path.expanduser() for name, path in files.items()}


def _written(
    settings: Settings, target: ObjectStore, where: str, with_shards: bool, progress: Progress | None
) -> Backup:
    notes: list[str] = []
    copied: list[Copied] = []
    with temporary_folder("backup") as folder:
        sources = list(_sources(settings, with_shards, Path(folder), notes))
        for number, (path, copy) in enumerate(sources):
            if progress is not None:
                progress(number, len(sources), f"copying {path}")
            scratch = Path(folder) / "copy"
            with reporting_full_disk(scratch):
                if copy(scratch):
                    target.put_file(scratch, path)
                    copied.append(Copied(path, scratch.stat().st_size, digest_of(scratch)))
    made = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {
        "imagerag_backup": FORM,
        "made": made,
        "version": version("imagerag-assets"),
        "with_shards": with_shards,
        "left_out": list(LEFT_OUT),
        "files": [asdict(each) for each in copied],
    }
    target.write_json(MANIFEST, manifest)
    total = sum(each.bytes for each in copied)
    return Backup(where, made, len(copied), total, with_shards, LEFT_OUT, tuple(notes))


Copy = Callable[[Path], bool]
"""Writes a file; returns False if there is nothing to copy any more."""


def _sources(settings: Settings, with_shards: bool, folder: Path, notes: list[str]) -> Iterator[tuple[str, Copy]]:
    """Yield the path of each file of a backup, and how it is copied."""
    for name, path in home_files(settings).items():
        if path.is_file():
            data = _without_secrets(path, notes) if name == "settings.toml" else path.read_bytes()
            yield f"{HOME}/{name}", partial(_put, data)
    home = settings.dagster_home.expanduser()
    if not list(home.glob("history/**/*.db")):
        notes.append("Dagster's history is not in its folder: back up its database on its own")
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if not path.is_file() or path.name.startswith(ASIDE) or name.split("/")[0] in ("storage", "logs"):
            continue
        if path.suffix == ".db":
            yield f"{DAGSTER}/{name}", partial(_copy_database, path)
        elif path.suffix in (".yaml", ".json"):
            yield f"{DAGSTER}/{name}", partial(_put, path.read_bytes())
    store = open_store(settings)
    out = {*_REBUILT, *(() if with_shards else (SHARDS,))}
    for key in store.list():
        if key.split("/")[0] not in out:
            yield f"{OBJECTS}/{key}", partial(_copy_object, store, key)


def _put(data: bytes, to: Path) -> bool:
    to.write_bytes(data)
    return True


def _copy_object(store: ObjectStore, key: str, to: Path) -> bool:
    try:
        copy_object(store, key, to)
    except StoreError:
        if store.exists(key):
            raise
        return False  # deleted meanwhile
    return True


def copy_object(store: ObjectStore, key: str, to: Path) -> None:
    """Copy an object to a local file.

    Raises:
        StoreError: there is no such object, it cannot be read, or the disk is full.
    """
    with store.open(key) as source, reporting_full_disk(to), to.open("wb") as file:
        while data := source.read(_CHUNK):
            file.write(data)


def _copy_database(path: Path, to: Path) -> bool:
    """Copy an SQLite database as of one moment, also while others write to it."""
    to.unlink(missing_ok=True)
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        if not path.exists():
            return False
        raise StoreError(f"Dagster's database cannot be read: {error}", fix="Run: imagerag doctor", path=path) from None
    return True


def _without_secrets(path: Path, notes: list[str]) -> bytes:
    """Return the settings file without the keys in its tables."""
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise StoreError(f"The settings file is not TOML: {error}", fix="Correct it", path=path) from None
    for name, table in dict(document.get("storage", {})).items():
        named = [each for each in _SECRETS if isinstance(table, dict) and each in table]
        for each in named:
            del table[each]
        if named:
            notes.append(
                f"storage.{name} of the settings file is without its {' and '.join(named)}: keep them elsewhere"
            )
    return tomlkit.dumps(document).encode()


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
