"""Scenes with few valid pixels or none: what is kept, what is said, and that nothing is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.errors import QuestionError
from imagerag_assets.ingestion import parts as parts_module
from imagerag_assets.ingestion.best_patches import Best, best_patches, choose_best
from imagerag_assets.ingestion.cutting import valid_fractions
from imagerag_assets.ingestion.embed_scene import find_shard
from imagerag_assets.ingestion.ingest import SceneResult, embed, find_current, ingest_scene, is_current, register
from imagerag_assets.ingestion.shard_checks import check_shard
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import target_of
from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.supertiles import supertiles
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.question import Question
from imagerag_assets.scenes.records import load_record
from imagerag_assets.stores.shards import ShardWriter, list_shards, read_shard, shard_info
from tests.items import scene_at, texture, write_scene

SIDE = 512


def pixels(valid: NDArray[np.bool_], seed: int = 0) -> NDArray[np.uint8]:
    """Texture without a 0, which is nodata, where `valid`."""
    return np.where(valid, texture(*valid.shape, seed) | 1, 0).astype(np.uint8)


def mask(*windows: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """(h, w) that is True in (y0, y1, x0, x1) windows."""
    made = np.zeros((SIDE, SIDE), bool)
    for y0, y1, x0, x1 in windows:
        made[y0:y1, x0:x1] = True
    return made


def ingest(platform: Platform, folder: Path, name: str, image: NDArray[Any], **profile: Any) -> SceneResult:
    item = write_scene(folder, name, image, profile={"nodata": 0, **profile})
    return ingest_scene(platform, scene_at(item, platform.settings))


def rows(platform: Platform, scene: str) -> list[dict[str, Any]]:
    shards = list_shards(platform.store, scene_key=scene)
    return [row for shard in shards for row in read_shard(platform.store, shard.path).to_pylist()]


def test_the_patches_with_the_most_are_kept_where_none_has_enough(tmp_path: Path, platform: Platform) -> None:
    result = ingest(platform, tmp_path, "corner", pixels(mask((0, 30, 0, 30), (480, 512, 500, 512))))
    assert (result.status, result.error, result.missed) == ("ingested", None, False)
    assert result.note == (
        "No patch has 50% of valid pixels (IMAGERAG_MIN_VALID_FRACTION), so the 2 patches with the most were kept"
    )
    found = rows(platform, "corner")
    assert result.patches == len(found) == 2
    assert {row["level"] for row in found} == {0}  # coarser ones hold less
    assert [(row["x0"], row["y0"]) for row in found] == [(0, 0), (384, 384)]
    assert [round(row["valid_fraction"], 3) for row in found] == [round(900 / 128**2, 3), round(384 / 128**2, 3)]
    assert all(outcome.passed for outcome in check_shard(platform, "corner") if outcome.severity == "error")
    again = ingest_scene(platform, scene_at(tmp_path / "corner.json", platform.settings))
    assert (again.status, again.note, again.missed) == ("skipped", result.note, False)


def test_no_valid_pixel_is_lost_and_no_patch_repeats_what_better_ones_show(tmp_path: Path, platform: Platform) -> None:
    valid = np.zeros((SIDE, SIDE), bool)
    valid[::4] = True  # a quarter everywhere: no patch of any level has enough
    valid[:, 200:] = False
    valid[100:140, 300:310] = True
    ingest(platform, tmp_path, "stripes", pixels(valid))
    shown = np.zeros_like(valid)
    for row in rows(platform, "stripes"):
        shown[row["y0"] : row["y1"], row["x0"] : row["x1"]] = True
    assert shown[valid].all()
    every = platform.recipe.division_for(None).count(SIDE, SIDE)
    assert 0 < len(rows(platform, "stripes")) < every / 2


def test_a_killed_second_pass_is_finished(tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((3, 700, 700), np.uint8)
    image[:, :20, :20] = image[:, -20:, -20:] = 9
    item = write_scene(tmp_path, "ends", image, profile={"nodata": 0})
    scene, parts = scene_at(item, platform.settings), []
    write = parts_module.write_part

    def killed(path: Path, table: Any) -> None:
        if path.parent.name == "best" and parts:
            raise KeyboardInterrupt
        parts.extend([path] if path.parent.name == "best" else [])
        write(path, table)

    with monkeypatch.context() as patch:
        patch.setattr(parts_module, "write_part", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest_scene(platform, scene)
    assert list_shards(platform.store) == []
    result = ingest_scene(platform, scene)
    assert (result.status, result.patches) == ("ingested", 2)
    assert not list((platform.settings.home / "scratch" / "embed").iterdir())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_scene_without_a_valid_pixel_is_empty_and_is_left_alone_until_it_changes(
    tmp_path: Path, platform: Platform, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((3, 300, 1100), dtype)
    first = ingest(platform, tmp_path, "blank", blank)
    assert (first.status, first.patches, first.error, first.missed) == ("empty", 0, None, True)
    assert first.note is not None and "no pixel holds data" in first.note
    record = load_record(platform, "blank")
    assert record.render.empty and (record.grid.width, record.grid.height) == (1100, 300)
    assert "no pixel holds data" in record.notes
    before = {key: platform.store.version(key) for key in platform.store.list()}
    monkeypatch.setattr("imagerag_assets.ingestion.ingest.register", None)
    scene = scene_at(tmp_path / "blank.json", platform.settings)
    assert is_current(platform, scene)
    again = ingest_scene(platform, scene)
    assert (again.status, again.note) == ("empty", first.note)
    assert {key: platform.store.version(key) for key in platform.store.list()} == before
    monkeypatch.undo()
    assert ingest(platform, tmp_path, "blank", (blank + texture(300, 1100) + 1).astype(dtype)).status == "ingested"


def test_few_valid_pixels_that_an_overview_misses_are_found(tmp_path: Path, platform: Platform) -> None:
    image = np.zeros((3, 3000, 3000), np.uint16)
    image[:, 1501:1503, 2001:2003] = 4000
    result = ingest(platform, tmp_path, "needle", image)
    assert result.status == "ingested"
    assert not load_record(platform, "needle").render.empty
    assert all(row["x0"] <= 2001 < row["x1"] and row["y0"] <= 1501 < row["y1"] for row in rows(platform, "needle"))


def test_questions_say_that_a_scene_is_empty(tmp_path: Path, platform: Platform) -> None:
    ingest(platform, tmp_path, "blank", np.zeros((3, 300, 300), np.uint8))
    with pytest.raises(QuestionError, match="No scene can be searched"):
        ask(platform, Question("Where is the pier?", answer=False))
    ingest(platform, tmp_path, "port", texture(300, 300))
    with pytest.raises(QuestionError, match=r"The scene is empty.*scene=blank"):
        ask(platform, Question("Where is the pier?", scenes=("blank",), answer=False))
    assert "blank" not in ask(platform, Question("Where is the pier?", answer=False)).lineage.scenes
    both = ask(platform, Question("Where is the pier?", scenes=("blank", "port"), answer=False))
    assert {cue.scene for cue in both.cues} <= {"port"}


def test_a_shard_of_an_earlier_version_that_kept_nothing_is_made_again(tmp_path: Path, platform: Platform) -> None:
    ingest(platform, tmp_path, "corner", pixels(mask((0, 30, 0, 30))))
    record, target = load_record(platform, "corner"), target_of(platform)
    made = find_shard(platform, target, record)
    assert made is not None and made.kept == "best"
    with ShardWriter(platform.store, made.key, dim=made.dim, encoder=made.encoder) as writer:
        every = platform.recipe.division_for(None).count(SIDE, SIDE)
        writer.commit(dropped=every, made=made.made)  # as it was written then
    assert shard_info(platform.store, made.key).kept is None
    scene = scene_at(tmp_path / "corner.json", platform.settings)
    assert find_current(platform, scene) is None
    result = ingest_scene(platform, scene)
    assert (result.status, result.patches) == ("ingested", 1)


def test_other_divisions_and_shares(tmp_path: Path, platform: Platform) -> None:
    ingest(platform, tmp_path, "corner", pixels(mask((0, 30, 0, 30))))
    for name, enough in {"cc": True, "grid": False, "vit": False}.items():  # the smallest patches of `cc` have 26 px
        made = embed(platform, "corner", target=target_of(platform, division=name))
        assert (made.patches, made.note is None) == (1, enough), name
    with Platform(platform.settings.model_copy(update={"min_valid_fraction": 0.0})) as any_share:
        register(any_share, scene_at(tmp_path / "corner.json", any_share.settings))
        made = embed(any_share, "corner")
        assert made.patches > 1 and made.note is None  # every patch with any valid pixel has enough


def test_choosing_among_levels_and_super_tiles() -> None:
    fine = (Best(3, 0, 0.2), Best(1, 0, 0.1))
    assert choose_best([(0, fine), (4, (Best(0, 1, 0.19),)), (2, (Best(7, 0, 0.05),))]) == {0: (1, 3), 2: (7,)}
    assert choose_best([(0, fine), (4, (Best(0, 1, 0.21),))]) == {4: (0,)}
    assert choose_best([(0, (Best(3, 0, 0.2), Best(1, 0, 0.2))), (4, (Best(0, 1, 0.2),))]) == {0: (1, 3)}
    assert choose_best([(0, ()), (1, ())]) == {}


def test_the_best_of_a_super_tile_cover_its_valid_pixels() -> None:
    cut = division("pyramid", patch_px=128)
    tile = next(iter(supertiles(cut, 500, 500, 512)))
    rng = np.random.default_rng(5)
    valid = np.zeros(tile.shape_px, bool)
    valid[:500, :500] = rng.random((500, 500)) < 0.02
    found = best_patches(valid, tile, valid_fractions(valid, tile, (500, 500)))
    left = valid.copy()
    for each in found:
        left[tile.cut(tile.patches[each.position])] = False
    assert not left.any()
    assert best_patches(np.zeros_like(valid), tile, np.zeros(len(tile.patches))) == ()
