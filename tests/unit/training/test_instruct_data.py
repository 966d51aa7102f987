"""Cue-instruction data of small real scenes: answers agree with the labels, cues with their flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import InputError
from imagerag_assets.raster.types import Grid, Window
from imagerag_assets.training.instruct_cues import Part, Rates, draw_cues, false_cue, part_of, true_cue
from imagerag_assets.training.instruct_data import build_dataset
from imagerag_assets.training.instruct_set import TRAIN, VALIDATION, Example, digest_of, read_examples
from imagerag_assets.training.labelled_scenes import LabelledScene
from imagerag_assets.training.labels import Label
from imagerag_assets.training.question_maker import ABSENT, quadrant
from tests.labelled_source import labelled_scenes

World = tuple[list[LabelledScene], Mapping[str, str]]
SURE = Rates(missed=0, false=0, free=0, confirm=0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    scenes, labels = labelled_scenes(tmp_path_factory.mktemp("labelled"))
    assert [scene.key for scene in scenes] == ["one", "three", "two"]
    return scenes, labels.plurals


def build(world: World, out: Path, questions: int = 90, **options: object) -> Path:
    build_dataset(*world, out, questions=questions, overview_px=128, patch_px=128, **options)  # type: ignore[arg-type]
    return out


def covered(cue: Window, target: Window) -> float:
    width = min(cue[2], target[2]) - max(cue[0], target[0])
    height = min(cue[3], target[3]) - max(cue[1], target[1])
    return max(0, width) * max(0, height) / ((target[2] - target[0]) * (target[3] - target[1]))


def part_in(example: Example, scene: LabelledScene) -> Part:
    """What the overview of an example shows, by its file's name."""
    assert example.overview is not None
    x0, y0, x1, y1 = (int(v) for v in Path(example.overview).stem.split("-")[1:])
    return part_of(scene, (x0, y0, x1, y1))


def test_answers_and_cues_agree_with_the_labels(world: World, tmp_path: Path) -> None:
    folder = build(world, tmp_path / "data", rates=SURE)
    scenes = {scene.key: scene for scene in world[0]}
    examples = [*read_examples(folder, TRAIN), *read_examples(folder, VALIDATION)]
    assert len(examples) == 90
    assert set(Counter(e.kind for e in examples)) == {"position", "count", "presence", "compare", "absent"}
    for example in examples:
        part = part_in(example, scenes[example.scene])
        count = Counter(each.name for each in part.objects)
        answer = example.choices[example.answer]
        assert all(cue.shows and count[cue.phrase] for cue in example.cues)
        assert len(example.cues) == min(8, sum(count[phrase] for phrase in example.phrases))
        assert [c.confidence for c in example.cues] == sorted((c.confidence for c in example.cues), reverse=True)
        if example.kind == "absent":
            assert answer == ABSENT and not count[example.phrases[0]]
        elif example.kind == "count":
            assert answer == str(count[example.phrases[0]])
        elif example.kind == "presence":
            assert count[answer]
        elif example.kind == "position":
            (only,) = [each for each in part.objects if each.name == example.phrases[0]]
            assert answer == quadrant(part.within(only.window), *part.size)
        prompt = example.prompt(folder)
        assert prompt.overview is not None and max(prompt.overview.size) <= 128
        assert {finding.phrase: len(finding.places) for finding in prompt.found} == {
            phrase: count[phrase] for phrase in example.phrases
        }


def test_scenes_to_validate_on_are_never_trained_on(world: World, tmp_path: Path) -> None:
    folder = build(world, tmp_path / "data")
    train, validation = ({e.scene for e in read_examples(folder, name)} for name in (TRAIN, VALIDATION))
    assert len(train) == 2 and len(validation) == 1 and not train & validation
    alone = build((world[0][:1], world[1]), tmp_path / "alone", questions=40, rates=Rates(validation=0.25))
    assert 5 <= len(read_examples(alone, VALIDATION)) <= 10


