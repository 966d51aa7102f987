"""The fast path's neighbours: patches that are too coarse for the encoder are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.coarseness import coarsest_level, fine_enough
from imagerag_assets.retrieval.fast import neighbours
from imagerag_assets.retrieval.types import Search
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter
from imagerag_assets.stores.shard_columns import patch_table
from tests.unit.retrieval.world import DIM, World, search, unit

METRE = 1 / 111_320


def add_levels(world: World, gsd_m: float | None, levels: int) -> None:
    """A scene with one patch of 256 px at each level, the coarsest most like axis 0; `gsd_m` None: it has no place."""
    sides = 256 * 2 ** np.arange(levels)
    columns = {
        "patch_id": [f"scene:pyramid:{level}:0:0" for level in range(levels)],
        "scene_key": ["scene"] * levels,
        "level": np.arange(levels, dtype=np.int8),
        "row": np.zeros(levels, np.int32),
        "col": np.zeros(levels, np.int32),
        "x0": np.zeros(levels, np.int64),
        "y0": np.zeros(levels, np.int64),
        "x1": sides,
        "y1": sides,
        "valid_fraction": np.ones(levels, np.float32),
        "modality": ["optical"] * levels,
    }
    if gsd_m is not None:
        height = sides * gsd_m * METRE
        columns |= {
            "west": np.full(levels, 9.0),
            "south": 48 - height,
            "east": 9 + height,
            "north": np.full(levels, 48.0),
        }
    name = world.vectors.ensure_patches(world.encoder.fingerprint, DIM)
    world.vectors.upsert(
        name,
        [patch_table(columns, np.stack([unit((0, 1.0), (level + 1, 0.5 / (level + 1))) for level in range(levels)]))],
    )
    world.vectors.point_alias("patches", name)


def judged_to(coarsest_m: float | None, where: Filter = EVERYTHING) -> Search:
    """A search with an encoder that recognises something up to this ground sampling distance."""
    return search(calibration=replace(GENERIC, coarsest_m=coarsest_m), where=where)


@pytest.mark.parametrize(
    ("gsd_m", "coarsest_m", "left"),
    [
        (0.3, 1.3, [0, 1, 2]),  # 2.4 m and 4.8 m are coarser
        (0.3, None, [0, 1, 2, 3, 4]),
        (10.0, 1.3, [0, 1]),  # all are coarser: what is finest in the scene stays
        (None, 1.3, [0, 1, 2, 3, 4]),  # nobody knows
    ],
)
def test_patches_coarser_than_the_encoder_can_judge_are_left_out(
    make_world: Callable[..., World], gsd_m: float | None, coarsest_m: float | None, left: list[int]
) -> None:
    world = make_world()
    add_levels(world, gsd_m, 5)
    query = unit((0, 1.0))[None]
    (near,) = neighbours(world.vectors, query, judged_to(coarsest_m), 16)
    assert sorted(row["level"] for row in near.rows) == left
    assert len(near.embeddings) == len(near.scores) == len(left)


def test_coarse_patches_take_no_place_among_the_candidates(make_world: Callable[..., World]) -> None:
    world = make_world()
    add_levels(world, 0.3, 6)
    query = unit((0, 1.0))[None]
    (crowded,) = neighbours(world.vectors, query, judged_to(1.3), 3)
    assert [row["level"] for row in crowded.rows] == []  # the three nearest are all too coarse
    where = fine_enough(EVERYTHING, {"scene": 0.3}, 1.3)
    (near,) = neighbours(world.vectors, query, judged_to(1.3, where), 3)
    assert [row["level"] for row in near.rows] == [2, 1, 0]


def test_the_filter_asks_scene_by_scene() -> None:
    distances = {"aerial": 0.3, "drone": 0.05, "satellite": 10.0, "nowhere": None}
    assert {key: coarsest_level(metres, 1.3) for key, metres in distances.items()} == {
        "aerial": 2, "drone": 4, "satellite": 1, "nowhere": 127,
    }  # fmt: skip
    expression = fine_enough(Filter().scene_in(distances), distances, 1.3).expression
    assert "((level <= 1)) or" in expression
    for clause in ('in ["aerial"]) and (level <= 2)', 'in ["drone"]) and (level <= 4)', 'in ["nowhere"]) and'):
        assert clause in expression
    assert fine_enough(EVERYTHING, {}, 1.3) == fine_enough(EVERYTHING, {"nowhere": None}, 1.3) == EVERYTHING
    # Beyond what a filter can name, the check of each row decides alone.
    many = {f"scene-{number}": 0.3 for number in range(5_000)} | {"satellite": 10.0}
    assert fine_enough(EVERYTHING, many, 1.3).expression == "(level <= 2)"
