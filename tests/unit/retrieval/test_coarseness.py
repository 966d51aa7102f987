"""Which levels are searched, where scenes start at finer or coarser patches than those of 256 native pixels."""

from __future__ import annotations

from imagerag_assets.retrieval.coarseness import coarsest_level, fine_enough, too_coarse
from imagerag_assets.scenes.ground import DEGREE_M
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter


def row(level: int, metres: float, side: int) -> dict[str, object]:
    return {"scene_key": "s", "level": level, "y0": 0, "y1": side, "south": 0.0, "north": side * metres / DEGREE_M}


def test_the_two_finest_levels_are_searched_wherever_they_are() -> None:
    assert coarsest_level(10, 1.3) == 1
    assert coarsest_level(10, 1.3, -2) == -1
    assert coarsest_level(1.2, 1.3, -2) == 0  # 1.2 m a pixel is fine enough
    assert coarsest_level(0.3, 1.3) == 2
    assert coarsest_level(0.3, 1.3, 4) == 5
    where = fine_enough(EVERYTHING, {"a": 10, "b": 0.3}, 1.3, {"a": -2})
    assert where == EVERYTHING.any_of([Filter().level_at_most(-1), Filter().scene_in(["b"]).level_at_most(2)])


def test_a_row_is_judged_by_its_window_on_the_ground() -> None:
    assert not too_coarse(row(-2, 10, 64), 1.3)
    assert not too_coarse(row(3, 0.03, 2048), 1.3)
    assert too_coarse(row(3, 0.3, 2048), 1.3)
    assert too_coarse(row(3, 0.3, 2048), 1.3, lambda _: 1)
    assert not too_coarse(row(3, 0.3, 2048), 1.3, lambda _: 2)
