"""Embed one scene with dask: super-tiles become parts, which are small files of patches and vectors.

A task reads one super-tile, cuts its patches, encodes them and writes one part; only counts come back.  A part that
exists is not made again, so a run that was killed continues where it stopped.  `embed_scene` puts the parts together.

Tasks run in threads of this process; `workers` hands them to other machines instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import dask
import dask.callbacks
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import EncoderError
from imagerag_assets.ingestion.best_patches import Best, best_patches
from imagerag_assets.ingestion.cutting import encode_patches, valid_fractions
from imagerag_assets.ingestion.parts import LocalParts, Parts, StoredParts
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.gdal import BLOCK_CACHE_BYTES
from imagerag_assets.objects.store import open_store, read_all
from imagerag_assets.patches.supertiles import BLOCK_PX, SuperTile, supertile_count, supertiles
from imagerag_assets.patches.types import Division, patch_id
from imagerag_assets.raster.geo import lonlat_boxes
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import RenderSpec
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shard_columns import patch_table

# Tasks handed to dask at once: enough to keep every worker busy, few enough to be held in memory.
_CHUNK = 64
_PLAN, _BEST = b"plan", b"best"

# dask's functions carry no types.
_dask: Any = dask
_Callback: Any = dask.callbacks.Callback

# One thread encodes while the others read: two encodings at once only share the same cores.
_encoding = Lock()

Progress = Callable[[int, int, str], None]
"""Called with done, total, and what is being done."""


@dataclass(frozen=True)
class EmbedJob:
    """What the tasks of one scene have in common. Picklable."""

    settings: Settings
    record: SceneRecord
    division: Division
    encoder: str
    """Registry name."""
    fingerprint: str
    folder: Path
    """Where the parts go, and the unfinished shard."""
    stored: str | None = None
    """Prefix of object keys where the parts go instead, because other machines make them, or did."""
    chosen: Mapping[int, tuple[int, ...]] | None = None
    """The patches to embed, as positions in each super-tile; None: all that have enough valid pixels."""

    @property
    def tiles(self) -> Iterator[SuperTile]:
        """Super-tiles of the scene, in the order in which they are best read."""
        grid, side = self.record.grid, self.settings.supertile_px
        return supertiles(self.division, grid.width, grid.height, side, strip=strip_of(side, self.record.render))

    @property
    def indices(self) -> Sequence[int]:
        """Numbers of the super-tiles to read, in order."""
        if self.chosen is not None:
            return sorted(self.chosen)
        grid = self.record.grid
        return range(supertile_count(self.division, grid.width, grid.height, self.settings.supertile_px))

    @property
    def tile_count(self) -> int:
        """Number of super-tiles to read."""
        return len(self.indices)

    def kept(self, tile: SuperTile, fractions: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the positions of the patches of a super-tile to embed, by their shares of valid pixels."""
        if self.chosen is not None:
            return np.array(self.chosen[tile.index], np.intp)
        return np.flatnonzero((fractions >= self.settings.min_valid_fraction) & (fractions > 0))

    @cached_property
    def plan(self) -> str:
        """Digest of what decides a part's rows besides scene, version, division and encoder, which are in its path."""
        decides = {
            "grid": self.record.grid.to_dict(),
            "render": {name: value for name, value in self.record.render.to_dict().items() if name != "percentiles"},
            "supertile_px": self.settings.supertile_px,
            "min_valid_fraction": self.settings.min_valid_fraction,
        }
        if web := {href: each for href, each in self.record.scene.file_versions.items() if is_http(href)}:
            decides["files"] = web  # a scene's version is that of all other files, too
        if self.chosen is not None:
            decides["chosen"] = sorted(self.chosen.items())
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    @cached_property
    def parts(self) -> Parts:
        """Where the parts are."""
        return LocalParts(self.folder) if self.stored is None else StoredParts(open_store(self.settings), self.stored)


@dataclass(frozen=True)
class PartCount:
    """What one task did."""

    index: int
    patches: int
    """Rows of the part."""
    dropped: int
    """Patches without enough valid pixels."""
    found: bool
    """Whether the part existed before."""
    best: tuple[Best, ...] = ()
    """Where no patch of the super-tile has enough valid pixels: those with the most."""


Run = Callable[[EmbedJob, Sequence[int], Callable[[PartCount], None]], None]
"""Makes some parts of a job, and calls a function with the counts of each as it is made."""


def embed_parts(job: EmbedJob, progress: Progress | None = None, *, run: Run | None = None) -> list[PartCount]:
    """Make the parts of a scene that do not exist yet.

    Args:
        job: The scene, the division and the encoder.
        progress: Called in this thread after every super-tile.
        run: Makes them; default: threads of this process.

    Returns:
        Counts, by index.

    Raises:
        RasterError: the pixels cannot be read.
        EncoderError: the encoder cannot be loaded, is another one, or gave unusable vectors.
        ImageRAGError: as `run`.
    """
    counts: list[PartCount] = []
    total = job.tile_count

    def done(count: PartCount) -> None:
        counts.append(count)
        if progress is not None:
            progress(len(counts), total, f"embedding {job.record.scene.scene_key}")

    for found in _existing_parts(job):
        done(found)
    made = {count.index for count in counts}
    if todo := [index for index in job.indices if index not in made]:
        (run or run_threads)(job, todo, done)
    return sorted(counts, key=lambda count: count.index)


