"""Shards and their parts, in a folder and in a real S3 bucket."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from imagerag_assets.errors import FingerprintError, StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores import shards
from imagerag_assets.stores.shard_columns import embeddings_of, patch_table
from imagerag_assets.stores.shards import Made, ShardInfo, ShardKey, ShardWriter
from tests.s3 import S3Endpoint
from tests.unit.stores.vector_store_contract import DIM, fingerprint_for, patches, unit_vectors

KEY = ShardKey("T07HFE_2024.a-b", "pyramid-256-0.5", fingerprint_for("shards"), "9" * 32)


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings)


def write(store: ObjectStore, *tables: pa.Table, key: ShardKey = KEY) -> shards.ShardInfo:
    with ShardWriter(store, key, dim=DIM, encoder="tiny") as writer:
        for table in tables:
            writer.append(table)
        return writer.commit()


def scene(count: int, **columns: object) -> pa.Table:
    return patches(KEY.scene_key, count, **columns)


def test_round_trip_keeps_every_bit(store: ObjectStore) -> None:
    first, second = scene(9000, seed=1), scene(10, seed=2, level=1)
    info = write(store, first, second)
    assert (info.rows, info.key, info.encoder, info.dim) == (9010, KEY, "tiny", DIM)
    assert KEY.path == f"embeddings/T07HFE_2024.a-b/pyramid-256-0.5/{KEY.fingerprint[:16]}/9999999999999999.parquet"
    assert store.list() == [KEY.path]
    table = shards.read_shard(store, KEY)
    np.testing.assert_array_equal(embeddings_of(table), np.concatenate([unit_vectors(9000, 1), unit_vectors(10, 2)]))
    assert table.select(first.column_names).equals(pa.concat_tables([first, second]))
    batches = list(shards.iter_batches(store, KEY.path, columns=["embedding", "x0"], rows=1000))
    assert max(batch.num_rows for batch in batches) <= 1000
    np.testing.assert_array_equal(np.concatenate([embeddings_of(b) for b in batches]), embeddings_of(table))
    np.testing.assert_array_equal(embeddings_of(table.slice(8999, 3)), embeddings_of(table)[8999:9002])


def test_geopandas_reads_it(store: ObjectStore) -> None:
    write(store, scene(20), scene(3, level=2, **{name: [None] * 3 for name in ("west", "south", "east", "north")}))
    frame = geopandas.read_parquet(store.url(KEY.path))
    assert frame.crs.to_string() == "OGC:CRS84"
    assert frame.geometry.isna().sum() == 3
    np.testing.assert_allclose(frame.total_bounds, [10.0, 50.0, 12.0, 50.1])
    assert frame.geometry.iloc[0].bounds == pytest.approx((10.0, 50.0, 10.1, 50.1))
    assert frame.cloud_fraction.iloc[0] == pytest.approx(0.25)


def test_across_the_antimeridian_a_patch_has_two_boxes(store: ObjectStore) -> None:
    across = {"west": [179.9], "south": [-1.0], "east": [-179.9], "north": [1.0]}
    write(store, scene(1, **across), scene(1, level=1, west=[179.8], south=[-1.0], east=[179.9], north=[1.0]))
    frame = geopandas.read_parquet(store.url(KEY.path))
    assert list(frame.geom_type) == ["MultiPolygon", "Polygon"]
    assert frame.geometry.is_valid.all()
    assert shapely.area(frame.geometry.iloc[0]) == pytest.approx(0.2 * 2.0)
    np.testing.assert_allclose(frame.total_bounds, [-180.0, -1.0, 180.0, 1.0])
    about = json.loads(pq.read_metadata(store.url(KEY.path)).metadata[b"geo"])["columns"]["geometry"]
    assert about["bbox"] == [179.8, -1.0, -179.9, 1.0]  # west first, also where it is greater, as GeoParquet asks


def test_an_uncommitted_shard_does_not_exist(store: ObjectStore, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    with ShardWriter(store, KEY, dim=DIM, encoder="e", scratch=scratch) as writer:
        writer.append(scene(9000))
        assert list(scratch.iterdir())
    assert store.list() == []
    assert list(scratch.iterdir()) == []


def test_a_scene_without_usable_patches_has_an_empty_shard(store: ObjectStore) -> None:
    assert write(store).rows == 0
    assert write(store, scene(1).slice(0, 0)).rows == 0
    assert shards.verify_shard(store, KEY, KEY.fingerprint).rows == 0
    assert shards.read_shard(store, KEY).num_rows == 0
    assert len(geopandas.read_parquet(store.url(KEY.path))) == 0


def test_parts_are_assembled_in_order(store: ObjectStore, tmp_path: Path) -> None:
    paths = [tmp_path / "parts" / f"{index:04}.parquet" for index in range(3)]
    for index, path in enumerate(paths):
        shards.write_part(path, scene(4, level=index, seed=index))
    assert sorted((tmp_path / "parts").iterdir()) == paths
    assert shards.read_part(paths[1]).equals(scene(4, level=1, seed=1))
    with ShardWriter(store, KEY, dim=DIM, encoder="e") as writer:
        assert shards.assemble(writer, reversed(paths)).rows == 12
    assert shards.read_shard(store, KEY)["level"].to_pylist() == [2] * 4 + [1] * 4 + [0] * 4
    paths[1].write_bytes(paths[1].read_bytes()[:-20])
    with (
        pytest.raises(StoreError, match="part of a shard cannot be read"),
        ShardWriter(store, ShardKey(*("x", "y", KEY.fingerprint, "z")), dim=DIM, encoder="e") as writer,
    ):
        shards.assemble(writer, paths[1:])
    assert store.list() == [KEY.path]


def test_verification(store: ObjectStore) -> None:
    write(store, scene(3))
    assert shards.verify_shard(store, KEY, KEY.fingerprint).rows == 3
    other = fingerprint_for("other")
    with pytest.raises(FingerprintError, match=f"stored={KEY.fingerprint} .tiny., required={other}.*imagerag backfill"):
        shards.verify_shard(store, KEY, other)
    whole = store.read_bytes(KEY.path)
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-9] + b"\xff" * 5 + b"PAR1"):
        store.write_bytes(KEY.path, damaged)
        with pytest.raises(StoreError, match="damaged") as caught:
            shards.verify_shard(store, KEY, KEY.fingerprint)
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="Not found"):
        shards.shard_info(store, "embeddings/none.parquet")


def test_a_parquet_file_of_someone_else(store: ObjectStore, tmp_path: Path) -> None:
    shards.write_part(tmp_path / "part", scene(2))
    store.put_file(tmp_path / "part", KEY.path)
    with pytest.raises(StoreError, match="Not a shard of this system"):
        shards.shard_info(store, KEY)


def test_wrong_rows_are_refused(store: ObjectStore) -> None:
    with ShardWriter(store, KEY, dim=DIM, encoder="e") as writer:
        with pytest.raises(StoreError, match="another scene"):
            writer.append(patches("other", 2))
        with pytest.raises(StoreError, match="columns"):
            writer.append(scene(2).drop_columns(["level"]))
    columns = {name: scene(2)[name].to_pylist() for name in scene(2).column_names if name != "embedding"}
    for name, values in {"level": [0, 300], "x0": ["a", "b"], "col": [1], "patch_id": ["a", None]}.items():
        with pytest.raises(StoreError, match=f"'{name}'"):
            patch_table({**columns, name: values}, unit_vectors(2, 0))
    with pytest.raises(StoreError, match="no column 'modality'"):
        patch_table({k: v for k, v in columns.items() if k != "modality"}, unit_vectors(2, 0))


@pytest.mark.parametrize(
    "fields",
    [("..", "d", "f" * 64, "e"), ("a/b", "d", "f" * 64, "e"), ("s", "", "f" * 64, "e"), ("s", "d", "F" * 64, "e")],
)
def test_keys_that_are_not_valid(fields: tuple[str, str, str, str]) -> None:
    with pytest.raises(StoreError, match="not a"):
        ShardKey(*fields)


def test_versions_of_any_kind_give_plain_names() -> None:
    names = {
        ShardKey("s", "d", "f" * 64, version).path.rsplit("/", 1)[1] for version in ('"abc-2"', "../../x", "é", "W/")
    }
    assert len(names) == 4
    assert all(len(name) == len("0123456789abcdef.parquet") and name.isascii() for name in names)


def test_listing(store: ObjectStore) -> None:
    keys = [
        ShardKey(scene_key, division, fingerprint_for(encoder), "e")
        for scene_key in ("a", "ab")
        for division in ("pyramid", "vit")
        for encoder in ("one", "two")
    ]
    for key in keys:
        write(store, patches(key.scene_key, 1), key=key)
    store.write_bytes("embeddings/a/notes.txt", b"")
    assert [ref.path for ref in shards.list_shards(store)] == sorted(key.path for key in keys)
    found = shards.list_shards(store, scene_key="a", fingerprint=fingerprint_for("two"), division_key="vit")
    assert [(ref.scene_key, ref.division_key) for ref in found] == [("a", "vit")]
    assert len(shards.list_shards(store, scene_key="a")) == 4
    assert shards.list_shards(store, scene_key="nope") == []


def test_in_a_bucket(s3_endpoint: S3Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    (s3_endpoint.root / "shards-bucket").mkdir()
    store = ObjectStore("s3://shards-bucket/store", load_settings(home=tmp_path, _env_file=None))
    with pytest.raises(StoreError, match="Not found"):
        shards.verify_shard(store, KEY, KEY.fingerprint)
    write(store, scene(9000))
    assert [ref.path for ref in shards.list_shards(store, scene_key=KEY.scene_key)] == [KEY.path]
    assert shards.verify_shard(store, KEY, KEY.fingerprint).rows == 9000
    assert sum(batch.num_rows for batch in shards.iter_batches(store, KEY)) == 9000
    store.write_bytes(KEY.path, b"PAR1")
    with pytest.raises(StoreError, match="damaged"):
        shards.read_shard(store, KEY)


def test_a_footer_says_how_rows_were_made_and_an_older_one_means_the_first_recipe(store: ObjectStore) -> None:
    recipe = Recipe(min_valid_fraction=0.2, stretch_percentiles=(1.5, 99.0), code_version="7")
    limits = ((0.0, 10.5), (1.0, 2.0), (-3.0, 4.0))
    made = Made.by(recipe, limits, seconds=1.25)
    with ShardWriter(store, KEY, dim=DIM, encoder="tiny") as writer:
        writer.append(scene(3))
        written = writer.commit(dropped=2, made=made)
    assert shards.shard_info(store, KEY) == written
    assert (written.dropped, written.made) == (2, made)
    assert made.follows(recipe, limits)
    assert made.follows(recipe)
    assert not made.follows(recipe, ((0.0, 10.0), *limits[1:]))
    assert not any(made.follows(other) for other in (Recipe(), Recipe(min_valid_fraction=0.2)))

    # As versions before this one wrote it.
    fields = ("version", "scene_key", "division_key", "fingerprint", "etag", "encoder", "dim", "rows", "dropped")
    older = {name: json.loads(written.to_json())[name] for name in fields}
    found = ShardInfo.from_json(json.dumps(older))
    assert (found.made, found.key, found.rows) == (Made(), KEY, 3)
    assert found.made.follows(Recipe(), limits)
    assert not found.made.follows(recipe)


def test_a_copy_of_another_installations_shard_says_when_it_came_here(store: ObjectStore, tmp_path: Path) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with ShardWriter(store, KEY, dim=DIM, encoder="tiny") as writer:
        writer.append(scene(9000))
        writer.commit(dropped=1, made=Made(stored_at=long_ago, code_version="7"))
    before = datetime.now(UTC) - timedelta(seconds=1)
    info = shards.restamp(Path(store.url(KEY.path)), tmp_path / "copy.parquet")
    store.put_file(tmp_path / "copy.parquet", "copy.parquet")
    assert shards.shard_info(store, "copy.parquet") == info
    assert (info.rows, info.dropped, info.made.code_version) == (9000, 1, "7")
    assert info.made.stored_at is not None
    assert info.made.stored_at > before
    assert shards.read_shard(store, "copy.parquet").equals(shards.read_shard(store, KEY))
    assert len(geopandas.read_parquet(store.url("copy.parquet"))) == 9000


def test_a_full_disk_is_called_that(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFolder(tempfile.TemporaryDirectory[str]):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            (Path(self.name) / "shard.parquet").symlink_to("/dev/full")

    monkeypatch.setattr(shards.tempfile, "TemporaryDirectory", FullFolder)
    message = r"^The disk is full \[scene=T07HFE_2024.a-b\] \[path=.*shard.parquet\]. Free space"
    with (
        pytest.raises(StoreError, match=message),
        ShardWriter(store, KEY, dim=DIM, encoder="tiny", scratch=tmp_path / "scratch") as writer,
    ):
        writer.append(scene(20_000))
        writer.commit()
    assert not list((tmp_path / "scratch").iterdir())
    assert store.list() == []
