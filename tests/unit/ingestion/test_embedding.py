from __future__ import annotations

import os
import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.errors import EncoderError, RasterError, SettingsError, StoreError
from imagerag_assets.ingestion import embedding, ingest
from imagerag_assets.ingestion.cutting import batches_of, encode_patches, valid_fractions
from imagerag_assets.ingestion.embedding import (
    EmbedJob,
    embed_parts,
    existing_part,
    run_threads,
)
from imagerag_assets.ingestion.on_worker import close_job, describe_job, make_part
from imagerag_assets.ingestion.parts import LocalParts
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import open_store
from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.supertiles import supertiles
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import read_part
from tests.items import scene_at, texture, write_scene


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [("pyramid", 1000, 700), ("pyramid", 90, 1000), ("pyramid", 30, 20), ("cc", 390, 270), ("grid", 77, 1001)],
)
def test_valid_fractions_are_those_of_each_patch_inside_the_scene(name: str, width: int, height: int) -> None:
    rng = np.random.default_rng(width)
    divided = division(name, patch_px=128)
    for tile in supertiles(divided, width, height, 512):
        rows, cols = tile.shape_px
        inside = np.zeros((rows, cols), bool)
        far_row = -(-(min(height, tile.window[3]) - tile.window[1]) >> tile.level)
        far_col = -(-(min(width, tile.window[2]) - tile.window[0]) >> tile.level)
        inside[:far_row, :far_col] = True
        valid = inside & (rng.random((rows, cols)) < 0.7)
        expected = [valid[tile.cut(patch)].sum() / inside[tile.cut(patch)].sum() for patch in tile.patches]

        np.testing.assert_allclose(valid_fractions(valid, tile, (width, height)), expected)
        np.testing.assert_array_equal(valid_fractions(inside, tile, (width, height)), 1.0)
        np.testing.assert_array_equal(valid_fractions(np.zeros_like(valid), tile, (width, height)), 0.0)


def test_patches_of_several_sizes_are_encoded_in_their_order(platform: Platform) -> None:
    picture = np.moveaxis(texture(333, 501), 0, 2).copy()
    (tile,) = [tile for tile in supertiles(division("grid"), 501, 333) if len(tile.patches) == 49]
    kept = np.arange(48, 0, -3)
    assert len({picture[tile.cut(tile.patches[position])].shape for position in kept}) > 1

    together = encode_patches(picture, tile, kept, platform.encoder, (501, 333))
    singly = [platform.encoder.encode_images(picture[tile.cut(tile.patches[position])][None])[0] for position in kept]

    np.testing.assert_allclose(together, singly, atol=1e-5)
    assert encode_patches(picture, tile, kept[:0], platform.encoder, (501, 333)).shape == (0, platform.encoder.dim)


def test_batches_hold_the_pixels_of_each_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.moveaxis(texture(500, 900), 0, 2).copy()
    monkeypatch.setattr("imagerag_assets.ingestion.cutting._STACK_BYTES", 3 * 256 * 256 * 3)
    (tile,) = [tile for tile in supertiles(division("pyramid"), 900, 500) if tile.level == 0]
    kept = np.arange(1, len(tile.patches))
    seen = []
    for rows, images in batches_of(picture, tile, kept, (900, 500)):
        assert len(images) == len(rows) <= 3
        for row, image in zip(rows, images, strict=True):
            np.testing.assert_array_equal(image, picture[tile.cut(tile.patches[kept[row]])])
        seen += rows
    assert seen == list(range(len(kept)))


@pytest.mark.parametrize(("width", "height"), [(120, 120), (90, 200), (700, 100)])
def test_a_patch_larger_than_its_scene_shows_the_scene_and_nothing_else(
    width: int, height: int, platform: Platform
) -> None:
    scene = np.moveaxis(texture(height, width), 0, 2).copy()
    for tile in supertiles(division("pyramid"), width, height):
        rows, cols = tile.shape_px
        picture = np.zeros((rows, cols, 3), np.uint8)
        seen = scene[:: 1 << tile.level, :: 1 << tile.level]
        picture[: seen.shape[0], : seen.shape[1]] = seen[:rows, :cols]
        kept = np.arange(len(tile.patches))
        vectors = encode_patches(picture, tile, kept, platform.encoder, (width, height))
        for patch, vector in zip(tile.patches, vectors, strict=True):
            x0, y0, x1, y1 = (edge >> tile.level for edge in patch.window)
            alone = platform.encoder.encode_images(seen[y0:y1, x0:x1][None])[0]
            np.testing.assert_allclose(vector, alone, atol=1e-5)


@pytest.fixture
def job(tmp_path: Path, platform: Platform) -> EmbedJob:
    scene = scene_at(write_scene(tmp_path, "town", texture(700, 1200)), platform.settings)
    return EmbedJob(
        settings=platform.settings,
        record=ingest.register(platform, scene),
        division=platform.recipe.division_for(None),
        encoder="tiny",
        fingerprint=platform.fingerprint,
        folder=tmp_path / "parts",
    )