def _existing_parts(job: EmbedJob) -> Iterator[PartCount]:
    """Yield the counts of the parts that are there."""
    present = sorted(job.parts.present(job.indices))
    found: Iterator[PartCount | None]
    if job.stored is None:
        found = (existing_part(job, index) for index in present)
    else:  # each is a request or two
        found = iter(read_all(lambda key: existing_part(job, int(key)), [str(index) for index in present]))
    yield from (count for count in found if count is not None)


def run_threads(job: EmbedJob, indices: Sequence[int], done: Callable[[PartCount], None]) -> None:
    """Make parts in threads of this process: while one encodes, the others read; see :data:`Run`."""
    encoder = encoder_of(job)
    workers = job.settings.dask_workers
    wanted = set(indices)
    tiles = (tile for tile in job.tiles if tile.index in wanted)

    def finished(_key: str, result: object, *_: object) -> None:
        if isinstance(result, PartCount):
            done(result)

    # A pool of our own: when a task fails, leaving it waits for those that still run; the reader is closed after that.
    with (
        open_reader(job.settings, job.record) as reader,
        ThreadPoolExecutor(workers) as pool,
        _Callback(posttask=finished),
    ):
        for chunk in _chunks(tiles):
            tasks = [_delayed(partial(embed_tile, job, tile, reader, encoder)) for tile in chunk]
            _dask.compute(*tasks, scheduler="threads", pool=pool, num_workers=workers)


def _delayed(task: Callable[[], PartCount]) -> Any:
    # The arguments travel inside the callable, because dask would walk through every patch of a super-tile otherwise.
    return _dask.delayed(task, pure=False, traverse=False)()


def _chunks(tiles: Iterable[SuperTile]) -> Iterator[list[SuperTile]]:
    iterator = iter(tiles)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def encoder_of(job: EmbedJob) -> Encoder:
    """Return the encoder of a job, loaded once in this process.

    Raises:
        EncoderError: it cannot be loaded, or is another one here.
    """
    encoder = load_encoder(job.encoder, job.settings)
    if encoder.fingerprint != job.fingerprint:
        raise EncoderError(
            f"The encoder has changed, or is another one on this machine: stored={encoder.fingerprint[:16]}, "
            f"required={job.fingerprint[:16]}",
            fix="Use the same registry and weights everywhere, then run again",
            encoder=job.encoder,
        )
    return encoder


def embed_tile(job: EmbedJob, tile: SuperTile, reader: SceneReader, encoder: Encoder) -> PartCount:
    """Read one super-tile, encode its patches and write its part.

    Raises:
        RasterError: the pixels cannot be read.
        EncoderError: a vector is not usable.
    """
    picture, valid = reader.read(tile.window, tile.level)
    scene_px = (job.record.grid.width, job.record.grid.height)
    fractions = valid_fractions(valid, tile, scene_px)
    kept = job.kept(tile, fractions)
    best = () if len(kept) else best_patches(valid, tile, fractions)
    del valid
    with _encoding:
        vectors = encode_patches(picture, tile, kept, encoder, scene_px)
    del picture
    table = patch_table(_columns(job, tile, kept, fractions), vectors)
    dropped = len(tile.patches) - len(kept)
    about = {_PLAN: f"{job.plan}:{dropped}".encode(), _BEST: json.dumps(best).encode()}
    job.parts.write(tile.index, table.replace_schema_metadata(about))
    return PartCount(tile.index, len(kept), dropped, found=False, best=best)


def strip_of(supertile_px: int, render: RenderSpec) -> int:
    """Return how many super-tiles side by side GDAL's cache of blocks holds, besides the one that is read."""
    bytes_each = 2 if "16" in render.source_dtype else 1 if render.source_dtype == "uint8" else 4
    return max(1, BLOCK_CACHE_BYTES // (3 * bytes_each * (supertile_px + BLOCK_PX) ** 2) - 1)


def existing_part(job: EmbedJob, index: int) -> PartCount | None:
    """Return the counts of a part that is complete and made as this job would make it; else None."""
    try:
        footer = job.parts.footer(index)
        plan, _, dropped = footer.metadata[_PLAN].decode().partition(":")
        if plan != job.plan:
            return None
        best = () if footer.num_rows else tuple(Best(*each) for each in json.loads(footer.metadata[_BEST]))
        return PartCount(index, footer.num_rows, int(dropped), found=True, best=best)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _columns(job: EmbedJob, tile: SuperTile, kept: NDArray[np.intp], fractions: NDArray[np.float64]) -> dict[str, Any]:
    """Return the columns of a part without the vectors; see `stores.shard_columns.PATCH_FIELDS`."""
    scene = job.record.scene
    patches = [tile.patches[position] for position in kept]
    numbers = np.array([(p.level, p.row, p.col, *p.window) for p in patches], np.int64).reshape(-1, 7)
    bounds = lonlat_boxes(job.record.grid, numbers[:, 3:])
    acquired = None if scene.acquired_at is None else int(scene.acquired_at.timestamp() * 1000)
    cloud = None if scene.cloud_cover is None else scene.cloud_cover / 100
    columns: dict[str, Any] = {
        "patch_id": [patch_id(scene.scene_key, job.division.key, patch) for patch in patches],
        "scene_key": [scene.scene_key] * len(patches),
        "acquired_at": [acquired] * len(patches),
        "valid_fraction": fractions[kept],
        "cloud_fraction": [cloud] * len(patches),
        "modality": [scene.imagery.modality] * len(patches),
    }
    columns |= {name: numbers[:, i] for i, name in enumerate(("level", "row", "col", "x0", "y0", "x1", "y1"))}
    return columns | {name: bounds[:, i] for i, name in enumerate(("west", "south", "east", "north"))}
