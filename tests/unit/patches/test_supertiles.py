"""Super-tiles: every patch in exactly one, bounded reads, stable order, exact cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imagerag_assets.patches.divisions import DIVISIONS, division
from imagerag_assets.patches.supertiles import BLOCK_PX, supertile_at, supertile_count, supertiles

names = st.sampled_from(list(DIVISIONS))


@given(name=names, width=st.integers(1, 6000), height=st.integers(1, 6000), side=st.sampled_from([512, 1000, 2048]))
@hypothesis_settings(max_examples=40, deadline=None)
def test_every_patch_is_in_exactly_one_supertile(name: str, width: int, height: int, side: int) -> None:
    cut = division(name, patch_px=128, patch_overlap=0.25)
    tiles = list(supertiles(cut, width, height, side))
    patches = [patch for tile in tiles for patch in tile.patches]
    assert sorted(patches, key=lambda p: (p.level, p.row, p.col)) == list(cut.patches(width, height))
    assert [tile.index for tile in tiles] == list(range(supertile_count(cut, width, height, side)))
    middle = len(tiles) // 2
    assert supertile_at(cut, width, height, middle, side) == tiles[middle]
    with pytest.raises(IndexError):
        supertile_at(cut, width, height, len(tiles), side)
    for tile in tiles:
        x0, y0, x1, y1 = tile.window
        tile_height, tile_width = tile.shape_px
        assert x0 % (BLOCK_PX << tile.level) == y0 % (BLOCK_PX << tile.level) == 0
        for patch in tile.patches:
            assert x0 <= patch.x0 and y0 <= patch.y0 and patch.x1 <= x1 and patch.y1 <= y1
            rows, cols = tile.cut(patch)
            assert 0 <= rows.start < rows.stop <= tile_height
            assert 0 <= cols.start < cols.stop <= tile_width
            scale = 2**tile.level
            assert abs(cols.start * scale - (patch.x0 - x0)) <= scale
            assert abs(rows.stop * scale - (patch.y1 - y0)) <= scale


@pytest.mark.parametrize("name", DIVISIONS)
@pytest.mark.parametrize("size", [(100_000, 100_000), (100_000, 700), (30_000, 7_000)])
def test_reads_are_bounded(name: str, size: tuple[int, int]) -> None:
    for tile in supertiles(division(name), *size):
        # A cell, a quarter more at the border, and what the last windows reach into the next cell.
        assert tile.shape_px[0] * tile.shape_px[1] <= (3584 * 1.25 + 1024) ** 2
        if tile.index > 60:
            break


def test_default_pyramid_reads_28_by_28_windows_from_aligned_corners() -> None:
    first = next(supertiles(division("pyramid"), 30_000, 30_000))
    assert first.window == (0, 0, 3712, 3712)
    assert first.shape_px == (3712, 3712)
    assert len(first.patches) == 28 * 28


def test_pyramid_cuts_are_always_a_patch_in_size() -> None:
    for tile in supertiles(division("pyramid"), 5001, 3003):
        for patch in tile.patches:
            rows, cols = tile.cut(patch)
            assert rows.stop - rows.start == cols.stop - cols.start == 256


def test_the_order_is_stable_so_that_finished_reads_can_be_skipped() -> None:
    cut = division("pyramid")
    once, again = (list(supertiles(cut, 9000, 5000)) for _ in range(2))
    assert once == again


def test_a_small_scene_is_read_with_its_padding() -> None:
    (tile,) = supertiles(division("pyramid"), 100, 60)
    assert tile.window == (0, 0, 256, 256)
    assert tile.shape_px == (256, 256)


@pytest.mark.parametrize("name", ["pyramid", "cc"])
def test_strips_are_the_same_supertiles_from_top_to_bottom(name: str) -> None:
    cut = division(name, patch_px=128)
    by_index = list(supertiles(cut, 3000, 2000, 512))
    in_strips = list(supertiles(cut, 3000, 2000, 512, strip=2))
    assert sorted(in_strips, key=lambda tile: tile.index) == by_index
    if name == "pyramid":
        corners = [tile.window[:2] for tile in in_strips if tile.level == 0]
        lefts, tops = (sorted({corner[axis] for corner in corners}) for axis in (0, 1))
        strips = [lefts[at : at + 2] for at in range(0, len(lefts), 2)]
        assert corners == [(left, top) for strip in strips for top in tops for left in strip]


def test_cuts_are_those_of_each_patch() -> None:
    for tile in supertiles(division("cc"), 1777, 901, 512):
        assert tile.cuts == [tile.cut(patch) for patch in tile.patches]