def test_every_patch_is_in_one_part_and_a_second_run_makes_none(job: EmbedJob) -> None:
    seen: list[tuple[int, int, str]] = []
    counts = embed_parts(job, lambda *step: seen.append(step))
    tables = [read_part(LocalParts(job.folder).path(count.index)) for count in counts]
    ids = [patch_id for table in tables for patch_id in table.column("patch_id").to_pylist()]
    times = {path: path.stat().st_mtime_ns for path in job.folder.iterdir()}

    assert [count.index for count in counts] == list(range(job.tile_count))
    assert [step[:2] for step in seen] == [(done, job.tile_count) for done in range(1, job.tile_count + 1)]
    assert len(ids) == len(set(ids)) == job.division.count(1200, 700)
    assert all(count.found for count in embed_parts(job))
    assert {path: path.stat().st_mtime_ns for path in job.folder.iterdir()} == times


def test_one_super_tile_is_read_ahead_while_another_is_encoded_and_no_more(
    job: EmbedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, encode, write = SceneReader.read, embedding.encode_patches, LocalParts.write
    held, most, lock, ahead = [0], [0], threading.Lock(), threading.Semaphore(0)

    def reading(self: SceneReader, *args: Any, **kwargs: Any) -> Any:
        with lock:
            held[0] += 1
            most[0] = max(most[0], held[0])
        picture = read(self, *args, **kwargs)
        ahead.release()
        return picture

    def encoding(*args: Any) -> Any:
        if not encoded:  # the lock lets one thread encode
            encoded.append(True)
            assert ahead.acquire(timeout=60) and ahead.acquire(timeout=60)  # it was read, and so was another one
        return encode(*args)

    def writing(self: LocalParts, index: int, table: Any) -> None:
        write(self, index, table)
        with lock:
            held[0] -= 1
            written.append(index)

    written: list[int] = []
    encoded: list[bool] = []
    monkeypatch.setattr(SceneReader, "read", reading)
    monkeypatch.setattr(embedding, "encode_patches", encoding)
    monkeypatch.setattr(LocalParts, "write", writing)
    counts = embed_parts(replace(job, settings=job.settings.model_copy(update={"dask_workers": 2})))
    assert sorted(written) == [count.index for count in counts]
    assert most == [2]


def test_only_whole_parts_of_the_same_plan_count(job: EmbedJob) -> None:
    embed_parts(job)
    whole = LocalParts(job.folder).path(0).read_bytes()
    other = replace(job, settings=job.settings.model_copy(update={"min_valid_fraction": 0.9}))

    assert existing_part(job, 0) is not None
    assert existing_part(other, 0) is None
    assert existing_part(job, 999) is None
    for damaged in (b"", whole[: len(whole) // 2], whole[:-1], os.urandom(2000)):
        LocalParts(job.folder).path(0).write_bytes(damaged)
        assert existing_part(job, 0) is None
    again = embed_parts(job)
    assert [count.index for count in again if not count.found] == [0]
    assert LocalParts(job.folder).path(0).read_bytes() == whole


def test_a_worker_makes_a_part_from_an_errand_and_its_own_settings(job: EmbedJob, tmp_path: Path) -> None:
    """Called in this process, whose settings are those of another machine: they name neither store nor encoders."""
    stored = replace(job, stored="parts/town/x")
    sent = pickle.dumps(describe_job(stored, open_store(job.settings)))
    assert len(sent) < 1000  # whatever the scene, and no settings
    errand = pickle.loads(sent)
    tiles = list(job.tiles)

    made = [make_part(errand, index) for index in range(2)]
    assert [(count.index, count.patches, count.found) for count in made] == [
        (index, len(tiles[index].patches), False) for index in range(2)
    ]
    assert make_part(errand, 1).found
    close_job(errand)

    run_threads(job, [0, 1], lambda count: None)
    for index in range(2):
        here, there = job.parts.read(index), stored.parts.read(index)
        assert here.drop_columns("embedding").equals(there.drop_columns("embedding"))
        np.testing.assert_allclose(embeddings_of(here), embeddings_of(there), atol=1e-5)


def test_a_worker_that_sees_another_store_says_so(job: EmbedJob, tmp_path: Path) -> None:
    errand = describe_job(replace(job, stored="parts/town/x"), open_store(job.settings))

    with pytest.raises(StoreError, match=r"does not see the object store.*Set IMAGERAG_STORE to an s3://"):
        make_part(replace(errand, store=str(tmp_path / "elsewhere")), 0)
    with pytest.raises(SettingsError, match="Install the same version"):
        make_part(replace(errand, digest="0" * 64), 0)


def test_an_unreadable_file_stops_the_scene_with_one_line(job: EmbedJob) -> None:
    raster = Path(job.record.scene.imagery.hrefs[0])
    raster.write_bytes(raster.read_bytes()[:-60_000])

    with pytest.raises(RasterError) as raised:
        embed_parts(job)
    assert "\n" not in str(raised.value)
    assert "town.tif" in str(raised.value)


def test_another_encoder_under_the_same_name_is_refused(job: EmbedJob) -> None:
    with pytest.raises(EncoderError, match=f"required={'0' * 16}"):
        embed_parts(replace(job, fingerprint="0" * 64))
