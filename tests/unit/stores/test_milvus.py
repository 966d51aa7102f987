"""The vector store on Milvus Lite: the contract, and what only a file can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import SettingsError, StoreError
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.stores.milvus_collections import Index
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.stores.vector_store_contract import DIM, VectorStoreContract, fingerprint_for, patches, unit_vectors

FINGERPRINT = fingerprint_for("lite")


class TestLite(VectorStoreContract):
    @pytest.fixture
    def store(self, settings: Settings) -> Iterator[VectorStore]:
        with VectorStore(settings) as store:
            yield store


def test_closed_and_opened_again(settings: Settings) -> None:
    with VectorStore(settings) as first, VectorStore(settings) as second:
        name = first.ensure_patches(FINGERPRINT, DIM)
        second.upsert(name, [patches("s1", 30)])
        second.close()
        assert first.count(name) == 30  # the file stays open for the other user in this process
        first.point_alias("patches", name)
        with pytest.raises(StoreError, match="closed"):
            second.count(name)
    with VectorStore(settings) as again:
        assert again.verify("patches", FINGERPRINT).dim == DIM
        assert again.search("patches", unit_vectors(30, 0)[:1], limit=1)[0][0].id == "s1:pyramid:0:0:0"
        assert again.build_index(name) == "FLAT"
        assert again.count("patches", Filter().scene_in(["s1"])) == 30


def test_index_types_are_built_after_the_rows(settings: Settings) -> None:
    with VectorStore(settings) as store:
        name = store.ensure_patches(FINGERPRINT, DIM)
        store.upsert(name, [patches("s1", 2000)])
        expected = [hit.id for hit in store.search(name, unit_vectors(2000, 0)[:1], limit=5)[0]]
        for index_type in ("IVF_FLAT", "HNSW", "FLAT"):
            assert store.build_index(name, index_type) == index_type
            found = [hit.id for hit in store.search(name, unit_vectors(2000, 0)[:1], limit=5)[0]]
            assert found[0] == expected[0]
            assert len(set(found) & set(expected)) >= 3
        assert store.back_end.index_type(20_000) == "FLAT"
        assert store.back_end.index_type(20_001) == "IVF_FLAT"


def test_unusable_addresses(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither a path ending in"):
        VectorStore(load_settings(milvus_uri=str(tmp_path / "milvus"), _env_file=None))
    (tmp_path / "file.db").write_bytes(b"SQLite format 3\0" * 10)
    with pytest.raises(StoreError, match=r"file\.db cannot be opened"):
        VectorStore(load_settings(milvus_uri=str(tmp_path / "file.db"), _env_file=None))


def test_a_collection_of_someone_else(settings: Settings) -> None:
    with VectorStore(settings) as store:
        store.client.create_collection("theirs", dimension=4)
        assert store.list_collections() == []
        with pytest.raises(StoreError, match="not made by this system"):
            store.count("theirs")
        with pytest.raises(StoreError, match="Cannot search"):
            store.search("theirs", np.zeros(4, dtype=np.float32))


def test_an_index_that_another_connection_changed_is_noticed(settings: Settings) -> None:
    with VectorStore(settings) as one, VectorStore(settings) as other:
        name = one.ensure_patches(FINGERPRINT, DIM)
        one.upsert(name, [patches("s1", 500)])
        one.build_index(name)
        assert one._open(name) == one._open(name) == Index("FLAT", 500)
        other.build_index(name, "IVF_FLAT")
        assert one._open(name) == Index("IVF_FLAT", 500)
        assert one.search(name, unit_vectors(500, 0)[:1], limit=1)[0][0].id == "s1:pyramid:0:0:0"
        assert one.has_rows(name) and one.has_rows(name, Filter().scene_in(["s1"]))
        assert not one.has_rows(name, Filter().scene_in(["s2"]))
