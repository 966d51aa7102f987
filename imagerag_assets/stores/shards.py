"""Shards: one GeoParquet file of embeddings per scene, recipe and encoder.  The source of truth of all vectors.

Writing, reading and verifying the files belongs here.  `shard_info` has their keys and footers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from imagerag_assets.errors import FingerprintError, StoreError
from imagerag_assets.objects.aside import reporting_full_disk, written_aside
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.raster.geo import box_geometries, joint_box
from imagerag_assets.stores.shard_columns import part_schema
from imagerag_assets.stores.shard_info import PREFIX, VERSION, Kept, Made, ShardInfo, ShardKey, now, version16

__all__ = [
    "PREFIX", "Kept", "Made", "ShardInfo", "ShardKey", "ShardRef", "ShardWriter", "assemble", "iter_batches",
    "list_shards", "read_part", "read_shard", "restamp", "sample_rows", "shard_info", "verify_shard", "version16",
    "write_part",
]  # fmt: skip

_META = b"imagerag"
_ROW_GROUP = 8192
_FEW_VALUES = ["scene_key", "modality", "level"]  # vectors and ids only grow with a dictionary


@dataclass(frozen=True)
class ShardRef:
    """What the object key of a shard says about it; the shard is not opened."""

    path: str
    scene_key: str
    division_key: str
    fingerprint16: str
    version16: str


class ShardWriter:
    """Write a shard row group by row group to a local file, and put it into the store when it is complete.

    Use as a context manager and call :meth:`commit`; without it, or after a kill, there is no shard.  One row group
    is in memory at a time.
    """

    def __init__(
        self, store: ObjectStore, key: ShardKey, *, dim: int, encoder: str, scratch: Path | None = None
    ) -> None:
        """`scratch` is the local folder of the unfinished file; default: the system's temporary folder."""
        self._store, self._key, self._dim, self._encoder = store, key, dim, encoder
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix="shard-", dir=scratch)
        self._file = Path(self._folder.name) / "shard.parquet"
        self._schema = part_schema(dim).append(pa.field("geometry", pa.binary()))
        try:
            with reporting_full_disk(self._file, **self._about):
                self._writer = pq.ParquetWriter(
                    self._file, self._schema, compression="zstd", use_dictionary=_FEW_VALUES
                )
        except BaseException:
            self._folder.cleanup()
            raise
        self._waiting: list[pa.Table] = []
        self._bounds: list[tuple[float, float, float, float]] = []
        self.rows = 0
        """Rows appended so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with reporting_full_disk(self._file, **self._about):
                self._writer.close()
        except (StoreError, OSError):
            if error is None:  # the first error says more
                raise
        finally:
            self._folder.cleanup()

    def append(self, table: pa.Table) -> None:
        """Add rows (:func:`patch_table`).

        Raises:
            StoreError: other columns or another vector length, or rows of another scene.
        """
        expected = part_schema(self._dim)
        if not table.schema.equals(expected):
            raise StoreError("The rows do not have a shard's columns", fix="Make them with patch_table", **self._about)
        if any(scene != self._key.scene_key for scene in table.column("scene_key").unique().to_pylist()):
            raise StoreError("The rows are of another scene", **self._about)
        self.rows += table.num_rows
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= _ROW_GROUP:
            self._flush()

    def commit(self, *, dropped: int | None = None, made: Made | None = None, kept: Kept | None = None) -> ShardInfo:
        """Finish the file and put it into the store, replacing a shard of the same key.

        Args:
            dropped: Patches of the scene that have no row, for lack of valid pixels.
            made: How the rows were made; default: by the first recipe.
            kept: Which patches have rows.

        Raises:
            StoreError: the store does not take it.
        """
        self._flush()
        made = made or Made(stored_at=now())
        info = ShardInfo(self._key, self._encoder, self._dim, self.rows, VERSION, dropped, made, kept)
        with reporting_full_disk(self._file, **self._about):
            self._writer.add_key_value_metadata({_META.decode(): info.to_json(), "geo": self._geo_json()})
            self._writer.close()
        self._store.put_file(self._file, self._key.path)
        return info

    @property
    def _about(self) -> dict[str, Any]:
        return {"scene": self._key.scene_key}

    def _flush(self) -> None:
        if not self._waiting:
            return
        table, self._waiting = pa.concat_tables(self._waiting), []
        bounds = np.column_stack([_floats(table, name) for name in ("west", "south", "east", "north")])
        geometry = box_geometries(bounds)
        if (joint := joint_box(bounds)) is not None:
            self._bounds.append(joint)
        table = table.append_column(self._schema.field("geometry"), pa.array(shapely.to_wkb(geometry), pa.binary()))
        with reporting_full_disk(self._file, **self._about):
            self._writer.write_table(table, row_group_size=_ROW_GROUP)

    def _geo_json(self) -> str:
        # No crs: longitude, latitude.
        column: dict[str, Any] = {"encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"]}
        if self._bounds:
            column["bbox"] = joint_box(self._bounds)
        return json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}})


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def assemble(
    writer: ShardWriter,
    parts: Iterable[Path | pa.Table],
    *,
    dropped: int | None = None,
    made: Made | None = None,
    kept: Kept | None = None,
) -> ShardInfo:
    """Stream parts (files or tables), in the order given, into a shard; the options are :meth:`ShardWriter.commit`'s.

    Raises:
        StoreError: a part cannot be read or does not fit; nothing was committed.
    """
    for part in parts:
        writer.append(read_part(part) if isinstance(part, Path) else part)
    return writer.commit(dropped=dropped, made=made, kept=kept)


def write_part(path: Path, table: pa.Table) -> None:
    """Write a part of a shard, embedded but not yet assembled, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="none", use_dictionary=False)


