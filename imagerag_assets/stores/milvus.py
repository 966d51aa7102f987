"""The vector store: rows of patch and knowledge embeddings in Milvus, Lite or server.

It is never the only copy: every collection can be rebuilt from shards.  Writes are upserts, so repeating one after a
kill is harmless.  `milvus_collections` manages the collections themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagerag_assets.errors import StoreError
from imagerag_assets.stores.milvus_collections import CollectionInfo, MilvusCollections
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter
from imagerag_assets.stores.milvus_schema import output_fields, primary_key, rows_of, search_params, tidy

__all__ = ["CollectionInfo", "Hit", "VectorStore"]

_UPSERT_BYTES = 8 << 20  # well below gRPC's 64 MiB, and small enough to stay responsive
_MAX_LIMIT = 16_384  # the servers' limit of a search or query
_NO_LIMIT = 2**31 - 1
_ID_CHUNK = 1_000


@dataclass(frozen=True)
class Hit:
    """One search result."""

    id: str
    score: float
    """Cosine similarity."""
    fields: dict[str, Any]
    """The requested output fields; unknown values are None, an ``embedding`` is a float32 array."""


class VectorStore(MilvusCollections):
    """Rows in Milvus, through one connection.  Safe to call from several threads."""

    def upsert(self, collection: str, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
        """Write rows, replacing those with the same key; return how many.

        Args:
            collection: Name or alias.
            batches: Tables with the collection's fields and ``embedding``; a shard's batches need no change.
        """
        return sum(len(rows) for rows in self._upserted(collection, batches))

    def _upserted(
        self, collection: str, batches: Iterable[pa.Table | pa.RecordBatch]
    ) -> Iterator[list[dict[str, Any]]]:
        meta = self.meta(collection)
        step = max(1, min(4_000, _UPSERT_BYTES // (4 * meta.dim + 512)))
        for batch in batches:
            for start in range(0, batch.num_rows, step):
                rows = rows_of(meta.kind, batch.slice(start, step))
                if len(rows[0]["embedding"]) != meta.dim:
                    raise StoreError(
                        f"Vectors of {len(rows[0]['embedding'])} do not fit {meta.dim}", collection=collection
                    )
                with self._connection.writing("write rows of", collection):
                    self.client.upsert(collection, rows)
                self._unindexed[meta.name] = self._unindexed.get(meta.name, 0) + len(rows)
                yield rows

    def replace_scene(
        self,
        collection: str,
        scene_key: str,
        batches: Iterable[pa.Table | pa.RecordBatch],
        *,
        before: int | None = None,
    ) -> int:
        """Make `batches` the only rows of a scene; return how many it has then.

        New rows are written before old ones are deleted, so readers never miss the scene.  After a kill at any
        point the same call finishes the work.

        Args:
            collection: Name or alias.
            scene_key: The scene.
            batches: As for :meth:`upsert`.
            before: Rows that it has now, if that was counted: of none, no keys are read.

        Raises:
            StoreError: a row is of another scene.
        """
        of_scene = Filter().scene_in([scene_key])
        stale = set() if before == 0 else set(self._ids(collection, of_scene))
        for rows in self._upserted(collection, batches):
            if any(row["scene_key"] != scene_key for row in rows):
                raise StoreError("The rows are of another scene", scene=scene_key)
            stale.difference_update(row["patch_id"] for row in rows)
        self._delete_ids(collection, "patch_id", sorted(stale))
        return self.count(collection, of_scene)

    def ids_of_scene(self, collection: str, scene_key: str) -> set[str]:
        """Return the keys of the rows of a scene."""
        return set(self._ids(collection, Filter().scene_in([scene_key])))

    def rows_of_scenes(self, collection: str) -> dict[str, int]:
        """Count the rows of each scene that has any; the keys of all rows are read."""
        found: dict[str, int] = {}
        for scene in self._values(collection, EVERYTHING, "scene_key"):
            found[scene] = found.get(scene, 0) + 1
        return found

    def delete_scene(self, collection: str, scene_key: str) -> None:
        """Delete all rows of a scene."""
        with self._connection.writing("delete rows of", collection):
            self._load(self.meta(collection).name)
            self.client.delete(collection, filter=Filter().scene_in([scene_key]).expression)

    def delete(self, collection: str, ids: Iterable[str]) -> None:
        """Delete rows by primary key; missing ones are no error."""
        self._delete_ids(collection, primary_key(self.meta(collection).kind), list(ids))

    def get_rows(self, collection: str, ids: Iterable[str], *, embedding: bool = False) -> list[dict[str, Any]]:
        """Return rows by primary key, in the order of `ids`; missing ones are left out."""
        kind = self.meta(collection).kind
        key, wanted = primary_key(kind), list(dict.fromkeys(ids))
        fields = [*output_fields(kind), *(["embedding"] if embedding else [])]
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), _ID_CHUNK):
            chunk = wanted[start : start + _ID_CHUNK]
            for row in self._query(collection, Filter().one_of(key, chunk), fields, len(chunk)):
                found[row[key]] = tidy(row)
        return [found[each] for each in wanted if each in found]

    def query(
        self, collection: str, condition: Filter, fields: Sequence[str], *, limit: int = _MAX_LIMIT
    ) -> list[dict[str, Any]]:
        """Return at most `limit` (up to 16,384) rows that match, in no particular order."""
        return [tidy(row) for row in self._query(collection, condition, list(fields), min(limit, _MAX_LIMIT))]

    def search(
        self,
        collection: str,
        vectors: NDArray[np.float32],
        *,
        condition: Filter = EVERYTHING,
        limit: int = 10,
        fields: Sequence[str] = (),
    ) -> list[list[Hit]]:
        """Find the rows nearest to each vector by cosine similarity, best first.

        Args:
            collection: Name or alias.
            vectors: float32, (n, dim).
            condition: Which rows are searched.
            limit: Results for each vector, up to 16,384.
            fields: Fields to return; may include ``embedding``.

        Raises:
            StoreError: the vectors do not have the collection's length.
        """
        if vectors.ndim != 2 or not 1 <= limit <= _MAX_LIMIT:
            raise StoreError(f"Cannot search for {vectors.shape} vectors, {limit} results each")
        if not len(vectors):
            return []
        meta = self.meta(collection)
        if vectors.shape[1] != meta.dim:
            raise StoreError(f"Vectors of {vectors.shape[1]} do not fit {meta.dim}", collection=collection)
        key = primary_key(meta.kind)
        with self._connection.reading("search", collection):
            index = self._open(meta.name)
            # A Lite file's index says its rows: to count them each time would look at every one.
            count = index.type.startswith("IVF") and not self._back_end.lite
            params = search_params(index.type, self.count(collection) if count else index.rows, limit)
            found = self.client.search(
                collection,
                data=np.ascontiguousarray(vectors, dtype=np.float32).tolist(),
                filter=condition.expression,
                limit=limit,
                output_fields=list(dict.fromkeys([key, *fields])),
                search_params={"metric_type": "COSINE", "params": params},
                **self._only(meta.name, condition),
            )
        return [
            [Hit(str(hit["entity"][key]), float(hit["distance"]), tidy(hit["entity"])) for hit in hits]
            for hits in found
        ]

    def _query(self, collection: str, condition: Filter, fields: list[str], limit: int) -> list[dict[str, Any]]:
        with self._connection.reading("read", collection):
            name = self.meta(collection).name
            self._load(name)
            rows = self.client.query(
                collection,
                filter=condition.expression,
                output_fields=fields,
                limit=limit,
                consistency_level="Strong",
                **self._only(name, condition),
            )
        return [dict(row) for row in rows]

    def _ids(self, collection: str, condition: Filter) -> Iterator[str]:
        """Yield the keys of all rows that match."""
        return self._values(collection, condition, "patch_id")

    def _values(self, collection: str, condition: Filter, field: str) -> Iterator[str]:
        """Yield a field of all rows that match, with all finished writes.

        Servers limit queries; Lite does not, but its iterator is slow.  A server's iterator reads with the consistency
        of the collection, whatever it is asked for, and misses rows of the last seconds.  So it is for what does not
        fit into one query, and comes after one, which waits until the server has seen all writes.
        """
        lite = self._back_end.lite
        limit = _NO_LIMIT if lite else _MAX_LIMIT
        rows = self._query(collection, condition, [field], limit)
        if lite or len(rows) < limit:
            yield from (row[field] for row in rows)
            return
        with self._connection.reading("read", collection):
            self._open(self.meta(collection).name)
            iterator = self.client.query_iterator(
                collection,
                filter=condition.expression,
                output_fields=[field],
                batch_size=5_000,
            )
            try:
                while batch := iterator.next():
                    yield from (row[field] for row in batch)
            finally:
                iterator.close()

    def _delete_ids(self, collection: str, key: str, ids: Sequence[str]) -> None:
        with self._connection.writing("delete rows of", collection):
            for start in range(0, len(ids), _ID_CHUNK):
                self._load(self.meta(collection).name)
                chunk = ids[start : start + _ID_CHUNK]
                self.client.delete(collection, filter=Filter().one_of(key, chunk).expression)
