"""Checks: each finds what is wrong with a real scene, shard or collection, and nothing with a good one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from imagerag_assets.errors import CheckError, StoreError
from imagerag_assets.evaluation.benchmarks import Benchmark, check_benchmark, save_benchmark
from imagerag_assets.ingestion.checks import CheckOutcome, check_rows, check_scene, require
from imagerag_assets.ingestion.ingest import embed, index, patch_table, register, shard_key
from imagerag_assets.ingestion.shard_checks import check_shard
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.records import footprint, load_record, overview_key, record_key
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import ShardKey, ShardWriter, read_shard, shard_info
from tests.items import scene_at, texture, write_scene

SCENE = "field"


@pytest.fixture
def embedded(platform: Platform, tmp_path: Path) -> Platform:
    """A scene with a nodata corner that is registered, divided and embedded."""
    pixels = texture(600, 700)
    pixels[:, :300, :300] = 0
    item = write_scene(tmp_path / "source", SCENE, pixels, profile={"nodata": 0})
    register(platform, scene_at(item, platform.settings))
    patch_table(platform, SCENE)
    embed(platform, SCENE)
    return platform


def wrong(outcomes: list[CheckOutcome]) -> dict[str, str]:
    """Descriptions of the checks that did not pass."""
    return {each.name: each.description for each in outcomes if not each.passed}


def rewrite(
    platform: Platform,
    change: Callable[[dict[str, pa.Array], np.ndarray], None],
    *,
    key: Callable[[ShardKey], ShardKey] = lambda key: key,
    rows: slice = slice(None),
) -> None:
    """Write the scene's shard again with other vectors, rows or metadata, at the same place."""
    right = shard_key(platform, load_record(platform, SCENE))
    info, table = shard_info(platform.store, right), read_shard(platform.store, right).drop_columns(["geometry"])
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    vectors = embeddings_of(table).copy()
    change(columns, vectors)
    flat = pa.array(vectors.reshape(-1))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, info.dim)
    made = pa.table(columns, schema=table.schema)
    picked = made.take(np.arange(made.num_rows)[rows])
    with ShardWriter(platform.store, key(right), dim=info.dim, encoder=info.encoder) as writer:
        writer.append(pa.concat_tables([picked]))
        written = writer.commit(dropped=info.dropped)
    if written.key.path != right.path:
        platform.store.write_bytes(right.path, platform.store.read_bytes(written.key.path))


def test_a_good_scene_passes_everything(embedded: Platform) -> None:
    index(embedded, SCENE)
    outcomes = [*check_scene(embedded, SCENE), *check_shard(embedded, SCENE), *check_rows(embedded, SCENE)]
    assert wrong(outcomes) == {}
    require(outcomes, SCENE)
    by_name = {each.name: each for each in outcomes}
    counts = by_name["rows_equal_patches"].counts
    assert counts["dropped"] > 0
    assert counts["rows"] + counts["dropped"] == counts["patches"]
    assert by_name["retrieval_probe"].counts == {"probes": 8, "found": 8}
    assert by_name["duplicate_patches"].counts["duplicates"] == 0
    assert 0 < by_name["nodata_share"].counts["share"] < 0.5


def test_vectors_that_cannot_be_compared(embedded: Platform) -> None:
    def spoil(_: dict[str, pa.Array], vectors: np.ndarray) -> None:
        vectors[3, 5], vectors[4, 0], vectors[7] = np.nan, -np.inf, 1.01 * vectors[7]

    rewrite(embedded, spoil)
    found = wrong(check_shard(embedded, SCENE))
    assert found.keys() == {"no_nan", "unit_norms"}
    assert found["no_nan"].startswith("2 of")
    assert found["unit_norms"].startswith("1 of")
    with pytest.raises(CheckError, match=r"2 of .* NaN.*; 1 of .*length 1.*scene=field.*Delete .*parquet and run"):
        require(check_shard(embedded, SCENE), SCENE)


@pytest.mark.parametrize("rows", [slice(0, -1), slice(0, 0)])
def test_rows_that_are_missing(embedded: Platform, rows: slice) -> None:
    rewrite(embedded, lambda columns, vectors: None, rows=rows)
    assert "rows_equal_patches" in wrong(check_shard(embedded, SCENE))


def test_rows_of_no_patch_and_rows_twice(embedded: Platform) -> None:
    def spoil(columns: dict[str, pa.Array], _: np.ndarray) -> None:
        for name, row, value in (("col", 0, 10_000), ("level", 1, 99), ("row", 2, -1)):
            changed = columns[name].to_numpy(zero_copy_only=False).copy()
            changed[row] = value
            columns[name] = pa.array(changed, columns[name].type)
        for name in ("level", "row", "col"):
            changed = columns[name].to_numpy(zero_copy_only=False).copy()
            changed[5] = changed[6]
            columns[name] = pa.array(changed, columns[name].type)

    rewrite(embedded, spoil)
    found = wrong(check_shard(embedded, SCENE))
    assert "1 rows are there twice, 3 are of no patch" in found["rows_equal_patches"]


