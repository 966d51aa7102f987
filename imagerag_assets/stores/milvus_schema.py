"""Fields and index types of Milvus collections, and the conversion of rows.

Nothing is contacted here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pymilvus import CollectionSchema, DataType, FieldSchema

from imagerag_assets.errors import StoreError
from imagerag_assets.stores.collection_meta import CollectionMeta, Kind
from imagerag_assets.stores.milvus_filter import NOWHERE, UNKNOWN_CLOUD, UNKNOWN_TIME
from imagerag_assets.stores.shard_columns import embeddings_of

PATCH_OUTPUT = (
    *("patch_id", "scene_key", "acquired_at", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north"),
    *("valid_fraction", "cloud_fraction", "modality"),
)
KNOWLEDGE_OUTPUT = ("id", "text", "image", "label", "kb_version")

_INDEX_TYPES: dict[str, frozenset[str]] = {
    # Lite accepts any name and fails when it flushes.
    "lite": frozenset({"FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW"}),
    "server": frozenset({"FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "DISKANN", "AUTOINDEX"}),
}
LITE_FLAT_ROWS = 20_000
SERVER_HNSW_ROWS = 10_000_000
"""Rows whose graph is kept in a server's memory; more are searched on its disks."""
_LITE_PARTITION = "_pk_"
LITE_PARTITIONS = tuple(f"{_LITE_PARTITION}{number}" for number in range(16))
"""Those of a collection with a partition key, in Milvus Lite."""


@dataclass(frozen=True)
class BackEnd:
    """What the connected Milvus can do."""

    lite: bool
    version: tuple[int, int]

    @property
    def partition_keys(self) -> bool:
        """Servers before 2.4 file upserted rows under the wrong partition key (fixed by milvus pull request 30772)."""
        return self.lite or self.version >= (2, 4)

    def index_type(self, rows: int) -> str:
        """Return the best index type for this number of rows."""
        if not self.lite:
            return "HNSW" if rows <= SERVER_HNSW_ROWS else "DISKANN"
        return "FLAT" if rows <= LITE_FLAT_ROWS else "IVF_FLAT"

    def check_index_type(self, index_type: str) -> str:
        """Return `index_type`.

        Raises:
            StoreError: this back end would refuse it, or accept it and fail later.
        """
        allowed = _INDEX_TYPES["lite" if self.lite else "server"]
        if index_type not in allowed:
            where = "Milvus Lite" if self.lite else "The Milvus server"
            raise StoreError(
                f"{where} has no working index type {index_type!r}", fix=f"Use one of {', '.join(sorted(allowed))}"
            )
        return index_type


def lite_partitions(scene_keys: Iterable[str]) -> list[str]:
    """Return the partitions in which Milvus Lite files the rows of some scenes.

    It files a row by its partition key, and does not go by that when it reads: told which partitions to look at, it
    leaves the vectors of all others alone.
    """
    numbers = {int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) for key in scene_keys}
    return sorted({f"{_LITE_PARTITION}{number % len(LITE_PARTITIONS)}" for number in numbers})


def parse_version(text: str) -> tuple[int, int]:
    """Return the major and minor version in a server's text; a text without numbers counts as new."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (99, 0)


def index_params(index_type: str, rows: int) -> dict[str, int]:
    """Return the parameters for building an index."""
    if index_type == "HNSW":
        return {"M": 16, "efConstruction": 200}
    return {"nlist": _lists(rows)} if index_type.startswith("IVF") else {}


def search_params(index_type: str, rows: int, limit: int) -> dict[str, int]:
    """Return the parameters for searching an index, wide enough to miss few true neighbours."""
    if index_type == "HNSW":
        return {"ef": min(32768, max(128, 2 * limit))}
    return {"nprobe": max(16, _lists(rows) // 4)} if index_type.startswith("IVF") else {}


def _lists(rows: int) -> int:
    return int(min(1024, max(16, round(rows**0.5))))


def collection_schema(meta: CollectionMeta, back_end: BackEnd) -> CollectionSchema:
    """Return the fields of a collection."""
    if meta.kind == "patches":
        fields = [
            FieldSchema("patch_id", DataType.VARCHAR, is_primary=True, max_length=320),
            FieldSchema("scene_key", DataType.VARCHAR, max_length=200, is_partition_key=back_end.partition_keys),
            FieldSchema("acquired_at", DataType.INT64),
            FieldSchema("level", DataType.INT8),
            *(FieldSchema(name, DataType.INT32) for name in ("x0", "y0", "x1", "y1")),
            *(FieldSchema(name, DataType.DOUBLE) for name in ("west", "south", "east", "north")),
            *(FieldSchema(name, DataType.FLOAT) for name in ("valid_fraction", "cloud_fraction")),
            FieldSchema("modality", DataType.VARCHAR, max_length=64),
        ]
    else:
        fields = [
            FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=320),
            FieldSchema("text", DataType.VARCHAR, max_length=8192),
            FieldSchema("image", DataType.VARCHAR, max_length=4096),
            FieldSchema("label", DataType.VARCHAR, max_length=1024),
            FieldSchema("kb_version", DataType.VARCHAR, max_length=128),
        ]
    fields.append(FieldSchema("embedding", DataType.FLOAT_VECTOR, dim=meta.dim))
    return CollectionSchema(fields, description=meta.dumps(), enable_dynamic_field=False)


def output_fields(kind: Kind) -> tuple[str, ...]:
    """Return every field except the vector."""
    return PATCH_OUTPUT if kind == "patches" else KNOWLEDGE_OUTPUT


def primary_key(kind: Kind) -> str:
    """Return the name of the primary key field."""
    return "patch_id" if kind == "patches" else "id"


def rows_of(kind: Kind, batch: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    """Convert a table with the fields of `kind` and ``embedding`` to rows; nulls become the unknown values."""
    wanted = output_fields(kind)
    missing = {*wanted, "embedding"} - set(batch.schema.names)
    if missing:
        raise StoreError(f"The rows lack {', '.join(sorted(missing))}")
    rows: list[dict[str, Any]] = batch.select(list(wanted)).to_pylist()
    for row, vector in zip(rows, embeddings_of(batch), strict=True):
        if kind == "patches":
            _fill_unknown(row)
        row["embedding"] = vector
    return rows


def _fill_unknown(row: dict[str, Any]) -> None:
    if row["acquired_at"] is None:
        row["acquired_at"] = UNKNOWN_TIME
    if row["cloud_fraction"] is None:
        row["cloud_fraction"] = UNKNOWN_CLOUD
    if row["west"] is None:
        row["west"], row["south"], row["east"], row["north"] = NOWHERE


def tidy(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row from Milvus: unknown values become None, the vector becomes a float32 array."""
    row = dict(entity)
    if row.get("acquired_at") == UNKNOWN_TIME:
        row["acquired_at"] = None
    if row.get("cloud_fraction", 0.0) == UNKNOWN_CLOUD:
        row["cloud_fraction"] = None
    if row.get("west") == NOWHERE[0]:
        row |= {name: None for name in ("west", "south", "east", "north") if name in row}
    if "embedding" in row:
        row["embedding"] = np.asarray(row["embedding"], dtype=np.float32)
    return row
