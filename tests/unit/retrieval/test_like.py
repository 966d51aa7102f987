"""Image to image on vectors of known geometry: what is like the example, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagerag_assets.errors import FingerprintError
from imagerag_assets.retrieval.like import retrieve_like
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World, search, unit

MakeWorld = Callable[..., World]
PIER = unit((0, 1.0), (40, 0.3))


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Scene `a`: a pier in two overlapping patches, and water; scene `b`: another pier."""
    made = make_world(AxisEncoder())
    made.add(
        "a",
        [(0, 0, 256, 256), (128, 0, 384, 256), (1000, 0, 1256, 256)],
        [PIER, unit((0, 1.0), (7, 0.3)), unit((5, 1.0))],
    )
    made.add("b", [(0, 0, 256, 256)], [unit((0, 1.0), (8, 0.4))])
    return made


def found(world: World, *, leave_out: str | None = None, **options: object) -> list[str]:
    result = retrieve_like(world, PIER, "like pier.jpg", search(**{"top_k": 5, **options}), leave_out=leave_out)
    assert result.abstained == (not result.cues)
    assert all(cue.phrase == "like pier.jpg" for cue in result.cues)
    return [cue.patch_id for cue in result.cues]


def test_the_best_of_each_place_comes_first(world: World) -> None:
    assert found(world) == ["a:pyramid:0:0:0", "b:pyramid:0:0:0"]
    assert found(world, top_k=1) == ["a:pyramid:0:0:0"]
    assert found(world, where=Filter().scene_in(["b"])) == ["b:pyramid:0:0:0"]


def test_the_example_itself_is_no_answer(world: World) -> None:
    assert found(world, leave_out="a:pyramid:0:0:0") == ["b:pyramid:0:0:0"]


def test_nothing_alike(world: World) -> None:
    result = retrieve_like(world, unit((17, 1.0)), "like ship.png", search(top_k=3))
    assert (result.cues, result.path, result.abstained) == ((), "none", True)
    assert result.notes == ("Nothing looks enough like ship.png",)


def test_another_encoders_collection_is_refused(world: World) -> None:
    world.encoder.fingerprint = "b" * 64
    with pytest.raises(FingerprintError, match="another encoder's"):
        found(world)
