"""The vector store on a real Milvus server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.doctor import examine
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.status import status
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.deep_looks import Looked, look_deep
from imagerag_assets.scenes.removed import mark_removed
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores import milvus
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.watched_sources.purge import purge
from tests.installation import installed  # noqa: F401
from tests.integration.test_doctor_deep import DAMAGES, make
from tests.milvus_server import ROOT_PASSWORD, USER_TOKEN, at_server, milvus_user
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401
from tests.unit.stores.vector_store_contract import DIM, VectorStoreContract, fingerprint_for, patches


class TestServer(VectorStoreContract):
    @pytest.fixture
    def store(self, milvus_server: str, tmp_path: Path) -> Iterator[VectorStore]:
        with VectorStore(load_settings(home=tmp_path, _env_file=None, **at_server(milvus_server))) as store:
            yield store
            for alias in store.aliases():  # the server is shared with other tests
                store.client.drop_alias(alias)
            for collection in store.list_collections():
                store.drop(collection.name)

    def test_an_old_server_gets_no_partition_key(self, store: VectorStore) -> None:
        assert not store.back_end.lite
        assert store.back_end.partition_keys == (store.back_end.version >= (2, 4))

    @pytest.mark.parametrize("limit", [16_384, 3])
    def test_keys_are_read_with_all_finished_writes(
        self, store: VectorStore, fingerprint: str, limit: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also those that do not fit into one query."""
        monkeypatch.setattr(milvus, "_MAX_LIMIT", limit)
        name = store.ensure_patches(fingerprint, DIM)
        for number in range(1, 4):
            store.upsert(name, [patches(f"s{number}", 5)])
            assert len(store.ids_of_scene(name, f"s{number}")) == 5
            assert sum(store.rows_of_scenes(name).values()) == 5 * number
        store.delete_scene(name, "s1")
        assert store.ids_of_scene(name, "s1") == set()


def state(vectors: VectorStore, collection: str) -> LoadState:
    return vectors.client.get_load_state(collection)["state"]


def test_status_doctor_and_purge_leave_retired_collections_out_of_memory(
    milvus_server: str,
    tiny_settings: Settings,  # noqa: F811
) -> None:
    settings = tiny_settings.model_copy(update=at_server(milvus_server))
    with Platform(settings) as platform:
        vectors = platform.vectors
        live, retired = (vectors.ensure_patches(fingerprint_for(name), DIM) for name in ("live one", "retired one"))
        for name in (live, retired):
            vectors.upsert(name, [patches("gone", 30), patches("kept", 20)])
            vectors.build_index(name)
    with Platform(settings) as platform:
        vectors = platform.vectors
        vectors.client.release_collection(retired)
        rows = {each["name"]: each["rows"] for each in status(platform)["collections"]}
        assert (rows[live], rows[retired]) == (50, 50)
        (milvus,) = (check for check in examine(settings) if check.name == "milvus")
        assert milvus.status == "ok"
        assert (state(vectors, live), state(vectors, retired)) == (LoadState.Loaded, LoadState.NotLoad)

        mark_removed(platform, "gone")
        (purged,) = purge(platform, ["gone"])
        assert purged.rows == 60
        assert (state(vectors, live), state(vectors, retired)) == (LoadState.Loaded, LoadState.NotLoad)
        assert [vectors.count(name) for name in (live, retired)] == [20, 20]
        for name in (live, retired):  # the server is shared with other tests
            vectors.drop(name)


MANY = (
    ("other rows", "rows of no scene", "overview", "patch table", "typed partition", "events", "evidence", "lock"),
    ("Milvus lost", "damaged shard", "record", "partition"),
    ("rows missing", "shard of no scene", "item"),
    ("alias",),  # which writing rows mends, too
)
"""Damages that are mended together; each is mended alone with Milvus Lite, by `test_doctor_deep`."""


