"""Where the parts of a scene are until its shard is complete: in a folder of this machine, or in the object store.

A part holds the patches and vectors of one super-tile.  Parts are in the object store where workers on other machines
make them, or made them in an earlier run.  Which rows a part has, and whether it is still right, `embedding` says.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import ObjectStore, read_all
from imagerag_assets.stores.shard_info import ShardKey
from imagerag_assets.stores.shards import read_part, write_part

PARTS = "parts"
"""Prefix of the object keys of parts."""
_AHEAD = 4  # parts read while the shard is written


class Parts(Protocol):
    """The parts of one shard.  Safe to use from several threads."""

    def write(self, index: int, table: pa.Table) -> None:
        """Write a part, whole or not at all.  Raise StoreError or OSError if that fails."""

    def read(self, index: int) -> pa.Table:
        """Read a part.  Raise StoreError if it is missing or damaged."""

    def footer(self, index: int) -> pq.FileMetaData:
        """Read what a part says about itself.  Raise OSError, StoreError or ArrowException if it cannot be told."""

    def present(self, wanted: Iterable[int]) -> Collection[int]:
        """Return those of some parts that may be there; whether they are whole, their footers say."""


@dataclass(frozen=True)
class LocalParts:
    """Parts in a folder of this machine."""

    folder: Path

    def path(self, index: int) -> Path:
        """Return the file of a part."""
        return self.folder / _name(index)

    def write(self, index: int, table: pa.Table) -> None:
        """As in :class:`Parts`."""
        write_part(self.path(index), table)

    def read(self, index: int) -> pa.Table:
        """As in :class:`Parts`."""
        return read_part(self.path(index))

    def footer(self, index: int) -> pq.FileMetaData:
        """As in :class:`Parts`."""
        return pq.read_metadata(self.path(index))

    def present(self, wanted: Iterable[int]) -> Collection[int]:
        """As in :class:`Parts`."""
        names = {each.name for each in self.folder.iterdir()} if self.folder.is_dir() else set()
        return [index for index in wanted if _name(index) in names]


@dataclass(frozen=True)
class StoredParts:
    """Parts in the object store, which every worker reaches."""

    store: ObjectStore
    prefix: str

    def key(self, index: int) -> str:
        """Return the object key of a part."""
        return f"{self.prefix}/{_name(index)}"

    def write(self, index: int, table: pa.Table) -> None:
        """As in :class:`Parts`."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="none", use_dictionary=False)
        self.store.write_bytes(self.key(index), buffer.getvalue())

    def read(self, index: int) -> pa.Table:
        """As in :class:`Parts`."""
        try:
            return pq.read_table(io.BytesIO(self.store.read_bytes(self.key(index))))
        except pa.ArrowException as error:
            part = self.store.url(self.key(index))
            raise StoreError(
                f"A part of a shard cannot be read: {error}", fix="Delete it and embed again", part=part
            ) from None

    def footer(self, index: int) -> pq.FileMetaData:
        """As in :class:`Parts`."""
        if not self.store.exists(self.key(index)):
            raise FileNotFoundError(self.key(index))
        with self.store.open(self.key(index)) as file:
            return pq.read_metadata(file)

    def present(self, wanted: Iterable[int]) -> Collection[int]:
        """As in :class:`Parts`; this takes one listing."""
        keys = set(self.store.list(self.prefix))
        return [index for index in wanted if self.key(index) in keys]


def _name(index: int) -> str:
    return f"{index:06d}.parquet"


def local_folder(home: Path, key: ShardKey) -> Path:
    """Return the folder of a shard's parts, HOME/scratch/embed/{scene_key}/{version16}/{division}/{fp16}."""
    return home / "scratch" / "embed" / key.scene_key / _below_scene(key)


def stored_prefix(key: ShardKey) -> str:
    """Return the prefix of a shard's parts, parts/{scene_key}/{version16}/{division}/{fp16}."""
    return f"{PARTS}/{key.scene_key}/{_below_scene(key)}"


def _below_scene(key: ShardKey) -> str:
    return f"{Path(key.path).stem}/{key.division_key}/{key.fingerprint[:16]}"


def each_part(parts: Parts, indices: Iterable[int]) -> Iterator[pa.Table]:
    """Yield parts in order, and read a few ahead: those in a bucket come one request each.

    Raises:
        StoreError: a part is missing or damaged.
    """
    if not isinstance(parts, StoredParts):
        yield from map(parts.read, indices)
        return
    rest = iter(indices)
    with ThreadPoolExecutor(_AHEAD) as pool:
        coming = [pool.submit(parts.read, index) for index in islice(rest, _AHEAD)]
        while coming:
            table = coming.pop(0).result()
            coming += [pool.submit(parts.read, index) for index in islice(rest, 1)]
            yield table


def clear_local(folder: Path) -> None:
    """Delete a shard's parts of this machine, and those of the scene's earlier versions."""
    of_version, of_scene = folder.parents[1], folder.parents[2]
    obsolete = [each for each in of_scene.iterdir() if each != of_version] if of_scene.is_dir() else []
    for each in (folder, *obsolete):
        shutil.rmtree(each, ignore_errors=True)
    for each in (folder.parent, of_version, of_scene):
        try:
            each.rmdir()
        except OSError:  # another shard's parts are in it, or it is gone
            return


def clear_stored(store: ObjectStore, key: ShardKey) -> None:
    """Delete a shard's parts in the object store, and those of the scene's earlier versions.

    Raises:
        StoreError: the store fails.
    """
    own, of_version = f"{stored_prefix(key)}/", f"{PARTS}/{key.scene_key}/{Path(key.path).stem}/"
    found = store.list(f"{PARTS}/{key.scene_key}")
    read_all(store.delete, [each for each in found if each.startswith(own) or not each.startswith(of_version)])
