"""What a worker of a dask.distributed cluster does: make one part of a scene, with its own disk, imagery and model.

A task carries an `Errand`, a few short texts, and the number of a super-tile.  What the tasks of a scene have in common
is described in the object store, where the parts go, too; so a worker that sees another store says so.  Each worker
opens the scene and loads the encoder once.  How it computes and how it reaches imagery (device, precision, limits,
credentials), its own settings say.  Handing out tasks belongs to `workers`.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import ImageRAGError, SettingsError, StoreError, disk_error
from imagerag_assets.ingestion.embedding import EmbedJob, PartCount, embed_tile, encoder_of, existing_part
from imagerag_assets.objects.aside import remove_left, temporary_folder
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.patches.supertiles import supertile_at
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.scenes.replaced import refuse_replaced
from imagerag_assets.settings import Settings, load_settings

OVERVIEWS = "overviews"
"""Folder below a job's parts of overviews that its file lacks, built once for all workers."""
_SETTLED = ("min_valid_fraction", "stretch_percentiles", "collars", "supertile_px")
"""Settings of the job that a worker takes over: they decide rows."""
_KEPT_OPEN = 2  # scenes


@dataclass(frozen=True)
class Errand:
    """What every task of a scene carries; it holds no secret."""

    job: str
    """Object key of the job's description."""
    digest: str
    """Of the description."""
    store: str
    """Address of the object store, for workers whose settings name none."""
    s3_endpoint_url: str | None
    s3_anonymous: bool
    encoders_file: str | None
    """Path of the file of further encoders, likewise, if a worker sees it there."""