def test_differences_of_all_kinds_are_named_and_mended(
    milvus_server: str,
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {name for names in MANY for name in names} == set(DAMAGES)
    monkeypatch.setenv("IMAGERAG_MILVUS_URI", milvus_server)
    monkeypatch.setenv("IMAGERAG_MILVUS_TOKEN", USER_TOKEN)
    make(tmp_path, capsys)
    settings = load_settings()
    with Platform(settings) as platform, dagster_instance(settings) as instance:
        on = Looked(platform, instance)
        for names in MANY:
            for name in names:
                DAMAGES[name][0](platform)
            mended = look_deep(on, repair=True)["differences"]
            assert {each["kind"] for each in mended} >= set().union(*(DAMAGES[name][1] for name in names))
            assert (names, [each for each in mended if not each["mended"]]) == (names, [])
        assert look_deep(on)["differences"] == []
        collection = platform.vectors.alias_target("patches")
        assert collection is not None
        platform.vectors.client.drop_alias("patches")  # the server is shared with other tests
        platform.vectors.drop(collection)


def test_the_programs_user_works_in_its_database_and_manages_nothing(milvus_server: str) -> None:
    """All else of this file, and switches and faults elsewhere, is done as this user."""
    user, password = USER_TOKEN.split(":")
    milvus_user().set_up(milvus_server, ROOT_PASSWORD, user, password)  # again: nothing to do
    assert not milvus_user()._admits(milvus_server, "root", milvus_user().FIRST_PASSWORD)
    client = MilvusClient(uri=milvus_server, token=USER_TOKEN, timeout=10)
    refused: dict[str, Callable[[], object]] = {
        "CreateOwnership": lambda: client.create_user("other", "other-password"),
        "ManageOwnership": lambda: client.grant_role(user, "admin"),
        "DropOwnership": lambda: client.drop_user("root"),
        "SelectOwnership": client.list_users,
        "CreateDatabase": lambda: client.create_database("other"),
    }
    for privilege, call in refused.items():
        with pytest.raises(grpc.RpcError, match=f"Privilege{privilege}: permission deny"):
            call()
    client.close()
    milvus_user().set_up(milvus_server, ROOT_PASSWORD, user, "another-one")  # a new password takes the place of the old
    assert not milvus_user()._admits(milvus_server, user, password)
    milvus_user().set_up(milvus_server, ROOT_PASSWORD, user, password)
    with pytest.raises(MilvusException):
        MilvusClient(uri=milvus_server, timeout=2)


def test_the_programs_user_may_do_what_the_program_calls_at_the_newest_servers() -> None:
    """Each call's privilege, as the client's protocol says it; the server of these tests is an old one."""
    privileges = {*milvus_user().COLLECTION, *milvus_user().DATABASE}
    requests = (
        "AlterAlias", "CreateAlias", "CreateCollection", "CreateIndex", "Delete", "DescribeAlias", "DescribeCollection",
        "DescribeIndex", "DropAlias", "DropCollection", "DropIndex", "Flush", "GetCollectionStatistics",
        "GetFlushState", "GetLoadState", "GetLoadingProgress", "ListAliases", "LoadCollection", "Query",
        "ReleaseCollection", "Search",        "Upsert",
    )  # fmt: skip
    needed = set()
    for name in requests:
        options = milvus_pb2.DESCRIPTOR.message_types_by_name[f"{name}Request"].GetOptions()
        extension = options.Extensions[common_pb2.privilege_ext_obj]
        needed.add(common_pb2.ObjectPrivilege.Name(extension.object_privilege).removeprefix("Privilege"))
    assert needed <= privileges
    # What was granted and is needed by none of these: listing, which asks no more of a user than to be known.
    assert privileges - needed == {"Insert", "ShowCollections"}


def test_no_server_there(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, milvus_uri="http://127.0.0.1:1", _env_file=None)
    with pytest.raises(StoreError, match=r"Milvus cannot be reached.*http://127\.0\.0\.1:1.*imagerag dev"):
        VectorStore(settings)
