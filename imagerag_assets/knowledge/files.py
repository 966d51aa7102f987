"""The parquet files of a knowledge base: rows with a vector each, as Milvus takes them.

Writing, reading and their failures; `build.py` decides what the rows are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.aside import temporary_folder
from imagerag_assets.objects.store import ObjectStore

COLUMNS = ("id", "text", "label", "image", "kb_version")
_META = "imagerag.knowledge"


class KnowledgeWriter:
    """Write rows to a local file and put it into the store when it is complete; keeps one batch in memory."""

    def __init__(self, store: ObjectStore, folder: Path, dim: int) -> None:
        """Open a file for vectors of length `dim` in `folder`, a local folder for the unfinished file."""
        self._store, self._file = store, folder / "knowledge.parquet"
        fields = [pa.field(name, pa.string(), nullable=False) for name in COLUMNS]
        self._dim = dim
        self._schema = pa.schema([*fields, pa.field("embedding", pa.list_(pa.float32(), dim), nullable=False)])
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        self.rows = 0

    def append(self, rows: Sequence[tuple[str, str, str, str, str]], vectors: NDArray[np.float32]) -> None:
        """Add rows (values of `COLUMNS`) and their vectors, (len(rows), dim)."""
        if not rows:
            return
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        arrays = [*columns, pa.FixedSizeListArray.from_arrays(flat, self._dim)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += len(rows)

    def commit(self, key: str, **about: Any) -> None:
        """Finish the file, with `about` as its metadata, and put it into the store at `key`."""
        self._writer.add_key_value_metadata({_META: json.dumps({"rows": self.rows, **about})})
        self._writer.close()
        self._store.put_file(self._file, key)

    def close(self) -> None:
        """Close the local file.  May be called again."""
        self._writer.close()


@contextmanager
def knowledge_writer(store: ObjectStore, dim: int) -> Iterator[KnowledgeWriter]:
    """Open a writer; delete its local file afterwards."""
    with temporary_folder("knowledge") as folder:
        writer = KnowledgeWriter(store, Path(folder), dim)
        try:
            yield writer
        finally:
            writer.close()


def read_about(store: ObjectStore, key: str) -> dict[str, Any]:
    """Return the metadata given to `commit`, and ``rows``.  Raise StoreError if the file is damaged."""
    with _opened(store, key) as file:
        return dict(json.loads(file.metadata.metadata[_META.encode()]))


def iter_rows(store: ObjectStore, key: str, *, rows: int = 2048) -> Iterator[pa.RecordBatch]:
    """Yield batches of rows.  Raise StoreError if the file is damaged."""
    with _opened(store, key) as file:
        yield from file.iter_batches(batch_size=rows)


@contextmanager
def _opened(store: ObjectStore, key: str) -> Iterator[pq.ParquetFile]:
    with store.open(key) as stream:
        try:
            yield pq.ParquetFile(stream)
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"The knowledge file is damaged: {error}",
                fix="Delete it and build the knowledge base again",
                object=store.url(key),
            ) from None