def read_part(path: Path) -> pa.Table:
    """Read a part.  Raise StoreError when it is missing or damaged."""
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"A part of a shard cannot be read: {error}", fix="Delete it and embed again", part=path
        ) from None


def shard_info(store: ObjectStore, key: ShardKey | str) -> ShardInfo:
    """Read a shard's metadata from its footer.  Raise StoreError when it is missing, damaged or not a shard."""
    with _opened(store, key) as file:
        return _info(file, _path(key))


def iter_batches(
    store: ObjectStore, key: ShardKey | str, *, columns: Sequence[str] | None = None, rows: int = 4096
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a shard, at most `rows` at once.  Raise StoreError when it is missing or damaged."""
    with _opened(store, key) as file:
        yield from file.iter_batches(batch_size=rows, columns=list(columns) if columns else None)


def read_shard(store: ObjectStore, key: ShardKey | str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a whole shard; use :func:`iter_batches` for one that may be large."""
    with _opened(store, key) as file:
        return file.read(columns=list(columns) if columns else None)


def sample_rows(
    store: ObjectStore, key: ShardKey | str, rows: int, *, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read at most `rows` rows, evenly spread over the middle row group; no other is read.

    Raises:
        StoreError: the shard is missing or damaged.
    """
    with _opened(store, key) as file:
        names = list(columns) if columns else None
        if not file.num_row_groups:
            return file.read(columns=names)
        table = file.read_row_group(file.num_row_groups // 2, columns=names)
        chosen = np.linspace(0, table.num_rows - 1, min(rows, table.num_rows)).astype(np.int64)
        return table.take(pa.array(chosen))


def verify_shard(store: ObjectStore, key: ShardKey | str, fingerprint: str) -> ShardInfo:
    """Check that a shard is readable and was made by the encoder with `fingerprint`.

    Raises:
        FingerprintError: another encoder made it.
        StoreError: it is missing or damaged.
    """
    info = shard_info(store, key)
    if info.key.fingerprint != fingerprint:
        raise FingerprintError(
            f"The shard was made by another encoder: stored={info.key.fingerprint} ({info.encoder}), "
            f"required={fingerprint}",
            fix="Run: imagerag backfill",
            scene=info.key.scene_key,
            shard=_path(key),
        )
    return info


def list_shards(
    store: ObjectStore,
    *,
    scene_key: str | None = None,
    division_key: str | None = None,
    fingerprint: str | None = None,
) -> list[ShardRef]:
    """List the shards in the store by their keys, sorted; conditions that are None match all."""
    prefix = PREFIX if scene_key is None else f"{PREFIX}/{scene_key}"
    refs: list[ShardRef] = []
    for path in store.list(prefix):
        parts = path.removesuffix(".parquet").split("/")
        if not path.endswith(".parquet") or len(parts) != 5:
            continue
        ref = ShardRef(path, *parts[1:])
        if division_key not in (None, ref.division_key):
            continue
        if fingerprint is None or fingerprint[:16] == ref.fingerprint16:
            refs.append(ref)
    return refs


def restamp(source: Path, target: Path) -> ShardInfo:
    """Copy a shard's file row group by row group, with the present as the time when it was stored.

    A shard that comes from another installation can be searched here from now on, not since it was embedded there.

    Args:
        source: A shard's file.
        target: Where the copy goes; replaced.

    Raises:
        StoreError: `source` is damaged or not a shard, or the copy cannot be written.
    """
    try:
        with reporting_full_disk(target), pq.ParquetFile(source) as file:
            info = _info(file, str(source))
            info = replace(info, made=replace(info.made, stored_at=now()))
            with pq.ParquetWriter(target, file.schema_arrow, compression="zstd", use_dictionary=_FEW_VALUES) as writer:
                for index in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(index), row_group_size=_ROW_GROUP)
                stored = file.metadata.metadata
                geo = {b"geo": stored[b"geo"]} if b"geo" in stored else {}
                writer.add_key_value_metadata({**geo, _META: info.to_json().encode()})
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"A shard cannot be copied: {error}", shard=source) from None
    return info


def _path(key: ShardKey | str) -> str:
    return key if isinstance(key, str) else key.path


@contextmanager
def _opened(store: ObjectStore, key: ShardKey | str) -> Iterator[pq.ParquetFile]:
    path = _path(key)
    with store.open(path) as file:
        try:
            yield pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:  # an error of the operating system or network, not of Parquet
                raise
            raise StoreError(
                f"The shard is damaged: {error}", fix="Delete it and run: imagerag ingest", shard=store.url(path)
            ) from None


def _info(file: pq.ParquetFile, path: str) -> ShardInfo:
    try:
        info = ShardInfo.from_json(file.metadata.metadata[_META])
    except (KeyError, TypeError, ValueError):
        raise StoreError("Not a shard of this system", fix="Delete it and run: imagerag ingest", shard=path) from None
    if info.version != VERSION or info.rows != file.metadata.num_rows:
        raise StoreError(
            f"The shard is of version {info.version} with {file.metadata.num_rows} of {info.rows} rows",
            fix="Delete it and run: imagerag ingest",
            shard=path,
        )
    return info
