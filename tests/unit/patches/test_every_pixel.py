"""Every pixel of a scene can be found: it is in the picture of a patch of each level, at the borders, too."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imagerag_assets.patches.divisions import DIVISIONS, division
from imagerag_assets.patches.supertiles import SuperTile, supertiles
from imagerag_assets.patches.types import Division
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import load_settings
from tests.unit.raster.scenes import scene_of, write_tiff

sides = st.one_of(st.integers(1, 700), st.integers(1, 5000))
names = st.sampled_from(["pyramid", "pyramid", *DIVISIONS])
overlaps = st.one_of(st.sampled_from([0.0, 0.25, 0.5]), st.floats(0, 0.94))


def seen(tiles: list[SuperTile], level: int, axis: int, length: int) -> np.ndarray:
    """Return which native pixels of an axis are in the picture of a patch whose window holds them.

    Rows and columns are free of each other, since patches are all pairs of intervals.
    """
    found = np.zeros(length, bool)
    for tile in tiles:
        start, stop, pixels = tile.window[axis], tile.window[axis + 2], tile.shape_px[1 - axis]
        native = np.arange(start, min(stop, length))
        falls = (native - start) * pixels // (stop - start)
        for patch in tile.patches:
            if patch.level != level:
                continue
            cut = tile.cut(patch)[1 - axis]
            shown = (falls >= cut.start) & (falls < cut.stop)
            # A pixel of a coarse level may be partly beyond the window.
            near = 1 << tile.level
            held = (native > patch.window[axis] - near) & (native < patch.window[axis + 2] + near)
            found[native[shown & held]] = True
    return found


def check(cut: Division, width: int, height: int, supertile_px: int) -> None:
    tiles = list(supertiles(cut, width, height, supertile_px))
    for level in cut.levels(width, height):
        assert seen(tiles, level, 0, width).all(), (level, "columns", np.flatnonzero(~seen(tiles, level, 0, width))[:9])
        assert seen(tiles, level, 1, height).all(), (level, "rows", np.flatnonzero(~seen(tiles, level, 1, height))[:9])


@given(width=sides, height=st.integers(1, 300), name=names, patch_px=st.integers(32, 300), overlap=overlaps,
       supertile_px=st.sampled_from([512, 1000, 3584]))  # fmt: skip
@example(width=1025, height=1030, name="pyramid", patch_px=256, overlap=0.5, supertile_px=3584)
@hypothesis_settings(max_examples=40, deadline=None)
def test_each_pixel_is_in_a_patch_of_each_level(
    width: int, height: int, name: str, patch_px: int, overlap: float, supertile_px: int
) -> None:
    check(division(name, patch_px=patch_px, patch_overlap=overlap), width, height, supertile_px)


@given(width=st.integers(2, 700), height=st.integers(2, 700), patch_px=st.integers(32, 256), overlap=overlaps,
       block=st.sampled_from([16, 64, 256, 512]), strips=st.booleans(), seed=st.integers(0, 99))  # fmt: skip
@hypothesis_settings(max_examples=10, deadline=None)
def test_each_valid_pixel_of_a_file_is_in_the_picture_of_a_patch(
    width: int, height: int, patch_px: int, overlap: float, block: int, strips: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(1, 256, (1, height, width)).astype(np.uint8)
    pixels[0, random.random((height, width)) < 0.3] = 0
    layout = {"tiled": False, "blockysize": 7} if strips else {"block": block}
    settings = load_settings(_env_file=None, supertile_px=512)
    cut = division("pyramid", patch_px=patch_px, patch_overlap=overlap)
    with TemporaryDirectory() as folder:
        path = write_tiff(Path(folder) / "a.tif", pixels, nodata=0, **layout)
        with SceneReader(scene_of(path, (1, 1, 1)), settings) as reader:
            whole = np.zeros((height, width), np.uint8)
            for tile in supertiles(cut, width, height, settings.supertile_px):
                picture, valid = reader.read(tile.window, tile.level)
                for patch in tile.patches:
                    rows, cols = tile.cut(patch)
                    if patch.level:
                        # One level pixel at least is valid where a native one is.
                        native = pixels[0, patch.y0 : patch.y1, patch.x0 : patch.x1]
                        assert valid[rows, cols].any() or native.mean() < 1 or not native.any()
                        continue
                    part = picture[rows, cols, 0] * valid[rows, cols]
                    y1, x1 = min(patch.y1, height), min(patch.x1, width)
                    whole[patch.y0 : y1, patch.x0 : x1] = part[: y1 - patch.y0, : x1 - patch.x0]
    assert np.array_equal(whole, pixels[0])
