"""Geometry of every division, at sizes by hand and at sizes drawn at random."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imagerag_assets.errors import ImageRAGError, SettingsError
from imagerag_assets.patches.divisions import DIVISIONS, division
from imagerag_assets.patches.types import Division, Patch, patch_id

sizes = st.tuples(st.integers(1, 700), st.integers(1, 700))
pyramids = st.builds(
    division,
    st.just("pyramid"),
    patch_px=st.sampled_from([32, 64, 100, 224]),
    patch_overlap=st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.9]),
)
divisions = st.one_of(pyramids, st.sampled_from(["vit", "cc", "grid"]).map(division))


@given(cut=divisions, size=sizes)
@hypothesis_settings(max_examples=60, deadline=None)
def test_windows_cover_the_scene_once_named(cut: Division, size: tuple[int, int]) -> None:
    width, height = size
    covered: dict[int, np.ndarray] = {}
    seen = set()
    count = 0
    for patch in cut.patches(width, height):
        count += 1
        assert 0 <= patch.x0 < patch.x1 and 0 <= patch.y0 < patch.y1
        assert patch.x1 <= width or (patch.x0 == 0 and cut.name == "pyramid"), patch
        assert patch.y1 <= height or (patch.y0 == 0 and cut.name == "pyramid"), patch
        seen.add((patch.level, patch.row, patch.col))
        level = covered.setdefault(patch.level, np.zeros((height, width), bool))
        level[patch.y0 : patch.y1, patch.x0 : patch.x1] = True
    assert count == len(seen) == cut.count(width, height)
    assert tuple(covered) == cut.levels(width, height)
    assert all(level.all() for level in covered.values())


@given(cut=divisions, size=sizes)
@hypothesis_settings(max_examples=25, deadline=None)
def test_arrays_equal_the_patches(cut: Division, size: tuple[int, int]) -> None:
    arrays = cut.as_arrays(*size)
    rows = list(zip(*(arrays[name].tolist() for name in ("level", "row", "col", "x0", "y0", "x1", "y1")), strict=True))
    assert [Patch(*row) for row in rows] == list(cut.patches(*size))


def test_pyramid_by_hand() -> None:
    # 600 x 300, 256 px, stride 128: level 0 ends at the border; level 1 (300 x 150) is more than a patch wide.
    cut = division("pyramid")
    level_0, level_1 = cut.grids(600, 300)
    assert level_0.x.tolist() == [[0, 256], [128, 384], [256, 512], [344, 600]]
    assert level_0.y.tolist() == [[0, 256], [44, 300]]
    assert level_1.x.tolist() == [[0, 512], [88, 600]]
    assert level_1.y.tolist() == [[0, 512]]  # shorter than the window: padded


def test_pyramid_windows_have_one_size_a_level_and_the_top_has_few() -> None:
    cut = division("pyramid")
    arrays = cut.as_arrays(5000, 3000)
    for level in cut.levels(5000, 3000):
        of_level = arrays["level"] == level
        assert set((arrays["x1"] - arrays["x0"])[of_level]) == {256 << level}
    assert cut.levels(5000, 3000) == (0, 1, 2, 3, 4)
    assert (arrays["level"] == 4).sum() == 2


@pytest.mark.parametrize("size", [(1, 1), (200, 100), (256, 256)])
def test_pyramid_of_a_scene_no_larger_than_a_patch_is_one_padded_patch(size: tuple[int, int]) -> None:
    assert list(division("pyramid").patches(*size)) == [Patch(0, 0, 0, 0, 0, 256, 256)]


def test_pyramid_of_a_narrow_strip_has_no_level_that_is_mostly_padding() -> None:
    cut = division("pyramid")
    for level in cut.grids(20_000, 300):
        assert (256 << level.level) < 2 * 300


def test_pyramid_of_a_huge_scene_costs_a_third_more_than_level_0() -> None:
    cut = division("pyramid")
    grids = cut.grids(100_000, 100_000)
    assert cut.count(100_000, 100_000) == pytest.approx(len(grids[0]) * 4 / 3, rel=0.01)
    assert sum(len(grid.x) + len(grid.y) for grid in grids) < 4_000


def test_paper_windows_are_read_at_about_the_encoders_input() -> None:
    for name in ("vit", "cc", "grid"):
        for grid in division(name).grids(100_000, 60_000):
            side = (grid.x[0, 1] - grid.x[0, 0]) * (grid.y[0, 1] - grid.y[0, 0])
            assert 440 <= side**0.5 / 2**grid.read_level <= 900


def test_keys_name_what_is_not_default() -> None:
    assert [division(name).key for name in DIVISIONS] == ["pyramid", "vit", "cc", "grid"]
    assert division("pyramid", patch_px=224, patch_overlap=0.25).key == "pyramid-p224-o0.25"
    assert division("cc", patch_px=224).key == "cc"


def test_patch_id() -> None:
    assert patch_id("s2_T07HFE", "cc", Patch(19, 3, 10, 0, 0, 5, 5)) == "s2_T07HFE:cc:19:3:10"


@pytest.mark.parametrize("name", DIVISIONS)
def test_divisions_travel_to_other_processes(name: str) -> None:
    assert list(pickle.loads(pickle.dumps(division(name))).patches(999, 777)) == list(division(name).patches(999, 777))


def test_bad_parameters_are_one_clear_line() -> None:
    with pytest.raises(SettingsError, match=r"unknown division \[division=tiles\]. Use one of pyramid, vit, cc, grid"):
        division("tiles")
    with pytest.raises(SettingsError, match="patch_overlap"):
        division("pyramid", patch_overlap=1.0)
    with pytest.raises(ImageRAGError, match="0x5 px cannot be divided"):
        division("grid").count(0, 5)
