"""Paths, thresholds and the choice of cues, on vectors of known geometry in a real Milvus Lite."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from imagerag_assets.errors import FingerprintError
from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import MAX_CUES_ALL, retrieve, select
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World, search, unit

MakeWorld = Callable[..., World]
AXES = {"tennis court": 0, "ship": 1, "helipad": 2}
NOISE = unit((20, 1.0))


def asked(*phrases: str, wants_all: bool = False) -> Analysis:
    return Analysis("?", phrases, "count" if wants_all else "position", wants_all)


def seen(phrase: str, strength: float = 1.0) -> np.ndarray:
    return unit((AXES[phrase], strength), (30, 1.0), (40, 0.4))


def square(x: int, y: int = 0) -> tuple[int, int, int, int]:
    return (x, y, x + 256, y + 256)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Scene `a`: a tennis court in two overlapping patches, a fainter one, noise; scene `b`: a tennis court, a ship."""
    made = make_world(AxisEncoder(dict(AXES)))
    made.add(
        "a",
        [square(0), square(128), square(1000), square(2000)],
        [seen("tennis court"), seen("tennis court", 0.9), seen("tennis court", 0.8), NOISE],
    )
    made.add("b", [square(0), square(512)], [seen("tennis court", 0.7), seen("ship")])
    return made


def test_fast_path_ranks_and_suppresses(world: World) -> None:
    found = retrieve(world, asked("tennis court"), search(where=Filter().scene_in(["a"])))
    assert [cue.patch_id for cue in found.cues] == ["a:pyramid:0:0:0", "a:pyramid:0:0:2"]
    assert [cue.rank for cue in found.cues] == [1, 2]
    assert found.path == "fast"
    assert not found.abstained
    assert set(found.timings_ms) == {"encode", "search", "verify"}


def test_a_cue_as_json_of_the_contract(world: World) -> None:
    cue = retrieve(world, asked("ship"), search()).cues[0].to_dict()
    assert json.loads(json.dumps(cue)) == cue
    assert cue["window"] == [512, 0, 768, 256]
    assert cue["bbox"] is None
    assert cue["scene"] == "b"
    assert cue["path"] == "fast"
    assert {"patch_id", "level", "phrase", "score", "confidence", "rank"} <= set(cue)


def test_nothing_below_the_threshold_is_given(world: World) -> None:
    found = retrieve(world, asked("helipad"), search())
    assert (found.cues, found.path, found.abstained) == ((), "none", True)
    assert any("helipad" in note for note in found.notes)
    assert any("no knowledge base of labels" in note for note in found.notes)


def test_forced_fast_does_not_try_the_slow_path(world: World) -> None:
    found = retrieve(world, asked("helipad"), search(path="fast"))
    assert found.cues == ()
    assert not any("slow" in note for note in found.notes)


def test_forced_slow_without_knowledge_says_so(world: World) -> None:
    found = retrieve(world, asked("tennis court"), search(path="slow"))
    assert found.abstained
    assert any("captions" in note for note in found.notes)


def test_path_none_and_no_phrase_touch_nothing(make_world: MakeWorld) -> None:
    empty = make_world()  # there is no collection to search
    assert not retrieve(empty, asked("ship"), search(path="none")).abstained
    assert retrieve(empty, asked(), search()).notes == ("The question names nothing to look for",)


def test_top_k_holds_for_one_thing_and_not_for_all(world: World) -> None:
    assert len(retrieve(world, asked("tennis court"), search(top_k=1)).cues) == 1
    everything = retrieve(world, asked("tennis court", wants_all=True), search(top_k=1)).cues
    assert len(everything) == 3
    assert [cue.confidence for cue in everything] == sorted((cue.confidence for cue in everything), reverse=True)


def test_each_phrase_is_represented_before_seconds(world: World) -> None:
    cues = retrieve(world, asked("tennis court", "ship", "helipad"), search(top_k=2)).cues
    assert {cue.phrase for cue in cues} == {"tennis court", "ship"}


def test_min_confidence_overrides_the_calibration(make_world: MakeWorld, world: World) -> None:
    confidence = retrieve(world, asked("ship"), search()).cues[0].confidence
    assert confidence < 1
    strict = make_world(world.encoder, min_confidence=min(1.0, confidence + 1e-9))
    assert retrieve(strict, asked("ship"), search(path="fast")).abstained
    lax = make_world(world.encoder, min_confidence=0.0)
    assert retrieve(lax, asked("helipad"), search(path="fast")).cues


def test_a_given_calibration_is_used(world: World) -> None:
    assert retrieve(world, asked("ship"), search(path="fast", calibration=replace(GENERIC, threshold=1.0))).abstained


def test_another_encoders_collection_is_refused(make_world: MakeWorld, world: World) -> None:
    other = make_world(AxisEncoder(dict(AXES), fingerprint="b" * 64))
    with pytest.raises(FingerprintError, match=r"stored=a+, required=b+"):
        retrieve(other, asked("ship"), search())


def test_a_scene_without_patches_abstains(world: World) -> None:
    assert retrieve(world, asked("ship"), search(where=Filter().scene_in(["nowhere"]))).abstained


def test_a_patch_in_an_identical_scene_of_thousands_has_the_same_confidence(world: World) -> None:
    before = retrieve(world, asked("ship"), search()).cues[0].confidence
    rng = np.random.default_rng(0)
    vectors = [unit(*((int(axis), 1.0) for axis in rng.integers(20, 30, 3))) for _ in range(2000)]
    world.add("crowd", [square(300 * index) for index in range(2000)], vectors)
    assert retrieve(world, asked("ship"), search()).cues[0].confidence == pytest.approx(before, abs=1e-6)


def cue(patch: str, phrase: str, confidence: float) -> Cue:
    return Cue(patch, "s", (0, 0, 1, 1), None, 0, phrase, confidence, confidence, 0, "fast")


def test_a_patch_of_two_phrases_stays_where_it_is_best() -> None:
    passed = {"a": [cue("1", "a", 0.9), cue("2", "a", 0.6)], "b": [cue("1", "b", 0.8), cue("2", "b", 0.7)]}
    chosen = select(passed, ["a", "b"], 9)
    assert [(each.patch_id, each.phrase) for each in chosen] == [("1", "a"), ("1", "b"), ("2", "b")]


def test_at_most_so_many_cues() -> None:
    passed = {"a": [cue(str(index), "a", 1 - index / 100) for index in range(40)]}
    assert len(select(passed, ["a"], MAX_CUES_ALL, wants_all=True)) == MAX_CUES_ALL
    assert select({}, ["a"], 3) == ()
