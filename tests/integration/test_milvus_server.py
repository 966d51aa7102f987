"""The vector store on a real Milvus server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus import VectorStore
from tests.unit.stores.vector_store_contract import VectorStoreContract


class TestServer(VectorStoreContract):
    @pytest.fixture
    def store(self, milvus_server: str, tmp_path: Path) -> Iterator[VectorStore]:
        with VectorStore(load_settings(home=tmp_path, milvus_uri=milvus_server, _env_file=None)) as store:
            yield store

    def test_an_old_server_gets_no_partition_key(self, store: VectorStore) -> None:
        assert not store.back_end.lite
        assert store.back_end.partition_keys == (store.back_end.version >= (2, 4))


def test_no_server_there(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, milvus_uri="http://127.0.0.1:1", _env_file=None)
    with pytest.raises(StoreError, match=r"Milvus cannot be reached.*http://127\.0\.0\.1:1.*imagerag dev"):
        VectorStore(settings)
