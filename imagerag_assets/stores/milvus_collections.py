"""Create, find, verify, switch and drop collections, aliases and indexes in Milvus.

`milvus` reads and writes their rows.  Callers decide which collection to use and when to switch an alias.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pymilvus import MilvusClient
from pymilvus.client.types import LoadState

from imagerag_assets.errors import FingerprintError, StoreError
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.settings import Settings
from imagerag_assets.stores.collection_meta import META_PROPERTY, CollectionMeta, Kind
from imagerag_assets.stores.milvus_connection import MilvusConnection
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter
from imagerag_assets.stores.milvus_schema import (
    LITE_FLAT_ROWS,
    LITE_PARTITIONS,
    BackEnd,
    collection_schema,
    index_params,
    lite_partitions,
    primary_key,
)


@dataclass(frozen=True)
class CollectionInfo:
    """A collection of this system."""

    name: str
    kind: Kind
    division: str
    fingerprint: str
    dim: int
    rows: int
    """Exact where the collection is loaded; otherwise what the server keeps of it, which may count rows that an update
    replaced."""
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """The index of a collection."""

    type: str
    rows: int
    """Rows that it was built of, of a Lite file; a server does not say."""


class MilvusCollections:
    """A connection to Milvus and the collections there.  Use as a context manager or call :meth:`close`.

    Every method raises StoreError when Milvus cannot be reached or refuses; methods name any other error they raise.
    """

    def __init__(self, settings: Settings) -> None:
        """Connect.

        Raises:
            SettingsError: IMAGERAG_MILVUS_URI is neither a .db path nor a URL.
            StoreError: the server cannot be reached, or the Lite file cannot be opened.
        """
        self._connection = MilvusConnection(settings)
        self._back_end = self._connection.back_end
        self._ready: dict[str, Index] = {}  # a server's loaded collections with their indexes
        self._known: dict[str, tuple[int, Index]] = {}  # a Lite file's, with the version of its indexes
        self._filed: dict[str, bool] = {}  # whether a Lite collection has the partitions of `lite_partitions`
        self._unindexed: dict[str, int] = {}  # rows written since the index was renewed here
        self._indexed: dict[str, int] = {}  # rows when it was

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing it again does nothing."""
        self._connection.close()

    @property
    def back_end(self) -> BackEnd:
        """What the connected Milvus can do."""
        return self._back_end

    @property
    def client(self) -> MilvusClient:
        """The open client.  Raises StoreError after :meth:`close`."""
        return self._connection.client

    # Collections

    def ensure_patches(self, fingerprint: str, dim: int, recipe: Recipe | None = None) -> str:
        """Return the name of the patch collection of an encoder and a recipe, and create it if it is not there.

        Args:
            fingerprint: The encoder's.
            dim: Length of a vector.
            recipe: How patches are made; default: the first recipe.

        Raises:
            FingerprintError: a collection of that name belongs to another encoder or recipe, or has another vector
                length.
        """
        return self._ensure(CollectionMeta("patches", fingerprint, dim, recipe or Recipe()))

    def ensure_knowledge(self, kind: Kind, fingerprint: str, dim: int) -> str:
        """Return the name of the collection of a knowledge base, created as in `ensure_patches`."""
        if kind == "patches":
            raise ValueError("patches are not a knowledge base")
        return self._ensure(CollectionMeta(kind, fingerprint, dim))

    def exists(self, collection: str) -> bool:
        """Whether a collection or alias of this name exists."""
        with self._connection.reading("look for", collection):
            return bool(self.client.has_collection(collection))

    def meta(self, collection: str) -> CollectionMeta:
        """Return what a collection (or an alias's target) says about itself.  Raise StoreError if it is not ours."""
        try:
            with self._connection.reading("describe", collection):
                meta = CollectionMeta.from_description(self.client.describe_collection(collection))
        except StoreError:
            if self.exists(collection):
                raise
            raise StoreError(f"Milvus has no collection or alias {collection!r}", fix="Run: imagerag ingest") from None
        if meta is None:
            raise StoreError(
                f"The collection {collection!r} was not made by this system", fix="Use another Milvus database"
            )
        return meta

    def verify(self, collection: str, fingerprint: str) -> CollectionMeta:
        """Check that a collection (or an alias's target) holds vectors of the encoder with `fingerprint`.

        Raises:
            FingerprintError: it holds another encoder's.
            StoreError: there is no such collection.
        """
        meta = self.meta(collection)
        if meta.fingerprint != fingerprint:
            raise FingerprintError(
                f"The vectors are another encoder's: stored={meta.fingerprint}, required={fingerprint}",
                fix="Run `imagerag backfill`, or choose the stored encoder with `imagerag encoders use`",
                collection=collection,
            )
        return meta

    def list_collections(self) -> list[CollectionInfo]:
        """Return our collections, by name; load none into a server's memory."""
        targets: dict[str, list[str]] = {}
        for alias, target in self.aliases().items():
            targets.setdefault(target, []).append(alias)
        infos: list[CollectionInfo] = []
        with self._connection.reading("list", "collections"):
            for name in sorted(self.client.list_collections()):
                meta = CollectionMeta.from_description(self.client.describe_collection(name))
                if meta is not None:
                    aliases = tuple(sorted(targets.get(name, ())))
                    rows = self.count(name) if self._is_loaded(name) else self._kept_rows(name)
                    infos.append(
                        CollectionInfo(name, meta.kind, meta.division, meta.fingerprint, meta.dim, rows, aliases)
                    )
        return infos

    def drop(self, collection: str) -> None:
        """Drop a collection; a missing one is no error.

        Raises:
            StoreError: an alias points to it (Lite would drop it silently).
        """
        pointing = sorted(alias for alias, target in self.aliases().items() if target == collection)
        if pointing or collection in self.aliases():
            raise StoreError(
                f"The collection {collection!r} is in use as {', '.join(pointing) or 'an alias'}",
                fix="Switch to another one first: imagerag encoders use, imagerag backfill or imagerag rollback",
            )
        with self._connection.writing("drop", collection):
            self.client.drop_collection(collection)
            self._connection.note_index_change()
        for known in (self._ready, self._filed, self._unindexed, self._indexed):
            known.pop(collection, None)

    @contextmanager
    def borrowed(self, collection: str) -> Iterator[None]:
        """Use a collection for a while: release it from a server's memory afterwards if it was not loaded before."""
        loaded = self._is_loaded(collection)
        try:
            yield
        finally:
            if not loaded:
                with self._connection.reading("release", collection):
                    self.client.release_collection(collection)
                self._ready.pop(collection, None)

    def _is_loaded(self, collection: str) -> bool:
        """Whether a server has a collection in memory; Lite reads its file as it needs to."""
        if self._back_end.lite:
            return True
        with self._connection.reading("ask about", collection):
            return bool(self.client.get_load_state(collection)["state"] == LoadState.Loaded)

    def _kept_rows(self, collection: str) -> int:
        return int(self.client.get_collection_stats(collection)["row_count"])

    def _ensure(self, meta: CollectionMeta) -> str:
        if not self.exists(meta.name):
            self._ready.pop(meta.name, None)  # it was there, and somebody dropped it
            try:
                self._create(meta)
            except StoreError:
                if not self.exists(meta.name):  # another process may have created it
                    raise
        stored = self.verify(meta.name, meta.fingerprint)
        if (stored.dim, stored.kind, _key(stored)) != (meta.dim, meta.kind, _key(meta)):
            raise FingerprintError(
                f"The collection differs: stored={_said(stored)}, required={_said(meta)}",
                fix=f"Drop {meta.name} by hand and run: imagerag ingest",
            )
        return meta.name

    def _create(self, meta: CollectionMeta) -> None:
        options: dict[str, Any] = (
            {"num_partitions": 16} if self._back_end.partition_keys and meta.kind == "patches" else {}
        )
        with self._connection.writing("create", meta.name):
            self.client.create_collection(
                meta.name,
                schema=collection_schema(meta, self._back_end),
                properties={META_PROPERTY: meta.dumps()},
                consistency_level="Bounded",
                **options,
            )
        if not self._back_end.lite:  # a server reads nothing without an index, and extends it with every write
            self._create_index(meta.name, self._back_end.index_type(0), 0)

    # Aliases

    def aliases(self) -> dict[str, str]:
        """Return each alias with the collection that it points to."""
        with self._connection.reading("list", "aliases"):
            names = self.client.list_aliases()["aliases"]
            return {name: str(self.client.describe_alias(name)["collection_name"]) for name in sorted(names)}

    def alias_target(self, alias: str) -> str | None:
        """Return the collection that an alias points to; None if there is no such alias."""
        return self.aliases().get(alias)

    def point_alias(self, alias: str, collection: str) -> str | None:
        """Point an alias to a collection, at once for all readers; return what it pointed to before."""
        before = self.alias_target(alias)
        if before == collection:
            return before
        self.meta(collection)  # ours, and there
        try:
            with self._connection.writing("switch", alias):
                if before is None:
                    self.client.create_alias(collection, alias)
                else:
                    self.client.alter_alias(collection, alias)
        except StoreError:
            if self.alias_target(alias) != collection:  # a call that was repeated finds what the first one did
                raise
        return before

    def count(self, collection: str, condition: Filter = EVERYTHING) -> int:
        """Count the rows that match exactly, including all finished writes."""
        meta = self.meta(collection)
        # With a filter Lite builds whole records of what it counts, vectors too: 13 kB a row at 384 dimensions.
        by_keys = self._back_end.lite and bool(condition.expression)
        with self._connection.reading("count", collection):
            self._load(meta.name)
            found = self.client.query(
                collection,
                filter=condition.expression,
                output_fields=[primary_key(meta.kind) if by_keys else "count(*)"],
                consistency_level="Strong",
                **self._only(meta.name, condition),
            )
            return len(found) if by_keys else int(found[0]["count(*)"])

    def has_rows(self, collection: str, condition: Filter = EVERYTHING) -> bool:
        """Return whether a row matches, including all finished writes; unlike a count, it does not collect them all."""
        if not condition.expression:
            return self.count(collection) > 0
        meta = self.meta(collection)
        with self._connection.reading("read", collection):
            self._load(meta.name)
            found = self.client.query(
                collection,
                filter=condition.expression,
                output_fields=[primary_key(meta.kind)],
                limit=1,
                consistency_level="Strong",
                **self._only(meta.name, condition),
            )
        return bool(found)

    # Indexes

    def build_index(self, collection: str, index_type: str | None = None, *, resize: bool = False) -> str:
        """Build or renew the index over the present rows; call it after writing.  Return the index type.

        Args:
            collection: Name (not an alias).
            index_type: Default: Lite FLAT up to 20,000 rows, then IVF_FLAT; servers the type that there is.
            resize: Give a server's collection the type that fits its size, HNSW or DISKANN; it answers no question from
                the collection while it builds another one.

        Raises:
            StoreError: this back end has no such index type.
        """
        if index_type is not None:
            self._back_end.check_index_type(index_type)
        rows = self.count(collection)
        with self._connection.writing("index", collection):
            self.client.flush(collection)
            current = self._index(collection)
            kept = None if self._back_end.lite or resize else current.get("index_type")
            wanted = str(index_type or kept or self._back_end.index_type(rows))
            # Lite does not build an index that was made before the rows.
            behind = self._back_end.lite and int(current.get("pending_index_rows", 0)) > 0
            if current.get("index_type") != wanted or behind:
                self.client.release_collection(collection)
                self._ready.pop(collection, None)
                if current:
                    self.client.drop_index(collection, "embedding")
                self._create_index(collection, wanted, rows)
                self._connection.note_index_change()
            self._open(collection)
        self._unindexed.pop(collection, None)
        self._indexed[collection] = rows
        return wanted

    def renew_indexes(self) -> list[str]:
        """Renew the index of each collection that rows were written into through this connection; return their names.

        New rows are found before that, too: by looking at each.
        """
        behind = [name for name in sorted(self._unindexed) if self.exists(name)]
        for name in behind:
            self.build_index(name)
        self._unindexed.clear()
        return behind

    def renew_if_due(self, collection: str) -> bool:
        """Renew the index if many rows were written since that was done here, half as many as it had; return whether.

        So a long ingest renews a few times, the more seldom the larger the collection is.
        """
        due = self._unindexed.get(collection, 0) >= max(LITE_FLAT_ROWS, self._indexed.get(collection, 0) // 2)
        if due:
            self.build_index(collection)
        return due

    def _create_index(self, collection: str, index_type: str, rows: int) -> None:
        params = self.client.prepare_index_params()
        params.add_index(
            "embedding", index_type=index_type, metric_type="COSINE", params=index_params(index_type, rows)
        )
        with self._connection.writing("index", collection):
            self.client.create_index(collection, params)

    def _index(self, collection: str) -> dict[str, Any]:
        names = self.client.list_indexes(collection)
        return dict(self.client.describe_index(collection, names[0]) or {}) if names else {}

    def _load(self, collection: str) -> None:
        """Load a collection (or an alias's target) if necessary; reading needs no index."""
        if self._back_end.lite:
            self.client.load_collection(collection)
        else:
            self._open(collection)

    def _only(self, collection: str, condition: Filter) -> dict[str, Any]:
        """Return the option of a call that has Lite read the partitions of a condition's scenes only.

        Otherwise it puts the vectors of all rows together, to count a few.  Servers do this by themselves.
        """
        if not self._back_end.lite or not condition.scenes or len(condition.scenes) > len(LITE_PARTITIONS):
            return {}
        if collection not in self._filed:
            self._filed[collection] = set(LITE_PARTITIONS) <= set(self.client.list_partitions(collection))
        return {"partition_names": lite_partitions(condition.scenes)} if self._filed[collection] else {}

    def _open(self, collection: str) -> Index:
        """Load a collection (or an alias's target) if necessary, and return its index.

        A Lite file is loaded each time, as its server may have been restarted, and its index is asked for again when a
        process has changed one: asking looks at all rows.
        """
        known = self._ready.get(collection)
        if known is not None:
            return known
        if self._back_end.lite:
            version = self._connection.index_version()
            kept = self._known.get(collection)
            if kept is not None and kept[0] == version:
                self.client.load_collection(collection)
                return kept[1]
        described = self._index(collection)
        if not described:
            if self._back_end.lite:
                return Index("FLAT", 0)  # without an index Lite looks at every row
            self._create_index(collection, self._back_end.index_type(0), 0)
            described = self._index(collection)
        self.client.load_collection(collection)
        index = Index(str(described["index_type"]), int(described.get("indexed_rows") or 0))
        if self._back_end.lite:
            self._known[collection] = version, index
        else:
            self._ready[collection] = index
        return index


def _key(meta: CollectionMeta) -> str:
    return "" if meta.recipe is None else meta.recipe.key


def _said(meta: CollectionMeta) -> str:
    return f"{meta.kind} of dim={meta.dim} {_key(meta)}".rstrip()
