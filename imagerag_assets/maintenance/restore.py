"""Read a backup back into an installation: all of it is checked first, so that a damaged one changes nothing.

While files are put in place, ``HOME/restoring.json`` names the backup.  A killed restore is finished by the same one.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagerag_assets.errors import InputError, LockedError, StoreError
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.maintenance.backup import (
    BENCHMARK,
    DAGSTER,
    FORM,
    HOME,
    MANIFEST,
    OBJECTS,
    copy_object,
    digest_of,
    home_files,
)
from imagerag_assets.maintenance.looks import SET_ASIDE, Progress
from imagerag_assets.objects.aside import ASIDE, replace_text, reporting_full_disk, temporary_folder, written_aside
from imagerag_assets.objects.owners import list_owners
from imagerag_assets.objects.store import ObjectStore, open_store, validate_key
from imagerag_assets.settings import Settings

_MARK = "restoring.json"
_OF_NO_ONE = frozenset({"owners", "cache", "models", "huggingface", _MARK})
"""What may be in a home that counts as empty: it is made without a person."""
NEXT = "imagerag doctor --deep --repair"


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)
    path: str
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)
    imagerag_backup: int
    made: str
    files: tuple[_File, ...]


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    backup: str
    made: str
    """When the backup was made, ISO 8601, UTC."""
    files: int
    bytes: int
    aside: str | None
    """Folder with what was there before; None: there was nothing."""
    next: str = NEXT
    """The command that makes again what a backup leaves out."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``imagerag restore``."""
        return asdict(self)


