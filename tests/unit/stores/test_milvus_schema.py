"""Back-end capabilities and what a collection says of itself."""

from __future__ import annotations

import json

import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.stores.collection_meta import CollectionMeta
from imagerag_assets.stores.milvus_schema import BackEnd, collection_schema, parse_version, search_params

FINGERPRINT = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("said", "version"),
    [("v2.3.5-lite", (2, 3)), ("milvus_lite-3.2.2", (3, 2)), ("2.6.14", (2, 6)), ("Zilliz Cloud", (99, 0))],
)
def test_versions(said: str, version: tuple[int, int]) -> None:
    assert parse_version(said) == version


def test_partition_key_only_where_upserts_respect_it() -> None:
    meta = CollectionMeta("patches", FINGERPRINT, 8, Recipe())
    keyed = {
        (lite, version): [f.name for f in collection_schema(meta, BackEnd(lite, version)).fields if f.is_partition_key]
        for lite, version in [(True, (3, 2)), (False, (2, 3)), (False, (2, 6))]
    }
    assert keyed == {(True, (3, 2)): ["scene_key"], (False, (2, 3)): [], (False, (2, 6)): ["scene_key"]}


def test_index_types() -> None:
    lite, server = BackEnd(True, (3, 2)), BackEnd(False, (2, 6))
    assert (lite.index_type(10), lite.index_type(100_000), server.index_type(10)) == ("FLAT", "IVF_FLAT", "HNSW")
    assert server.check_index_type("DISKANN") == "DISKANN"
    for wrong in ("DISKANN", "SCANN", "IVF_RABITQ", "flat"):
        with pytest.raises(StoreError, match="Use one of FLAT, HNSW, IVF_FLAT"):
            lite.check_index_type(wrong)
    assert search_params("HNSW", 0, 1000)["ef"] >= 1000


def test_a_name_says_what_is_not_the_default() -> None:
    base = f"patches_{FINGERPRINT[:16]}"
    names = {
        Recipe(): base,
        Recipe("vit", 192): f"{base}_vit",
        Recipe(patch_px=192): f"{base}_pyramid_p192_o0p5",
        Recipe(patch_overlap=1 / 3): f"{base}_pyramid_p256_o0p3333333333333333",
        Recipe(min_valid_fraction=0.2): f"{base}_pyramid_v0p2",
        Recipe(stretch_percentiles=(0.5, 99.0)): f"{base}_pyramid_s0p5_99",
        Recipe(patch_px=192, code_version="2"): f"{base}_pyramid_p192_o0p5_c2",
    }
    assert {recipe: CollectionMeta("patches", FINGERPRINT, 8, recipe).name for recipe in names} == names
    assert CollectionMeta("knowledge_labels", FINGERPRINT, 8).name == f"knowledge_labels_{FINGERPRINT[:16]}"


def test_a_collection_of_an_older_version_is_of_the_first_recipe_unless_its_name_says_otherwise() -> None:
    for division in ("pyramid", "vit"):
        stored = {"kind": "patches", "fingerprint": FINGERPRINT, "dim": 8, "division": division, "version": 1}
        meta = CollectionMeta.from_description({"description": json.dumps(stored)})
        assert meta == CollectionMeta("patches", FINGERPRINT, 8, Recipe(division), assumed=True)


def test_meta_survives_description_or_property() -> None:
    meta = CollectionMeta("patches", FINGERPRINT, 8, Recipe("vit", min_valid_fraction=0.1))
    assert meta.division == "vit"
    assert CollectionMeta.from_description({"description": meta.dumps(), "properties": {}}) == meta
    assert CollectionMeta.from_description({"description": "", "properties": {"imagerag.meta": meta.dumps()}}) == meta
    for foreign in ("", "a demo", "[]", "null", '{"kind": "patches"}', '{"kind": "other"}'):
        assert CollectionMeta.from_description({"description": foreign}) is None