def test_a_shard_at_anothers_place(embedded: Platform) -> None:
    rewrite(
        embedded, lambda columns, vectors: None, key=lambda key: replace(key, fingerprint="0" * 64, version="f" * 64)
    )
    found = wrong(check_shard(embedded, SCENE))
    assert found.keys() == {"fingerprint_equal"}
    assert "stored=0000000000000000, required=" in found["fingerprint_equal"]
    assert "etag" in found["fingerprint_equal"]


def test_vectors_that_are_nearly_the_same_are_reported(embedded: Platform) -> None:
    def repeat(_: dict[str, pa.Array], vectors: np.ndarray) -> None:
        noise = np.random.default_rng(1).normal(0, 1e-7, vectors[::2].shape)
        vectors[::2] = vectors[0] + noise

    rewrite(embedded, repeat)
    outcomes = check_shard(embedded, SCENE)
    assert wrong(outcomes).keys() == {"duplicate_patches"}
    require(outcomes, SCENE)  # a warning stops nothing


def test_a_scene_that_is_mostly_empty_is_reported(platform: Platform, tmp_path: Path) -> None:
    pixels = np.zeros((3, 600, 700), np.uint8)
    pixels[:, :200, :200] = texture(200, 200) | 1
    item = write_scene(tmp_path / "source", SCENE, pixels, profile={"nodata": 0})
    register(platform, scene_at(item, platform.settings))
    embed(platform, SCENE)  # and no patch table: the division itself says how many patches there are
    assert wrong(check_shard(platform, SCENE)).keys() == {"nodata_share"}


def test_a_shard_that_is_missing_or_damaged_is_said(embedded: Platform) -> None:
    path = shard_key(embedded, load_record(embedded, SCENE)).path
    embedded.store.write_bytes(path, b"PAR1")
    with pytest.raises(StoreError, match="damaged"):
        check_shard(embedded, SCENE)
    embedded.store.delete(path)
    with pytest.raises(StoreError, match="Not found"):
        check_shard(embedded, SCENE)


def test_rows_that_the_collection_lost(embedded: Platform) -> None:
    collection = index(embedded, SCENE).collection
    patches = read_shard(embedded.store, shard_key(embedded, load_record(embedded, SCENE)), columns=["patch_id"])
    embedded.vectors.delete(collection, patches.column("patch_id").to_pylist()[: patches.num_rows // 2])
    found = wrong(check_rows(embedded, SCENE))
    assert found.keys() == {"rows_equal_shard", "retrieval_probe"}


def test_an_item_that_lost_its_overview_and_place(embedded: Platform) -> None:
    assert wrong(check_scene(embedded, SCENE)) == {}
    embedded.store.write_bytes(overview_key(SCENE), b"no picture")
    stored = embedded.store.read_json(record_key(SCENE))
    stored["scene"]["bbox"] = [100.0, 0.0, 101.0, 1.0]
    stored["grid"]["transform"] = [0.0, 0.0, 5.0, 0.0, 0.0, 5.0]
    embedded.store.write_json(record_key(SCENE), stored)
    found = wrong(check_scene(embedded, SCENE))
    assert found.keys() == {"item_valid", "item_place"}
    assert "transform cannot be inverted, its overview is no picture" in found["item_valid"]


def test_the_footprint_is_the_rasters(embedded: Platform) -> None:
    record = load_record(embedded, SCENE)
    west, south, east, north = footprint(record) or (0.0,) * 4
    assert record.scene.bbox == pytest.approx((west, south, east, north), abs=1e-6)
    assert footprint(replace(record, grid=replace(record.grid, crs_wkt=None))) == record.scene.bbox


def test_the_latest_figures_of_the_encoder_in_use(platform: Platform) -> None:
    outcome = check_benchmark(platform)
    assert (outcome.passed, outcome.severity) == (False, "warn")
    assert "tiny" in outcome.description
    figure = {"value": 0.75, "n": 40, "low": 0.6, "high": 0.86}
    measured = Benchmark(
        "retrieval", "2026-05-01T00:00:00+00:00", "tiny", platform.fingerprint, questions=50, failed=0, left_out=0,
        options={}, metrics={"recall": {"all": {"half_covered": figure}}},
    )  # fmt: skip
    save_benchmark(platform, measured)
    save_benchmark(platform, replace(measured, fingerprint="0" * 64, at="2026-06-01T00:00:00+00:00"))
    outcome = check_benchmark(platform)
    assert outcome.passed
    assert "75% of 40 questions (95 % interval 60% to 86%)" in outcome.description
    nothing = {"value": None, "n": 0, "low": None, "high": None}
    only_absent = {"recall": {"all": {"half_covered": nothing}}}
    save_benchmark(platform, replace(measured, at="2026-07-01T00:00:00+00:00", metrics=only_absent))
    assert not check_benchmark(platform).passed
