"""The second look, on painted scenes and an encoder that sees how much of a patch is red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.errors import RasterError
from imagerag_assets.retrieval.scoring import Head, features
from imagerag_assets.retrieval.second_look import Scorer, affordable, crops_per_candidate, is_many, look_again
from imagerag_assets.retrieval.types import Cue, Window

SIZE = 2048
BACKGROUND = np.array([[0.0, 1.0]], dtype=np.float32)


@dataclass
class RedEncoder:
    """A patch's vector turns from the second axis to the first as its middle half fills with red."""

    dim: int = 2
    encoded: int = 0

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.encoded += len(images)
        quarter = images.shape[1] // 4
        middle = images[:, quarter : 3 * quarter, quarter : 3 * quarter, 0] / 255
        turn = middle.mean(axis=(1, 2)) * np.pi / 2
        return np.stack([np.sin(turn), np.cos(turn)], axis=1).astype(np.float32)


@dataclass
class PaintedLook:
    """Scenes as arrays; a scene that is not there cannot be read."""

    scenes: dict[str, NDArray[np.uint8]]
    reads: list[tuple[str, Window, int]] = field(default_factory=list)
    finest: int = 0

    def size(self, scene_key: str) -> tuple[int, int]:
        return SIZE, SIZE

    def finest_level(self, scene_key: str) -> int:
        return self.finest

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        if scene_key not in self.scenes:
            raise RasterError("gone", href=scene_key)
        self.reads.append((scene_key, window, level))
        x0, y0, x1, y1 = window
        assert 0 <= x0 < x1 <= SIZE and 0 <= y0 < y1 <= SIZE
        step = 1 << level
        return self.scenes[scene_key][y0:y1:step, x0:x1:step]

    def bbox(self, scene_key: str, window: Window) -> tuple[float, float, float, float]:
        return tuple(float(value) for value in window)  # type: ignore[return-value]


def painted(*boxes: Window) -> NDArray[np.uint8]:
    """Red boxes.  Other colours, which the encoder does not see, differ everywhere: no two places are one picture."""
    picture = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    picture[..., 0] = 0
    for x0, y0, x1, y1 in boxes:
        picture[y0:y1, x0:x1, 0] = 255
    return picture


def cue(x: int, y: int, side: int = 256, *, scene: str = "a", level: int = 0, confidence: float = 0.5) -> Cue:
    window = (x, y, x + side, y + side)
    return Cue(f"{scene}:pyramid:{level}:{y}:{x}", scene, window, None, level, "red", 0.5, confidence, 0, "fast")