def test_the_same_seed_gives_the_same_folder(world: World, tmp_path: Path) -> None:
    first, again, other = (build(world, tmp_path / n, 24, seed=s) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((first / path).read_bytes() == (again / path).read_bytes() for path in files)
    assert digest_of(first) == digest_of(again) != digest_of(other)
    assert not list(tmp_path.glob(".*"))


def test_cues_are_missing_and_wrong_at_the_rates_that_were_set() -> None:
    boxes = [(300 * i, 300 * j, 300 * i + 60, 300 * j + 60) for i in range(10) for j in range(10)]
    labels = tuple(Label("ship" if n % 2 else "pier", box) for n, box in enumerate(boxes))
    grid = Grid(3000, 3000, None, (1, 0, 0, 0, 1, 0), has_overviews=False)
    scene = LabelledScene("s", "0", grid, labels[:8], open=lambda: pytest.fail("no pixel is needed"))
    part = part_of(scene, grid.window)
    rng = np.random.default_rng(0)
    drawn = [draw_cues(part, ["ship"], Rates(missed=0.25, false=0.4), 256, rng) for _ in range(400)]
    shown = sum(cue.shows for cues in drawn for cue in cues)
    wrong = [cue for cues in drawn for cue in cues if not cue.shows]
    assert 0.7 < shown / 1600 < 0.8
    assert 0.33 < len(wrong) / 400 < 0.47
    ships = [label.window for label in labels[:8] if label.name == "ship"]
    piers = [label.window for label in labels[:8] if label.name == "pier"]
    assert max(covered(cue.window, ship) for cue in wrong for ship in ships) < 0.1
    assert any(covered(cue.window, pier) >= 0.5 for cue in wrong for pier in piers)  # another thing, not only nothing
    assert any(max(covered(cue.window, pier) for pier in piers) == 0 for cue in wrong)


@pytest.mark.parametrize("box", [(0, 0, 40, 30), (960, 970, 1000, 1000), (100, 100, 950, 400), (500, 2, 503, 900)])
def test_a_true_cue_shows_half_of_an_object_of_any_size_and_stays_in_the_part(box: Window) -> None:
    part = Part((0, 0, 1000, 1000), (Label("ship", box),))
    rng = np.random.default_rng(3)
    for _ in range(100):
        cue = true_cue(part, part.objects[0], 128, rng)
        assert covered(cue.window, box) >= 0.5
        assert 0 <= cue.window[0] < cue.window[2] <= 1000 and 0 <= cue.window[1] < cue.window[3] <= 1000


def test_there_is_no_wrong_cue_where_the_object_is_everywhere() -> None:
    part = Part((0, 0, 100, 100), (Label("forest", (0, 0, 100, 100)),))
    assert false_cue(part, "forest", 128, np.random.default_rng(0)) is None


def test_objects_that_a_part_cuts_off_are_not_in_it() -> None:
    grid = Grid(100, 100, None, (1, 0, 0, 0, 1, 0), has_overviews=False)
    labels = (Label("a", (40, 0, 60, 10)), Label("b", (45, 0, 65, 10)), Label("c", (60, 0, 80, 10)))
    scene = LabelledScene("s", "0", grid, labels, open=lambda: pytest.fail("no pixel is needed"))
    assert part_of(scene, (0, 0, 50, 50)).objects == (Label("a", (40, 0, 50, 10)),)


def test_confirmations_show_one_cue_and_are_balanced(world: World, tmp_path: Path) -> None:
    folder = build(world, tmp_path / "data", questions=60, rates=Rates(confirm=1))
    examples = read_examples(folder, TRAIN)
    assert {e.kind for e in examples} == {"confirm"}
    assert all(e.overview is None and len(e.cues) == 1 for e in examples)
    assert all((e.choices[e.answer] == "yes") == e.cues[0].shows for e in examples)
    assert 0.25 < np.mean([e.cues[0].shows for e in examples]) < 0.75
    with Image.open(folder / examples[0].cues[0].picture) as picture:
        assert picture.size == (128, 128)


def test_what_cannot_be_written_or_made(world: World, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="already exists"):
        build(world, tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        build(world, tmp_path / "file" / "data")
    folder = build(world, tmp_path / "data", questions=6)
    (folder / TRAIN).write_text('{"id": "x"}\n')
    with pytest.raises(InputError, match="Not a training example.*line=1"):
        read_examples(folder, TRAIN)
    with pytest.raises(InputError, match="imagerag train data"):
        read_examples(tmp_path / "nowhere", TRAIN)


def test_a_killed_build_leaves_nothing_that_looks_finished(world: World, tmp_path: Path) -> None:
    def killed(done: int, total: int, doing: str) -> None:
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(world, tmp_path / "data", progress=killed)
    assert not (tmp_path / "data").exists()
    (tmp_path / ".aside-data.killed").mkdir()  # of a kill that nothing could clean up after
    build(world, tmp_path / "data", questions=6)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
