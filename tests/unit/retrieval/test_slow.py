"""The slow path over a knowledge base that was really built, and the arithmetic of prototypes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import FingerprintError
from imagerag_assets.knowledge.build import build_captions, build_labels
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.slow import make_prototype, reduce_exemplars
from imagerag_assets.retrieval.types import Reducer
from tests.unit.retrieval.world import DIM, AxisEncoder, World, search, unit

MakeWorld = Callable[..., World]
COLOURS = {"aquaculture ponds": 3, "wind turbine": 4, "open-pit mine": 5}


def asked(*phrases: str) -> Analysis:
    return Analysis("?", phrases, "position", False)


def picture(path: Path, red: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 0] = red
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Nothing that the encoder has words for; patch i of scene `a` looks like the exemplars of colour 3 + i."""
    made = make_world(AxisEncoder())
    vectors = [unit((red, 1.0), (DIM - 1, 0.3), (33, 0.2)) for red in COLOURS.values()] + [unit((50, 1.0), (3, 0.5))]
    made.add("a", [(300 * index, 0, 300 * index + 256, 256) for index in range(4)], vectors)
    return made


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    for label, red in COLOURS.items():
        for index in range(3):
            picture(tmp_path / "chips" / label.replace(" ", "_") / f"{index}.png", red)
    return tmp_path / "chips"


@pytest.mark.parametrize("reducer", ["mean", "cluster", "rerank"])
def test_through_labels(world: World, chips: Path, reducer: Reducer) -> None:
    build_labels(world, str(chips))
    found = retrieve(world, asked("a pond for fish farming", "wind power plant"), search(reducer=reducer))
    assert found.path == "slow-labels"
    assert not found.abstained
    assert {cue.phrase: cue.patch_id for cue in found.cues} == {
        "a pond for fish farming": "a:pyramid:0:0:0",
        "wind power plant": "a:pyramid:0:0:1",
    }
    assert all(cue.path == "slow-labels" for cue in found.cues)


def test_through_captions_when_no_label_matches(world: World, chips: Path, tmp_path: Path) -> None:
    build_labels(world, str(chips))
    lines = [
        '{"image": "chips/open-pit_mine/0.png", "captions": ["A quarry where marble is dug.", "A marble quarry."]}',
        '{"image": "chips/wind_turbine/0.png", "caption": "A white tower turns in the wind."}',
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    build_captions(world, str(tmp_path / "captions.jsonl"))
    found = retrieve(world, asked("marble quarry"), search())
    assert found.path == "slow-captions"
    assert found.cues[0].patch_id == "a:pyramid:0:0:2"


def test_a_phrase_that_matches_nothing_abstains(world: World, chips: Path) -> None:
    build_labels(world, str(chips))
    found = retrieve(world, asked("medieval castle"), search(path="slow"))
    assert found.abstained
    assert any("No labels of the knowledge base match" in note for note in found.notes)


@pytest.fixture
def glossed(chips: Path) -> Path:
    words = {"aquaculture_ponds": {"also": ["stew farm"], "means": "Water basins in which carp are bred."}}
    (chips / "labels.json").write_text(json.dumps(words))
    return chips


def test_a_label_is_found_by_what_is_said_of_it(world: World, glossed: Path) -> None:
    build_labels(world, str(glossed))
    for phrase in ("basin where carp are bred", "stew farms"):
        found = retrieve(world, asked(phrase), search(path="slow"))
        assert [(cue.patch_id, cue.phrase) for cue in found.cues] == [("a:pyramid:0:0:0", phrase)]


def test_the_fast_path_takes_another_name_as_its_label(make_world: MakeWorld, glossed: Path) -> None:
    """The encoder knows "stew farm", but takes it for what patch 1 shows."""
    axes = {"stew farm": 4, "aquaculture ponds": 3}
    world = make_world(AxisEncoder(axes))
    vectors = [unit((red, 1.0), (40, 0.4)) for red in (3, 4)]
    world.add("a", [(300 * index, 0, 300 * index + 256, 256) for index in range(2)], vectors)
    assert retrieve(world, asked("stew farm"), search()).cues[0].patch_id == "a:pyramid:0:0:1"
    build_labels(world, str(glossed))
    found = retrieve(world, asked("stew farm"), search())
    assert [(cue.patch_id, cue.phrase, cue.path) for cue in found.cues] == [("a:pyramid:0:0:0", "stew farm", "fast")]
    assert found.words == {"stew farm": "aquaculture ponds"}
    assert any("'stew farm' is looked for as 'aquaculture ponds'" in note for note in found.notes)
    assert retrieve(world, asked("stew farm"), search(path="fast")).cues[0].patch_id == "a:pyramid:0:0:1"
    assert not retrieve(world, asked("aquaculture ponds"), search()).words


def test_other_names_take_nothing_from_the_background(world: World, chips: Path) -> None:
    """A label that is like the phrase by one of many names still counts as something else."""
    build_labels(world, str(chips))
    plain = retrieve(world, asked("wind turbine"), search(path="slow")).cues[0]
    (chips / "labels.json").write_text(json.dumps({"open-pit_mine": {"also": ["wind turbines of a mine"]}}))
    build_labels(world, str(chips))
    assert retrieve(world, asked("wind turbine"), search(path="slow")).cues[0].confidence == pytest.approx(
        plain.confidence
    )


def test_a_patch_unlike_every_exemplar_is_no_cue(make_world: MakeWorld, chips: Path) -> None:
    lonely = make_world(AxisEncoder())
    lonely.add("far", [(0, 0, 256, 256)], [unit((50, 1.0), (3, 0.4))])  # nearest to the ponds, and far from them
    build_labels(lonely, str(chips))
    assert retrieve(lonely, asked("aquaculture pond"), search()).abstained


def test_another_encoders_knowledge(make_world: MakeWorld, world: World, chips: Path) -> None:
    build_labels(world, str(chips))
    other = make_world(AxisEncoder(fingerprint="c" * 64))
    other.add("a", [(0, 0, 256, 256)], [unit((3, 1.0))])
    found = retrieve(other, asked("aquaculture pond"), search())
    assert found.abstained
    assert any("labels was left out: The vectors are another encoder's" in n for n in found.notes)
    with pytest.raises(FingerprintError):
        retrieve(other, asked("aquaculture pond"), search(path="slow"))


def test_prototypes_are_of_length_one_and_expect_less_of_mixed_labels() -> None:
    alike = np.stack([unit((0, 1.0), (axis, 0.2)) for axis in range(1, 9)])
    mixed = np.stack([unit((0, 1.0), (axis, 2.0)) for axis in range(1, 9)])
    one, other = make_prototype(["x"], alike), make_prototype(["y"], mixed)
    assert np.linalg.norm(one.vector) == pytest.approx(1)
    assert np.linalg.norm(other.vector) == pytest.approx(1)
    assert other.coherence < one.coherence < 1
    assert make_prototype(["z"], alike[:1]).coherence == pytest.approx(0.7)


def test_reducers_leave_outliers_out() -> None:
    same = [unit((0, 1.0), (axis, 0.1)) for axis in range(1, 5)]
    vectors = np.stack([*same, unit((9, 1.0)), unit((10, 1.0))])
    assert len(reduce_exemplars(vectors, "cluster")) == 4
    assert len(reduce_exemplars(vectors, "mean")) == 6
    assert reduce_exemplars(vectors, "rerank", unit((9, 1.0), (0, 0.5)))[0] @ unit((9, 1.0)) == pytest.approx(1)
    scattered = np.stack([unit((axis, 1.0)) for axis in range(3)])
    assert len(reduce_exemplars(scattered, "cluster")) == 3
