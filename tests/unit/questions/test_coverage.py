"""Which scenes an area and a time cover, and which show it as it was last seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyproj import CRS

from imagerag_assets.errors import QuestionError
from imagerag_assets.questions.coverage import covers, first_and_last, footprint_of, newest
from imagerag_assets.questions.question import Question
from imagerag_assets.raster.types import IDENTITY, Grid, RenderSpec
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.stac.types import Band, Imagery, Scene

LONLAT = CRS.from_epsg(4326).to_wkt()
BAND = Band("visual", "/data/x.tif", 1)


def record(key: str, west: float, east: float, day: int | None = 1, *, placed: bool = True) -> SceneRecord:
    """A scene from `west` to `east` and 0 to 1 degree north, of a day of May 2024."""
    scene = Scene(
        scene_key=key, item_id=key, collection=None, source="s", item_href=None, version=key,
        acquired_at=None if day is None else datetime(2024, 5, day, tzinfo=UTC), bbox=None, geometry=None,
        imagery=Imagery((BAND, BAND, BAND), "optical", ("visual",)), cloud_cover=None,
    )  # fmt: skip
    transform = ((east - west) / 100, 0.0, west, 0.0, -0.01, 1.0)
    grid = Grid(100, 100, LONLAT if placed else None, transform, has_overviews=False)
    return SceneRecord(scene, grid, RenderSpec(IDENTITY, "uint8", "optical"))


def keys(records: list[SceneRecord]) -> list[str]:
    return [each.scene.scene_key for each in records]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question("?"), True),
        (Question("?", scenes=("a", "b")), True),
        (Question("?", scenes=("b",)), False),
        (Question("?", bbox=(10.5, 0.5, 12, 2)), True),
        (Question("?", bbox=(11.5, 0.5, 12, 2)), False),
        (Question("?", bbox=(170, -10, 10.2, 10)), True),
        (Question("?", scenes=("a",), bbox=(11.5, 0.5, 12, 2)), False),
        (Question("?", datetime="2024-05-03"), True),
        (Question("?", datetime="../2024-05-02"), False),
        (Question("?", datetime="2024-05-04/.."), False),
    ],
    ids=str,
)
def test_covers(question: Question, expected: bool) -> None:
    assert covers(question, record("a", 10, 11, 3)) is expected


def test_what_has_no_place_or_date_is_in_no_area_or_time() -> None:
    nowhere, undated = record("a", 10, 11, placed=False), record("b", 10, 11, None)
    assert footprint_of(nowhere) is None
    assert not covers(Question("?", bbox=(-180, -90, 180, 90)), nowhere)
    assert not covers(Question("?", datetime="2000-01-01/.."), undated)
    assert covers(Question("?", bbox=(10, 0, 11, 1)), undated)


def test_older_scenes_that_newer_ones_hide_are_left_out() -> None:
    area = (10.0, 0.0, 12.0, 1.0)
    west, east, whole = record("west", 10, 11, 1), record("east", 11, 12, 2), record("whole", 9, 13, 3)
    assert keys(newest([west, east], area)) == ["east", "west"]
    assert keys(newest([west, east, whole], area)) == ["whole"]
    # A newer one of a part does not hide the rest.
    assert keys(newest([record("old", 9, 13, 1), record("new", 11, 12, 2)], area)) == ["new", "old"]
    # What lies outside the area does not count.
    assert keys(newest([record("old", 5, 12, 1), record("new", 10, 12, 2)], area)) == ["new"]
    assert keys(newest([record("elsewhere", 20, 21, 9), west], area)) == ["west"]
    assert keys(newest([record("undated", 10, 12, None), west], area)) == ["west", "undated"]
    assert keys(newest([west, record("nowhere", 10, 12, placed=False)], area)) == ["west"]


def test_the_area_may_be_a_point_or_cross_the_antimeridian() -> None:
    old, new = record("old", 10, 11, 1), record("new", 10, 11, 2)
    assert keys(newest([old, new], (10.5, 0.5, 10.5, 0.5))) == ["new"]
    far = record("far", 179, 180, 2)
    assert keys(newest([far, record("near", -180, -179, 1)], (179.5, 0, -179.5, 1))) == ["far", "near"]


def test_first_and_last_are_the_furthest_apart_of_one_place() -> None:
    scenes = [record("b", 10, 11, 5), record("c", 10, 11, 9), record("a", 10, 11, 2), record("far", 50, 51, 1)]
    assert keys(list(first_and_last(scenes))) == ["a", "c"]
    assert keys(list(first_and_last([*scenes, record("undated", 10, 11, None)]))) == ["a", "c"]


@pytest.mark.parametrize(
    ("scenes", "says"),
    [
        ([], "0 is in scope"),
        ([record("a", 10, 11)], "1 is in scope"),
        ([record("a", 10, 11), record("b", 10, 11)], "at the same time"),
        ([record("a", 10, 11, None), record("b", 10, 11, 3)], "nobody says when"),
        ([record("a", 10, 11, 1), record("b", 11, 12, 3)], "No two scenes"),  # they only touch
        ([record("a", 10, 11, 1), record("b", 10, 11, 3, placed=False)], "No two scenes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_pair_of_one_place(scenes: list[SceneRecord], says: str) -> None:
    with pytest.raises(QuestionError, match=says):
        first_and_last(scenes)


def lasting(key: str, first: int, last: int) -> SceneRecord:
    """A scene of an interval of May 2024."""
    made = record(key, 10, 11, first)
    return replace(made, scene=replace(made.scene, acquired_until=datetime(2024, 5, last, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-05-01/2024-05-04", False),
        ("2024-05-01/2024-05-05", True),
        ("2024-05-07", True),
        ("2024-05-09/..", True),
        ("2024-05-11/..", False),
        ("../2024-05-05", True),
        ("../2024-05-04", False),
    ],
)
def test_an_interval_is_covered_by_a_time_that_meets_it(time: str, expected: bool) -> None:
    assert covers(Question("?", datetime=time), lasting("a", 5, 10)) is expected


def test_intervals_are_in_order_by_their_ends_and_compared_only_if_they_do_not_meet() -> None:
    month, early, inside, late = lasting("month", 1, 30), record("early", 10, 11, 2), lasting("in", 3, 9), record(
        "late", 10, 11, 31
    )  # fmt: skip
    assert keys(newest([early, month], (10, 0, 11, 1))) == ["month"]
    assert keys(newest([early, inside], (10, 0, 11, 1))) == ["in"]
    assert keys(list(first_and_last([month, late, inside, early]))) == ["early", "late"]
    assert keys(list(first_and_last([late, month]))) == ["month", "late"]
    with pytest.raises(QuestionError, match="same time"):
        first_and_last([month, inside])