def red(margin: float = 1.0) -> Scorer:
    def score(seen: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return seen[:, 0].astype(np.float64), features(seen[:, 0], seen @ BACKGROUND.T, 40.0)

    return Scorer(score, Head(margin=margin, score=0.0, bias=0.0))


def again(
    look: PaintedLook, cues: Sequence[Cue], budget: int = 1000, scorer: Scorer | None = None
) -> tuple[list[Any], tuple[str, ...], RedEncoder]:
    encoder = RedEncoder()
    seen, notes = look_again(SimpleNamespace(encoder=encoder), look, cues, scorer or red(), budget=budget)  # type: ignore[arg-type]
    return seen, notes, encoder


def _once(look: PaintedLook, read: Any, *args: Any) -> NDArray[np.uint8]:
    if look.reads:
        raise RasterError("gone", href="a")
    picture: NDArray[np.uint8] = read(*args)
    return picture


def middle(window: Window) -> tuple[float, float]:
    return (window[0] + window[2]) / 2, (window[1] + window[3]) / 2


def test_the_window_moves_onto_the_object_and_keeps_the_patch() -> None:
    look = PaintedLook({"a": painted((530, 560, 730, 760))})
    (seen,), _, _ = again(look, [cue(512, 512)])
    assert middle(seen.cue.window) == (pytest.approx(630, abs=40), pytest.approx(660, abs=40))
    assert seen.cue.patch_id == "a:pyramid:0:512:512"
    assert seen.cue.bbox == tuple(map(float, seen.cue.window))
    assert seen.cue.confidence > 0.9
    assert seen.features is not None and seen.features.shape == (2,)


def test_two_windows_that_each_saw_half_become_one() -> None:
    look = PaintedLook({"a": painted((412, 520, 612, 720))})
    (seen,), _, _ = again(look, [cue(256, 512), cue(512, 512, confidence=0.4)])
    assert middle(seen.cue.window)[0] == pytest.approx(512, abs=70)


def test_two_objects_side_by_side_stay_two() -> None:
    look = PaintedLook({"a": painted((284, 540, 484, 740), (540, 540, 740, 740))})
    seen, _, _ = again(look, [cue(256, 512), cue(512, 512)])
    assert len(seen) == 2


def test_what_is_not_there_loses_confidence() -> None:
    (seen,), _, _ = again(PaintedLook({"a": painted()}), [cue(512, 512, confidence=0.9)])
    assert seen.cue.confidence < 0.01


def test_a_coarse_candidate_is_looked_at_finer() -> None:
    look = PaintedLook({"a": painted((560, 580, 800, 820))})
    (seen,), _, encoder = again(look, [cue(512, 512, 512, level=1)])
    assert seen.cue.level == 0
    assert seen.cue.window[2] - seen.cue.window[0] == 256
    assert middle(seen.cue.window) == (pytest.approx(680, abs=70), pytest.approx(700, abs=70))
    assert encoder.encoded == crops_per_candidate(1) == 36
    assert [level for _, _, level in look.reads] == [1, 0, 0, 0]


def test_patches_of_fewer_pixels_are_looked_at_at_native_resolution() -> None:
    look = PaintedLook({"a": painted((600, 600, 700, 700))}, finest=-2)
    (seen,), _, encoder = again(look, [cue(576, 576, 128, level=-1)])
    assert seen.cue.level in (-1, -2)
    assert middle(seen.cue.window) == (pytest.approx(650, abs=40), pytest.approx(650, abs=40))
    assert 18 < encoder.encoded <= crops_per_candidate(-1, -2) == 36  # half as wide, too; the same crop only once
    assert {level for _, _, level in look.reads} == {0}
    (finest,), _, encoder = again(look, [cue(620, 620, 64, level=-2)])
    assert finest.cue.window[2] - finest.cue.window[0] == 64
    assert 9 < encoder.encoded <= crops_per_candidate(-2, -2) == 27


def test_a_patch_as_small_as_any_is_not_looked_at_finer() -> None:
    look = PaintedLook({"a": painted((560, 580, 800, 820))}, finest=1)
    (seen,), _, encoder = again(look, [cue(512, 512, 512, level=1)], budget=crops_per_candidate(1, 1))
    assert seen.cue.level == 1 and 9 < encoder.encoded <= 27
    assert {level for _, _, level in look.reads} == {1}


def test_confidence_hardly_depends_on_where_the_grid_cut() -> None:
    look = PaintedLook({"a": painted((836, 836, 964, 964))})
    starts = [cue(772 + dx, 772 + dy) for dx in (-60, -20, 0, 40) for dy in (-50, 0, 30)]
    found = [again(look, [start], scorer=red(margin=0.1))[0][0].cue for start in starts]
    confidences = [each.confidence for each in found]
    assert max(confidences) - min(confidences) < 0.03  # .33 without the fine looks
    assert all(middle(each.window) == (pytest.approx(900, abs=5), pytest.approx(900, abs=5)) for each in found)


def test_what_fails_the_first_look_gets_no_fine_looks() -> None:
    _, _, encoder = again(PaintedLook({"a": painted()}), [cue(512, 512)])
    assert encoder.encoded == 9


@pytest.mark.parametrize("x", [0, SIZE - 256])
def test_windows_stay_inside_the_scene(x: int) -> None:
    look = PaintedLook({"a": painted((x, 0, x + 256, 256))})
    (seen,), _, _ = again(look, [cue(x, 0)])
    assert seen.cue.window[0] >= 0 and seen.cue.window[2] <= SIZE and seen.cue.window[1] >= 0


@dataclass
class SmallLook(PaintedLook):
    """A scene of 120 x 90 px, beyond which nothing may be read: it would be black."""

    def size(self, scene_key: str) -> tuple[int, int]:
        return 120, 90

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        assert window[2] <= 120
        assert window[3] <= 90
        return super().read(scene_key, window, level)


@pytest.mark.parametrize("level", [0, 1])
def test_a_scene_smaller_than_a_patch_is_looked_at_without_what_lies_beyond_it(level: int) -> None:
    look = SmallLook({"a": painted((0, 0, 120, 90))})
    (seen,), _, _ = again(look, [cue(0, 0, 256 << level, level=level)])
    assert seen.cue.window == (0, 0, 120, 90)
    assert seen.cue.confidence > 0.9


def test_the_budget_holds_and_the_rest_is_left_out() -> None:
    look = PaintedLook({"a": painted((512, 512, 768, 768))})
    seen, _, encoder = again(look, [cue(512, 512), cue(1024, 512), cue(1536, 512)], budget=60)
    assert len(look.reads) == 1 + 1 + 2  # what is not there gets no fine looks
    assert encoder.encoded == 9 + 9 + 8  # the window stays: the first look saw its middle, the first fine look the rest
    assert len(seen) == 2


def test_a_picture_is_encoded_once_for_all_that_look_at_it() -> None:
    look = PaintedLook({"a": painted((530, 560, 730, 760))})
    cues, encoder = [cue(512, 512), cue(512, 640)], RedEncoder()
    deps: Any = SimpleNamespace(encoder=encoder)
    first = look_again(deps, look, cues, red(), budget=1000)
    before = encoder.encoded
    assert before > 0
    again_, notes = look_again(deps, look, cues, red(), budget=1000)
    assert encoder.encoded == before
    assert [(each.cue, each.logit) for each in again_] == [(each.cue, each.logit) for each in first[0]] and not notes
    other = RedEncoder()  # another encoder sees for itself
    look_again(SimpleNamespace(encoder=other), look, cues, red(), budget=1000)  # type: ignore[arg-type]
    assert other.encoded == before


def test_a_scene_that_goes_between_two_looks_keeps_what_was_found() -> None:
    look = PaintedLook({"a": painted((512, 512, 768, 768))})
    whole, look.read = look.read, lambda *args: _once(look, whole, *args)  # type: ignore[method-assign]
    (seen,), notes, encoder = again(look, [cue(512, 512)])
    assert encoder.encoded == 9
    assert seen.features is not None and seen.cue.confidence > 0.9
    assert len(notes) == 1 and "gone" in notes[0]


def test_a_scene_that_is_gone_keeps_its_cues_and_says_so() -> None:
    look = PaintedLook({"a": painted((512, 512, 768, 768))})
    seen, notes, _ = again(look, [cue(0, 0, scene="b", confidence=0.7), cue(512, 512)])
    kept = next(each for each in seen if each.cue.scene == "b")
    assert kept.cue == cue(0, 0, scene="b", confidence=0.7)
    assert kept.features is None
    assert len(notes) == 1 and "b" in notes[0]


def test_nothing_to_look_at() -> None:
    assert again(PaintedLook({}), [])[:2] == ([], ())


def test_a_budget_below_one_candidate_means_no_second_look_instead_of_no_cue() -> None:
    look = PaintedLook({})
    assert affordable(look, crops_per_candidate(1)) is look
    assert affordable(look, crops_per_candidate(1) - 1) is None
    assert affordable(None, 1000) is None


@pytest.mark.parametrize(
    ("candidates", "level", "passed", "many"),
    [(40, 0, 16, True), (40, 0, 12, True), (40, 0, 8, False), (16, 0, 16, False), (40, 1, 9, True), (40, 1, 6, False)],
)
def test_most_of_what_could_be_looked_at_passed(candidates: int, level: int, passed: int, many: bool) -> None:
    given = [cue(0, 0, level=level) for _ in range(candidates)]
    assert is_many(given, passed, 0.5, budget=432) is many


def test_where_little_could_be_looked_at_few_are_not_many() -> None:
    assert not is_many([cue(0, 0) for _ in range(40)], 5, 0.5, budget=5 * crops_per_candidate(0))
    assert is_many([cue(0, 0) for _ in range(40)], 6, 0.5, budget=8 * crops_per_candidate(0))
