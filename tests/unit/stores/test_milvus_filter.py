"""Expressions, literal by literal; what they find is tested on real back ends."""

from __future__ import annotations

import math

import pytest

from imagerag_assets.errors import InputError
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter, literal


def test_everything_is_the_empty_expression() -> None:
    assert EVERYTHING.expression == ""
    assert not EVERYTHING
    assert Filter().scene_in(["a"])


def test_predicates_are_joined_in_order_and_leave_the_first_filter_alone() -> None:
    scenes = Filter().scene_in(["b", "a", "b"])
    both = scenes.one_of("level", [0, 2])
    assert scenes.expression == '(scene_key in ["b", "a"])'
    assert both.expression == '(scene_key in ["b", "a"]) and (level in [0, 2])'


@pytest.mark.parametrize(
    ("value", "expected"),
    [('"] or 1 == 1', '"\\"] or 1 == 1"'), ("a\\", '"a\\\\"'), ("{x}é", '"{x}é"'), (3, "3"), (-1e-05, "-1e-05")],
)
def test_literals(value: str | float, expected: str) -> None:
    assert literal(value) == expected


@pytest.mark.parametrize("value", ["\0", "\x1b[0m", "\b", "\ud800", math.nan, math.inf])
def test_literals_that_no_back_end_reads(value: str | float) -> None:
    with pytest.raises(InputError):
        literal(value)


@pytest.mark.parametrize("area", [(0, 10, 1, 5), (0, 0, 181, 1), (0, -91, 1, 1), (math.nan, 0, 1, 1)])
def test_impossible_areas(area: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="area"):
        Filter().bbox_intersects(*area)


def test_a_time_range_that_ends_before_it_starts() -> None:
    with pytest.raises(InputError, match="ends before"):
        Filter().acquired_between(2, 1)
