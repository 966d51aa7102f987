"""The columns of a shard and of its parts: names, types, and tables made from arrays.

`shards` handles files and keys; `milvus_schema` has the Milvus side of the same columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagerag_assets.errors import StoreError

PATCH_FIELDS: tuple[pa.Field, ...] = (
    pa.field("patch_id", pa.string(), nullable=False),
    pa.field("scene_key", pa.string(), nullable=False),
    pa.field("acquired_at", pa.int64()),  # epoch milliseconds; null: unknown
    pa.field("level", pa.int8(), nullable=False),
    pa.field("row", pa.int32(), nullable=False),
    pa.field("col", pa.int32(), nullable=False),
    pa.field("x0", pa.int32(), nullable=False),  # native pixels, x1 and y1 exclusive
    pa.field("y0", pa.int32(), nullable=False),
    pa.field("x1", pa.int32(), nullable=False),
    pa.field("y1", pa.int32(), nullable=False),
    pa.field("west", pa.float64()),  # degrees; null: no place on the ground
    pa.field("south", pa.float64()),
    pa.field("east", pa.float64()),
    pa.field("north", pa.float64()),
    pa.field("valid_fraction", pa.float32(), nullable=False),
    pa.field("cloud_fraction", pa.float32()),  # null: unknown
    pa.field("modality", pa.string(), nullable=False),
)
"""Columns of a patch, without its vector and geometry."""


def part_schema(dim: int) -> pa.Schema:
    """Return the columns of a part: those of a patch and ``embedding``, a list of `dim` float32."""
    return pa.schema([*PATCH_FIELDS, pa.field("embedding", pa.list_(pa.float32(), dim), nullable=False)])


def patch_table(columns: Mapping[str, Any], embeddings: NDArray[np.float32]) -> pa.Table:
    """Join patches and their vectors in a table of :func:`part_schema`.

    Args:
        columns: An array or sequence of n values for each of :data:`PATCH_FIELDS`; a nullable one may be missing.
        embeddings: float32, (n, dim), each row of length 1.

    Raises:
        StoreError: a column is missing, has another length, or holds values that do not fit its type.
    """
    count, dim = embeddings.shape
    schema = part_schema(dim)
    arrays: list[pa.Array] = []
    for field in PATCH_FIELDS:
        values = columns.get(field.name)
        if values is None and not field.nullable:
            raise StoreError(f"The patches have no column {field.name!r}")
        try:
            array = pa.nulls(count, field.type) if values is None else pa.array(values, field.type, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise StoreError(f"Column {field.name!r} has values that are not {field.type}: {error}") from None
        if len(array) != count or (array.null_count and not field.nullable):
            raise StoreError(f"Column {field.name!r} needs {count} values, none missing")
        arrays.append(array)
    flat = pa.array(np.ascontiguousarray(embeddings, dtype=np.float32).reshape(-1))
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, dim))
    return pa.Table.from_arrays(arrays, schema=schema)


def embeddings_of(data: pa.Table | pa.RecordBatch) -> NDArray[np.float32]:
    """Return the vectors of a part or shard: float32, (n, dim)."""
    column = data.column("embedding")
    dim = column.type.list_size
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(flat).reshape(-1, dim) if flat else np.zeros((0, dim), dtype=np.float32)
