"""Drawn scenes: repeatable, and their answer key true to the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from imagerag_assets.demo.scenes import ScenePlan, draw_knowledge, draw_scene, scene_questions, write_cog
from imagerag_assets.demo.sprites import COLOURS, OBJECT_CLASSES, sprite

PLAN = ScenePlan("small", 1400, 1200, water=0.2)


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second = (draw_scene(PLAN, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(np.asarray(first[0]), np.asarray(second[0]))
    assert first[1] == second[1]


def test_objects_stand_inside_apart_and_where_they_belong() -> None:
    picture, placed = draw_scene(PLAN, np.random.default_rng(4))
    assert len(placed) >= 4
    for one in placed:
        x0, y0, x1, y1 = one.window
        assert 0 <= x0 < x1 <= picture.width
        assert 0 <= y0 < y1 <= picture.height
        for other in placed:
            a0, b0, a1, b1 = other.window
            assert other is one or x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


@pytest.mark.parametrize("name", sorted(OBJECT_CLASSES))
def test_every_object_is_drawn_in_its_colours(name: str) -> None:
    kind = OBJECT_CLASSES[name]
    rng = np.random.default_rng(0)
    for colour in kind.colours or (None,):
        pixels = np.asarray(sprite(name, colour, 120, 0.0, rng), np.float32)
        assert (pixels[..., 3] > 128).mean() > 0.15
        if colour:
            near = np.abs(pixels[..., :3] - COLOURS[colour]).sum(-1) < 90
            assert (near & (pixels[..., 3] > 200)).mean() > 0.03


def test_cogs_have_overviews_and_sixteen_bits_where_asked(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1100, 1300, 3), np.uint8))
    for sixteen in (False, True):
        path = tmp_path / f"{sixteen}.tif"
        write_cog(picture, path, (500_000.0, 5_000_000.0), sixteen_bit=sixteen)
        with rasterio.open(path) as source:
            assert source.overviews(1)
            assert (source.count, source.dtypes[0]) == ((4, "uint16") if sixteen else (3, "uint8"))
            assert source.shape == (1100, 1300)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["False.tif", "True.tif"]


def test_questions_cover_the_kinds() -> None:
    _, placed = draw_scene(PLAN, np.random.default_rng(5))
    kinds = {q.kind for q in scene_questions(placed, (1400, 1200), np.random.default_rng(5))}
    assert len(kinds) >= 5


def test_knowledge_has_exemplars_of_every_object(tmp_path: Path) -> None:
    draw_knowledge(tmp_path, 1)
    labels = {folder.name for folder in (tmp_path / "labels").iterdir()}
    assert labels == set(OBJECT_CLASSES)
    assert len(list((tmp_path / "labels").glob("*/*.jpg"))) == 6 * len(labels)