def restore(settings: Settings, source: str, *, replace: bool = False, progress: Progress | None = None) -> Restored:
    """Put the files of a backup in their places.

    Args:
        settings: The installation to restore to.
        source: The folder or ``s3://`` prefix of a backup.
        replace: Restore to an installation that holds something: what the backup replaces is moved aside, and what it
            does not have stays.
        progress: Called with the number of files done, the number of all, and what is being done.

    Raises:
        InputError: there is no backup, or the installation holds something and `replace` is false.
        LockedError: a process is at work in the installation.
        StoreError: the backup is damaged, and nothing was changed; or a file cannot be written.
    """
    backup = ObjectStore(source, settings)
    manifest = _manifest(backup, source)
    homes = {BENCHMARK: settings.home.expanduser() / BENCHMARK} | home_files(settings)
    unknown = [file.path for file in manifest.files if file.path.startswith(f"{HOME}/") and file.path[5:] not in homes]
    if unknown:
        raise StoreError(
            f"The backup {source} is damaged: {unknown[0]} is no file of a backup", fix="Take another backup"
        )
    home = settings.home.expanduser().absolute()
    _require_idle(settings)
    if not replace and not _begun(home, source, manifest) and _holds_something(settings):
        raise InputError(
            f"The installation in {home} is not empty",
            fix="Set IMAGERAG_HOME and IMAGERAG_STORE to a new one, or give --replace: what it replaces is moved aside",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        with temporary_folder("restore", home) as folder:
            staged = Path(folder)
            for number, file in enumerate(manifest.files):
                if progress is not None:
                    progress(number, len(manifest.files), f"checking {file.path}")
                _fetch(backup, file, staged / file.path)
            replace_text(home / _MARK, json.dumps(_mark(source, manifest)), sync=True)
            aside = _put_all(settings, manifest, homes, staged, progress)
        (home / _MARK).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The backup cannot be restored to {home}: {error}", fix="Correct its permissions") from None
    total = sum(file.bytes for file in manifest.files)
    return Restored(backup.url(), manifest.made, len(manifest.files), total, aside)


def refuse_unfinished(settings: Settings) -> None:
    """Refuse to work in an installation of which a killed restore has put a part in place only.

    Raises:
        LockedError: it is one.
    """
    for each in restore_differences(settings):
        raise LockedError(each.detail, fix=each.fix)


def restore_differences(settings: Settings) -> Iterator[Difference]:
    """Yield a restore that was killed."""
    mark = settings.home.expanduser() / _MARK
    with suppress(OSError, ValueError, KeyError, TypeError):
        source = str(json.loads(mark.read_text(encoding="utf-8"))["backup"])
        detail = f"The restore of {source} was not finished"
        yield Difference("restore", str(mark), detail, f"Run it again: imagerag restore {source}")


def _manifest(backup: ObjectStore, source: str) -> _Manifest:
    try:
        there = backup.exists(MANIFEST)
    except StoreError as error:
        raise InputError(f"{source!r} cannot be read: {error.message}", fix="Give the folder of a backup") from None
    if not there:
        raise InputError(f"{source!r} is no backup: it has no {MANIFEST}", fix="Give what `imagerag backup` wrote")
    try:
        manifest = _Manifest.model_validate(backup.read_json(MANIFEST))
        for file in manifest.files:
            if validate_key(file.path).split("/")[0] not in (OBJECTS, HOME, DAGSTER):
                raise ValueError(f"unknown path {file.path!r}")
    except (ValidationError, ValueError, StoreError) as error:
        said = " ".join(str(error).split())[:200]
        raise StoreError(f"The backup {source} is damaged: {MANIFEST}: {said}", fix="Take another backup") from None
    if manifest.imagerag_backup != FORM:
        raise InputError(
            f"The backup {source} is of form {manifest.imagerag_backup}, not {FORM}", fix="Update imagerag-assets"
        )
    return manifest


def _fetch(backup: ObjectStore, file: _File, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy_object(backup, file.path, to)
    except StoreError as error:
        if error.transient or backup.exists(file.path):
            raise
        raise _damaged(backup, file, "is missing") from None
    if to.stat().st_size != file.bytes or digest_of(to) != file.sha256:
        raise _damaged(backup, file, "is not what was backed up")


def _damaged(backup: ObjectStore, file: _File, how: str) -> StoreError:
    return StoreError(
        f"The backup {backup.url()} is damaged: {file.path} {how}. Nothing was restored", fix="Take another backup"
    )


def _require_idle(settings: Settings) -> None:
    for owner, state in list_owners(owners_folder(settings)):
        if state == "alive":
            raise LockedError(f"The installation is in use by {owner}", fix="Wait for it, or end it")


def _holds_something(settings: Settings) -> bool:
    home = settings.home.expanduser()
    if home.is_dir() and any(
        each.name not in _OF_NO_ONE and not each.name.startswith(ASIDE) and _filled(each) for each in home.iterdir()
    ):
        return True
    return bool(open_store(settings).list())


def _filled(path: Path) -> bool:
    return path.is_file() or any(each.is_file() for each in path.rglob("*"))


def _mark(source: str, manifest: _Manifest) -> dict[str, str]:
    return {"backup": source, "made": manifest.made}


def _begun(home: Path, source: str, manifest: _Manifest) -> bool:
    try:
        found = json.loads((home / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == _mark(source, manifest))


def _put_all(
    settings: Settings, manifest: _Manifest, homes: Mapping[str, Path], staged: Path, progress: Progress | None
) -> str | None:
    """Put the checked files in place, and what they replace aside; return where that is."""
    store = open_store(settings)
    now, aside = _new_aside(settings, store)
    moved = _dagster_aside(settings, manifest, aside)
    for number, file in enumerate(manifest.files):
        if progress is not None:
            progress(number, len(manifest.files), f"restoring {file.path}")
        kind, _, name = file.path.partition("/")
        source = staged / file.path
        if kind == OBJECTS:
            if store.exists(name) and not _same(store, name, file, staged):
                store.move(name, f"{SET_ASIDE}/{now}/{name}")
                moved = True
            store.put_file(source, name)
            continue
        to = settings.dagster_home.expanduser() / name if kind == DAGSTER else homes[name]
        if to.is_file() and digest_of(to) != file.sha256:
            (aside / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy2(to, aside / kind / name.replace("/", "_"))
            moved = True
        to.parent.mkdir(parents=True, exist_ok=True)
        with reporting_full_disk(to), written_aside(to, sync=True) as path:
            shutil.copyfile(source, path)
    return str(aside if aside.exists() else store.url(f"{SET_ASIDE}/{now}")) if moved else None


def _new_aside(settings: Settings, store: ObjectStore) -> tuple[str, Path]:
    """Return a time, and the folder named by it, by which nothing was moved aside yet: what is there is kept."""
    time = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for number in itertools.count():
        name = f"{time}-{number}" if number else time
        folder = settings.home.expanduser().absolute() / f"before-restore-{name}"
        if not folder.exists() and not store.list(f"{SET_ASIDE}/{name}"):
            return name, folder
    raise AssertionError


def _dagster_aside(settings: Settings, manifest: _Manifest, aside: Path) -> bool:
    """Move Dagster's folder aside if the backup has one: databases of two installations do not mix."""
    home = settings.dagster_home.expanduser()
    if not any(file.path.startswith(f"{DAGSTER}/") for file in manifest.files) or not home.is_dir():
        return False
    if not _filled(home):
        return False
    aside.mkdir(parents=True, exist_ok=True)
    home.rename(aside / DAGSTER)
    return True


def _same(store: ObjectStore, key: str, file: _File, staged: Path) -> bool:
    there = staged / ".there"
    copy_object(store, key, there)
    return digest_of(there) == file.sha256