def describe_job(job: EmbedJob, store: ObjectStore) -> Errand:
    """Write what the tasks of a scene have in common into the object store; return what they carry.

    Raises:
        StoreError: the store does not take it.
    """
    assert job.stored is not None
    settings = job.settings
    described = {
        "record": job.record.to_dict(),
        "recipe": Recipe.of(settings).to_dict(),
        "settings": {name: getattr(settings, name) for name in _SETTLED},
        "division": job.division.key,
        "encoder": job.encoder,
        "fingerprint": job.fingerprint,
        "chosen": None if job.chosen is None else [[index, list(rows)] for index, rows in job.chosen.items()],
        "plan": job.plan,
    }
    data = json.dumps(described, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    key = f"{job.stored}/job-{digest[:16]}.json"
    store.write_bytes(key, data)
    registry = settings.registry_file.absolute()
    return Errand(
        key,
        digest,
        store=store.url(),
        s3_endpoint_url=settings.s3_endpoint_url,
        s3_anonymous=settings.s3_anonymous,
        encoders_file=str(registry) if registry.is_file() else None,
    )


def make_part(errand: Errand, index: int) -> PartCount:
    """Make one part of a scene unless it is there.  Called by dask, in a process of a worker.

    Raises:
        ImageRAGError: as `embedding.embed_tile`; or the worker cannot read the store, imagery or encoder.
    """
    try:
        with _jobs.using(errand) as opened:
            if (count := existing_part(opened.job, index)) is not None:
                return count
            grid = opened.job.record.grid
            tile = supertile_at(opened.job.division, grid.width, grid.height, index, opened.job.settings.supertile_px)
            return embed_tile(opened.job, tile, opened.reader, opened.encoder)
    except ImageRAGError as error:
        raise _from_here(error) from None
    except OSError as error:
        known = disk_error(error)
        if known is None:
            raise
        raise _from_here(known) from None


def close_job(errand: Errand) -> None:
    """Close what this process has open for a scene, which is done."""
    _jobs.close(errand)


def _from_here(error: ImageRAGError) -> ImageRAGError:
    """Return an error with the address of this worker."""
    import distributed  # it is running

    untyped: Any = distributed
    with suppress(ValueError):  # called outside of one
        error.ids["worker"] = str(untyped.get_worker().address)
    return error


class _Opened:
    """A scene as one process has it open: what was described, its imagery, and the encoder."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._lock = Lock()
        self._stack: ExitStack | None = None
        self.users = 0
        self.job: EmbedJob
        self.reader: SceneReader
        self.encoder: Encoder

    def open(self) -> None:
        """Open it if it is not."""
        with self._lock:
            if self._stack is None:
                with ExitStack() as stack:
                    settings = _settings_here(self._errand)
                    store = open_store(settings)
                    self.job = _read_job(self._errand, settings, store)
                    refuse_replaced(self.job.record.scene.file_versions, self.job.settings)
                    self.encoder = encoder_of(self.job)
                    folder = stack.enter_context(_overviews_here(self.job, store))
                    self.reader = stack.enter_context(open_reader(self.job.settings, self.job.record, scratch=folder))
                    self._stack = stack.pop_all()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            if self._stack is not None:
                self._stack.close()
                self._stack = None


class _Jobs:
    """The scenes that this process has open, the latest last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened: OrderedDict[Errand, _Opened] = OrderedDict()

    @contextmanager
    def using(self, errand: Errand) -> Iterator[_Opened]:
        with self._lock:
            opened = self._opened.setdefault(errand, _Opened(errand))
            self._opened.move_to_end(errand)
            opened.users += 1
        try:
            opened.open()
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                idle = [each for each, job in self._opened.items() if not job.users]
                over = [self._opened.pop(each) for each in idle[: max(0, len(self._opened) - _KEPT_OPEN)]]
            for job in over:
                job.close()

    def close(self, errand: Errand) -> None:
        with self._lock:
            found = self._opened.get(errand)
            if found is None or found.users:
                return
            del self._opened[errand]
        found.close()


_jobs = _Jobs()


def _settings_here(errand: Errand) -> Settings:
    """Return the settings of this machine; where they do not say how the store is reached, the errand does."""
    own = load_settings()
    said = own.model_fields_set
    offered: dict[str, Any] = {"store": errand.store}
    if errand.s3_endpoint_url is not None:
        offered["s3_endpoint_url"] = errand.s3_endpoint_url
    if errand.s3_anonymous:
        offered["s3_anonymous"] = True
    if errand.encoders_file is not None and not own.registry_file.is_file() and Path(errand.encoders_file).is_file():
        offered["encoders_file"] = Path(errand.encoders_file)
    return own.model_copy(update={name: value for name, value in offered.items() if name not in said})


def _read_job(errand: Errand, settings: Settings, store: ObjectStore) -> EmbedJob:
    """Return the job that is described in the store.

    Raises:
        StoreError: this machine does not see the store of whoever hands out the work.
        SettingsError: this machine runs another version of the code.
    """
    try:
        data = store.read_bytes(errand.job)
    except StoreError as error:
        if error.transient:
            raise
        raise StoreError(
            f"The worker does not see the object store that the work is for ({error.message})",
            fix="Set IMAGERAG_STORE to an s3:// address that every worker reaches, and give the workers its AWS_* keys",
            object=store.url(errand.job),
        ) from None
    try:
        found = json.loads(data)
        recipe = Recipe.from_dict(found["recipe"])
        decided = recipe.settings | {name: found["settings"][name] for name in _SETTLED}
        decided["stretch_percentiles"] = tuple(decided["stretch_percentiles"])
        record = SceneRecord.from_dict(found["record"])
        job = EmbedJob(
            settings=settings.model_copy(update=decided),
            record=record,
            division=recipe.division_for(record.grid),
            encoder=found["encoder"],
            fingerprint=found["fingerprint"],
            folder=settings.home / "scratch" / "worker",
            stored=errand.job.rpartition("/")[0],
            chosen=None if found["chosen"] is None else {index: tuple(rows) for index, rows in found["chosen"]},
        )
        same = (job.plan, job.division.key) == (found["plan"], found["division"])
    except (KeyError, TypeError, ValueError):
        same = False
    if not same or hashlib.sha256(data).hexdigest() != errand.digest:
        raise SettingsError(
            "The worker would make other patches than it is asked for: its version is another one",
            fix="Install the same version of imagerag-assets on all workers",
        )
    return job


@contextmanager
def _overviews_here(job: EmbedJob, store: ObjectStore) -> Iterator[Path]:
    """Give a folder of this machine for a scene's overviews, with those that were built for all workers in it."""
    assert job.stored is not None
    job.folder.mkdir(parents=True, exist_ok=True)
    remove_left(job.folder)
    with temporary_folder(OVERVIEWS, job.folder) as folder:
        prefix = f"{job.stored}/{OVERVIEWS}/"
        for key in store.list(prefix.rstrip("/")):
            target = folder / key.removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(key, target)
        yield folder


def share_overviews(job: EmbedJob, store: ObjectStore, folder: Path) -> None:
    """Put overviews that were built here into the store, so that no worker has to read the whole file for them.

    Args:
        job: The job, whose description workers read.
        store: Where to.
        folder: Where they are, if there are any.

    Raises:
        StoreError: the store does not take them.
    """
    for path in sorted(each for each in folder.rglob("*") if each.is_file()) if folder.is_dir() else ():
        key = f"{job.stored}/{OVERVIEWS}/{path.relative_to(folder).as_posix()}"
        if not store.exists(key):
            store.put_file(path, key)
