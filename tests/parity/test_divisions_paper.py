"""The paper's divisions against the numbers its reference code gives, and against cases worked out by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.types import Patch

WIDTH, HEIGHT = 7360, 4912


@pytest.mark.parametrize(("name", "count"), [("vit", 187), ("cc", 661), ("grid", 385)])
def test_patch_counts_at_the_papers_image_size(name: str, count: int) -> None:
    paper = division(name)
    assert paper.count(WIDTH, HEIGHT) == count
    assert len(list(paper.patches(WIDTH, HEIGHT))) == count


def test_vit_grows_with_the_scene_and_cc_and_grid_do_not() -> None:
    side = 100_000
    assert division("vit").count(side, side) == 50_176
    assert division("cc").count(side, side) == 661
    assert division("grid").count(side, side) == 385


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (100_000, 100_000), (4000, 3000)])
def test_cc_keeps_the_papers_levels(size: tuple[int, int]) -> None:
    counts = Counter(patch.level for patch in division("cc").patches(*size))
    assert counts == {1: 1, 10: 4, 14: 9, 15: 16, 16: 25, 17: 36, 18: 49, 19: 121, 20: 400}


def test_cc_windows_by_hand() -> None:
    # 7360 = 20 * 368; 4912 is enlarged to 4920 = 20 * 246. Level 10: kernel 11 units, moved back at the border.
    level_10 = [patch for patch in division("cc").patches(WIDTH, HEIGHT) if patch.level == 10]
    bottom = (4920 - 11 * 246) * 4912 // 4920
    assert level_10 == [
        Patch(10, 0, 0, 0, 0, 4048, 11 * 246 * 4912 // 4920),
        Patch(10, 0, 1, 7360 - 4048, 0, 7360, 11 * 246 * 4912 // 4920),
        Patch(10, 1, 0, 0, bottom, 4048, 4912),
        Patch(10, 1, 1, 7360 - 4048, bottom, 7360, 4912),
    ]
    # Level 19: kernel 2 units = 736 px, stride 736 - 1: one pixel of overlap, the last moved back.
    first_row = [patch for patch in division("cc").patches(WIDTH, HEIGHT) if patch.level == 19 and patch.row == 0]
    assert [patch.x0 for patch in first_row] == [735 * col for col in range(10)] + [7360 - 736]


def test_cc_overlap_is_at_most_18_pixels_where_windows_are_not_moved_back() -> None:
    for grid in division("cc").grids(100_000, 100_000):
        overlap = grid.x[:-2, 1] - grid.x[1:-1, 0]
        assert ((overlap >= 0) & (overlap <= 18)).all()


def test_cc_and_grid_smallest_windows_are_a_share_of_the_side() -> None:
    assert min(patch.x1 - patch.x0 for patch in division("cc").patches(100_000, 100_000)) == 5_000
    assert min(patch.x1 - patch.x0 for patch in division("grid").patches(100_000, 100_000)) == 10_000


def test_vit_windows_by_hand() -> None:
    # 1000 x 500 is enlarged to 1344 x 896: three columns of 1000 / 3 px, two rows of 250 px, edges rounded down.
    assert list(division("vit").patches(1000, 500)) == [
        Patch(0, 0, 0, 0, 0, 333, 250),
        Patch(0, 0, 1, 333, 0, 666, 250),
        Patch(0, 0, 2, 666, 0, 1000, 250),
        Patch(0, 1, 0, 0, 250, 333, 500),
        Patch(0, 1, 1, 333, 250, 666, 500),
        Patch(0, 1, 2, 666, 250, 1000, 500),
    ]


def test_grid_windows_by_hand() -> None:
    # Level 3 of 100 x 50: enlarged to 102 x 51, cells of 34 x 17.
    cells = [patch.window for patch in division("grid").patches(100, 50) if patch.level == 3]
    assert cells[:3] == [(0, 0, 33, 16), (33, 0, 66, 16), (66, 0, 100, 16)]
    assert cells[-1] == (66, 33, 100, 50)
    assert [patch.level for patch in division("grid").patches(100, 50)].count(10) == 100
