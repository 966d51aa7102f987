"""What every back end of the vector store must do; run by Lite's unit tests and by the server's integration tests."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from imagerag_assets.errors import FingerprintError, InputError, StoreError
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shard_columns import patch_table

DIM = 16
HARD_TEXTS = [
    'say "hi"',
    "it's",
    "a{b}c",
    "{{x}}",
    "back\\slash\\",
    "tab\tnew\nline",
    "日本語 🛰",
    "%_like%",
    "] or id != [",
]


def fingerprint_for(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def unit_vectors(count: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def patches(scene: str, count: int, *, seed: int = 0, level: int = 0, **columns: Any) -> pa.Table:
    """`count` patches of a scene, each 0.1 degree wide, from 10 degrees east eastwards."""
    index = np.arange(count)
    base = {
        "patch_id": [f"{scene}:pyramid:{level}:0:{i}" for i in index],
        "scene_key": [scene] * count,
        "acquired_at": 1_700_000_000_000 + index,
        "level": [level] * count,
        "row": [0] * count,
        "col": index,
        "x0": index * 128,
        "y0": [0] * count,
        "x1": index * 128 + 256,
        "y1": [256] * count,
        "west": 10 + index * 0.1,
        "south": [50.0] * count,
        "east": 10.1 + index * 0.1,
        "north": [50.1] * count,
        "valid_fraction": [1.0] * count,
        "cloud_fraction": [0.25] * count,
        "modality": ["optical"] * count,
    }
    return patch_table({**base, **columns}, unit_vectors(count, seed))


def knowledge(texts: list[str]) -> pa.Table:
    vectors = unit_vectors(len(texts), 3)
    return pa.table(
        {
            "id": [f"k{i}" for i in range(len(texts))],
            "text": texts,
            "image": ["x.png"] * len(texts),
            "label": texts,
            "kb_version": ["v1"] * len(texts),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM),
        }
    )


class VectorStoreContract:
    """Subclasses give the fixture `store`; `fingerprint` differs for each test, and with it the collections."""

    @pytest.fixture
    def fingerprint(self, request: pytest.FixtureRequest) -> str:
        return fingerprint_for(request.node.nodeid)

    def test_upsert_counts_and_repeats_without_duplicates(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        assert name == f"patches_{fingerprint[:16]}" == store.ensure_patches(fingerprint, DIM)
        for _ in range(2):
            assert store.upsert(name, [patches("s1", 300), patches("s2", 200)]) == 500
        assert store.build_index(name) == ("FLAT" if store.back_end.lite else "HNSW")
        store.upsert(name, [patches("s3", 40, seed=5)])
        assert store.count(name) == 540
        # a partition key filed wrongly would lose rows here
        assert [store.count(name, Filter().scene_in([key])) for key in ("s1", "s2", "s3", "s4")] == [300, 200, 40, 0]
        assert store.count(name, Filter().scene_in([])) == 0

    def test_indexes_are_renewed_once_and_new_rows_are_found_before(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        for number in range(20):
            rows = patches(f"s{number}", 3, seed=number)
            assert store.replace_scene(name, f"s{number}", [rows], before=0) == 3
            assert not store.renew_if_due(name)
        assert store.count(name) == 60  # a strong read, as below
        assert store.search(name, unit_vectors(3, 19)[:1], limit=1)[0][0].id == "s19:pyramid:0:0:0"
        assert name in store.renew_indexes()
        assert store.renew_indexes() == []
        # Lite reads only the partitions in which it files these scenes
        assert [store.count(name, Filter().scene_in([f"s{number}"])) for number in range(21)] == [3] * 20 + [0]
        two = Filter().scene_in(["s1", "s2"])
        assert (store.count(name, two), store.count(name, two.scene_in(["s2", "s3"]))) == (6, 3)
        assert store.count(name, two.scene_in(["s3"])) == 0
        found = store.search(name, unit_vectors(3, 2)[:1], limit=9, condition=two)[0]
        assert (len(found), found[0].id) == (6, "s2:pyramid:0:0:0")

    def test_search_finds_exact_rows_and_returns_fields(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        store.upsert(name, [patches("s1", 200), patches("s2", 200, seed=1)])
        store.build_index(name)
        store.upsert(name, [patches("s3", 1, seed=2)])  # after the index
        assert store.count(name) == 401  # a strong read: a server may answer a search from a moment before the upsert
        queries = np.concatenate([unit_vectors(200, 0)[[7]], unit_vectors(1, 2)])
        hits = store.search(name, queries, limit=3, fields=["x0", "west", "embedding"])
        assert [row[0].id for row in hits] == ["s1:pyramid:0:0:7", "s3:pyramid:0:0:0"]
        assert hits[0][0].score == pytest.approx(1.0, abs=1e-4)
        assert hits[0][0].score >= hits[0][1].score >= hits[0][2].score
        assert hits[0][0].fields["x0"] == 7 * 128
        assert hits[0][0].fields["embedding"].dtype == np.float32
        np.testing.assert_allclose(hits[0][0].fields["embedding"], queries[0], atol=1e-6)
        only = store.search(name, queries, condition=Filter().scene_in(["s2"]), limit=250)
        assert all(hit.id.startswith("s2:") for row in only for hit in row)
        assert [len(row) for row in only] == [200, 200]
        assert store.search(name, queries[:0]) == []

    def test_filters_by_area_time_level_and_cloud(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        nowhere = {key: [None] * 5 for key in ("west", "south", "east", "north", "acquired_at", "cloud_fraction")}
        old = -1_000_000_000_000  # 1938: aerial archives are older than 1970
        tables = [
            patches("here", 10),
            patches("bare", 5, level=2, **nowhere),
            patches("fiji", 1, west=[179.5], east=[179.9], south=[-18.0], north=[-17.9], acquired_at=[old]),
            patches("samoa", 1, west=[-172.0], east=[-171.5], south=[-14.0], north=[-13.5], modality=["sar"]),
        ]
        store.upsert(name, tables)

        def ids(condition: Filter) -> set[str]:
            return {row["scene_key"] for row in store.query(name, condition, ["scene_key"])}

        assert store.count(name, Filter().bbox_intersects(10.45, 50, 10.75, 51)) == 4
        assert ids(Filter().bbox_intersects(-180, -90, 180, 90)) == {"here", "fiji", "samoa"}
        assert ids(Filter().bbox_intersects(170, -20, -170, 0)) == {"fiji", "samoa"}
        assert ids(Filter().bbox_intersects(0, 0, 1e-05, 1e-05)) == set()
        assert ids(Filter().acquired_between(None, 0)) == {"fiji"}
        assert ids(Filter().acquired_between(None, None)) == {"here", "fiji", "samoa"}
        assert store.count(name, Filter().acquired_between(1_700_000_000_002, 1_700_000_000_004)) == 3
        assert ids(Filter().one_of("level", [2, 3])) == {"bare"}
        assert ids(Filter().one_of("modality", ["sar"])) == {"samoa"}
        assert ids(Filter().cloud_at_most(0.25)) == {"here", "fiji", "samoa"}
        assert ids(Filter().scene_in(["here", "bare"]).bbox_intersects(10, 50, 11, 51)) == {"here"}
        (bare,) = store.get_rows(name, ["bare:pyramid:2:0:1"])
        assert (bare["west"], bare["acquired_at"], bare["cloud_fraction"]) == (None, None, None)

    def test_a_patch_across_the_antimeridian_is_found_from_both_sides(
        self, store: VectorStore, fingerprint: str
    ) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        nowhere = {key: [None] for key in ("west", "south", "east", "north")}
        at = {"south": [60.0], "north": [62.0]}
        tables = [
            patches("across", 1, west=[177.7], east=[-178.8], **at),
            patches("west", 1, west=[170.0], east=[171.0], **at),
            patches("east", 1, west=[-171.0], east=[-170.0], **at),
            patches("world", 1, west=[-180.0], east=[180.0], **at),
            patches("bare", 1, **nowhere),
        ]
        store.upsert(name, tables)

        def at_area(*area: float) -> set[str]:
            return {row["scene_key"] for row in store.query(name, Filter().bbox_intersects(*area), ["scene_key"])}

        assert at_area(178, 61, 179, 61.5) == {"across", "world"}
        assert at_area(-179, 61, -178.9, 61.5) == {"across", "world"}
        assert at_area(179, 61, -179, 61.5) == {"across", "world"}
        assert at_area(170.5, 61, -170.5, 61.5) == {"across", "west", "east", "world"}
        assert at_area(5, 61, 15, 61.5) == {"world"}  # Norway
        assert at_area(175, 61, 177, 61.5) == {"world"}
        assert at_area(-178, 61, 177, 61.5) == {"west", "east", "world"}
        assert at_area(-180, -90, 180, 90) == {"across", "west", "east", "world"}
        assert at_area(179, 63, -179, 64) == set()

    def test_replacing_a_scene_leaves_only_its_new_rows(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        assert store.replace_scene(name, "s1", [patches("s1", 50)]) == 50
        assert store.replace_scene(name, "s10", [patches("s10", 5)]) == 5
        # half of a replacement, as a kill would leave it
        store.upsert(name, [patches("s1", 20, seed=9, level=1)])
        assert store.count(name, Filter().scene_in(["s1"])) == 70
        new = patches("s1", 30, seed=8)
        assert store.replace_scene(name, "s1", new.to_batches(max_chunksize=7)) == 30
        assert store.count(name) == 35
        (row,) = store.get_rows(name, ["s1:pyramid:0:0:3"], embedding=True)
        np.testing.assert_allclose(row["embedding"], unit_vectors(30, 8)[3], atol=1e-6)
        with pytest.raises(StoreError, match="another scene"):
            store.replace_scene(name, "s10", [patches("s1", 2)])
        store.delete_scene(name, "s1")
        assert store.count(name) == 5
        assert store.replace_scene(name, "s10", []) == 0

    @pytest.mark.parametrize("kind", ["knowledge_labels", "knowledge_captions"])
    def test_hard_texts_are_data(self, store: VectorStore, fingerprint: str, kind: Any) -> None:
        name = store.ensure_knowledge(kind, fingerprint, DIM)
        store.upsert(name, [knowledge(HARD_TEXTS)])
        store.build_index(name)
        for index, text in enumerate(HARD_TEXTS):
            rows = store.query(name, Filter().one_of("label", [text]), ["id", "text"])
            assert rows == [{"id": f"k{index}", "text": text}]
        assert store.count(name, Filter().one_of("label", HARD_TEXTS)) == len(HARD_TEXTS)
        with pytest.raises(InputError, match="control characters"):
            store.count(name, Filter().one_of("label", ["nul\0"]))
        store.delete(name, ["k1", "k1", "no such"])
        assert [row["id"] for row in store.get_rows(name, ["k2", "k1", "k0"])] == ["k2", "k0"]

    def test_alias_switches_and_protects(self, store: VectorStore, fingerprint: str) -> None:
        alias = f"a_{fingerprint[:8]}"
        old, new = store.ensure_patches(fingerprint, DIM), store.ensure_patches(fingerprint_for(fingerprint), DIM)
        store.upsert(old, [patches("old", 3)])
        store.upsert(new, [patches("new", 4)])
        assert store.alias_target(alias) is None
        assert store.point_alias(alias, old) is None
        assert store.count(alias) == 3
        assert store.point_alias(alias, new) == old
        assert store.point_alias(alias, new) == new
        assert store.search(alias, unit_vectors(1, 0), limit=1)[0][0].id.startswith("new:")
        assert store.count(alias) == 4
        with pytest.raises(StoreError, match="in use as a_"):
            store.drop(new)
        assert store.meta(alias).fingerprint == fingerprint_for(fingerprint)
        with pytest.raises(FingerprintError, match=r"stored=\w{64}, required=\w{64}.*imagerag backfill"):
            store.verify(alias, fingerprint)
        infos = {info.name: info for info in store.list_collections()}
        assert (infos[new].rows, infos[new].aliases, infos[old].aliases) == (4, (alias,), ())
        assert infos[old].fingerprint == fingerprint
        store.drop(old)
        store.drop(old)
        assert not store.exists(old)
        with pytest.raises(StoreError, match="no collection or alias"):
            store.point_alias(alias, old)

    def test_wrong_requests_are_refused_in_one_line(self, store: VectorStore, fingerprint: str) -> None:
        name = store.ensure_patches(fingerprint, DIM)
        with pytest.raises(FingerprintError, match="differs"):
            store.ensure_patches(fingerprint, DIM * 2)
        twin = fingerprint[:16] + fingerprint[16:][::-1]  # equal in the part that names the collection
        with pytest.raises(FingerprintError, match="stored="):
            store.ensure_patches(twin, DIM)
        with pytest.raises(StoreError, match="do not fit"):
            store.search(name, np.zeros((1, DIM + 1), dtype=np.float32))
        with pytest.raises(StoreError, match="no working index type 'SCANN'"):
            store.build_index(name, "SCANN")
        with pytest.raises(StoreError, match="lack"):
            store.upsert(name, [knowledge(["x"])])
        with pytest.raises(StoreError, match="no collection or alias 'nope'") as caught:
            store.count("nope")
        assert "\n" not in str(caught.value)
        assert store.ensure_patches(fingerprint, DIM, Recipe("vit")) == f"{name}_vit"
