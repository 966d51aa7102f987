"""What is counted within patches for a question, on painted scenes with a real Milvus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagerag_assets.questions.counts import count_shown, count_unseen
from imagerag_assets.retrieval.types import Cue, Retrieval
from tests.unit.retrieval.test_counting import Cells, PaintedLook, fill, painted, search
from tests.unit.retrieval.world import World, milvus_of_worlds, worlds  # noqa: F401

_TANK = "storage tank"


@pytest.fixture
def make_world(tmp_path: Path, milvus_of_worlds: Path) -> Iterator[Callable[..., World]]:  # noqa: F811
    with worlds(tmp_path / "home", milvus_of_worlds) as make:
        yield make


def found(cues: int, phrase: str = _TANK, *, unsure: bool = False, many: bool = False) -> Retrieval:
    """Cues of the first patches of a scene without a place on the ground."""
    made = tuple(
        Cue(f"a:pyramid:0:0:{number}", "a", (0, 0, 256, 256), None, 0, phrase, 0.5, 0.9, number + 1, "fast")
        for number in range(cues)
    )
    own: frozenset[str] = frozenset({phrase})
    none: frozenset[str] = frozenset()
    return Retrieval(
        made, "fast", False, words={phrase: "tank"}, unsure=own if unsure else none, many=own if many else none
    )


def test_objects_with_a_size_are_counted_one_by_one(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, windows = painted(80, 48)
    fill(world, "a", picture)
    look = search(look=PaintedLook({"a": picture}))
    counted = count_shown(world, _TANK, found(8), look, budget=6000)
    assert counted is not None
    assert abs(counted.count - len(windows)) <= 8
    assert counted.window_px is not None


@pytest.mark.parametrize(
    ("shown", "budget"),
    [(found(0), 6000), (found(8, unsure=True), 6000), (found(8), 0), (found(8, "beach"), 6000)],
    ids=["no cue", "unsure", "no budget", "ground has no number"],
)
def test_otherwise_cues_are_the_number(make_world: Callable[..., World], shown: Retrieval, budget: int) -> None:
    world = make_world(Cells())
    picture, _ = painted(24, 90)
    fill(world, "a", picture)
    phrase = shown.cues[0].phrase if shown.cues else _TANK
    assert count_shown(world, phrase, shown, search(look=PaintedLook({"a": picture})), budget) is None


def test_of_what_is_as_large_as_patches_patches_are_counted_where_cues_are_many(
    make_world: Callable[..., World],
) -> None:
    world = make_world(Cells())
    picture, _ = painted(24, 90)
    fill(world, "a", picture)
    counted = count_shown(
        world, "beach", found(6, "beach", many=True), search(look=PaintedLook({"a": picture})), budget=6000
    )
    assert counted is not None
    assert counted.how == "patches"
    assert world.encoder.encoded_images == 0


def test_objects_that_no_patch_shows_are_counted_if_they_stand_apart(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, windows = painted(80, 48)
    fill(world, "a", picture)
    look = search(look=PaintedLook({"a": picture}))
    counted = count_unseen(world, _TANK, found(0), look, 6000)
    assert counted is not None
    assert counted.apart
    assert abs(counted.count - len(windows)) <= 8
    assert all(each.patch_id.startswith("a:") for each in counted.objects)
    assert count_unseen(world, _TANK, found(60), look, 6000) is None, "hardly more than patches show"
    assert count_unseen(world, _TANK, found(0), look, 0) is None
    assert count_unseen(world, "beach", found(0), look, 6000) is None, "ground has no number"
    unknown = replace(found(0), unrecognised=frozenset({_TANK}))
    assert count_unseen(world, _TANK, unknown, look, 6000) is None
