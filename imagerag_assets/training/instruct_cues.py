"""What a retrieval would offer as cues in a labelled scene: patches over objects, and over what is none.

It misses some objects and errs at some phrases, at set rates.  No pixel is read here; what is asked about the cues is
`instruct_data`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagerag_assets.raster.types import Window
from imagerag_assets.training.cue_noise import MAX_CUES, draw_confidence
from imagerag_assets.training.labelled_scenes import LabelledScene
from imagerag_assets.training.labels import Label, clipped
from imagerag_assets.training.question_maker import Placed

_SHOWN = 0.5  # share of an object that has to be in a part, or in a cue
_SEEN = 0.1  # share of an object from which on a cue shows some of it
_TRIES = 12


@dataclass(frozen=True)
class Rates:
    """How often what happens; shares of 1."""

    missed: float = 0.1
    """An object that is not among the cues."""
    false: float = 0.15
    """A phrase that brings a cue that shows something else."""
    free: float = 0.25
    """A question without choices."""
    confirm: float = 0.2
    """A question whether one cue shows what it was found for."""
    validation: float = 0.1
    """Scenes kept for validation; of a single scene, questions."""


@dataclass(frozen=True)
class Part:
    """A scene, or a part of it, and what is in it."""

    window: Window
    """Native pixels of the scene."""
    objects: tuple[Label, ...]
    """With windows in pixels of the scene."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in native pixels."""
        return self.window[2] - self.window[0], self.window[3] - self.window[1]

    def placed(self, plurals: Mapping[str, str]) -> list[Placed]:
        """The objects with windows in pixels of the part."""
        return [Placed(each.name, plurals[each.name], None, self.within(each.window)) for each in self.objects]

    def within(self, window: Window) -> Window:
        """A window of the scene in pixels of the part."""
        x0, y0 = self.window[:2]
        return window[0] - x0, window[1] - y0, window[2] - x0, window[3] - y0


@dataclass(frozen=True)
class Drawn:
    """A cue before its picture is read."""

    window: Window
    phrase: str
    confidence: float
    shows: bool


def part_of(scene: LabelledScene, window: Window) -> Part:
    """A part of a scene with the objects of which at least half lies in it, clipped to it."""
    objects = []
    for label in scene.labels:
        inside = clipped(label.window, window)
        if inside is not None and _area(inside) >= _SHOWN * _area(label.window):
            objects.append(Label(label.name, inside))
    return Part(window, tuple(objects))


def draw_cues(
    part: Part, phrases: Sequence[str], rates: Rates, patch_px: int, rng: np.random.Generator
) -> tuple[Drawn, ...]:
    """What a retrieval that misses and errs would offer for some phrases, most confident first."""
    cues = []
    for phrase in phrases:
        there = [each for each in part.objects if each.name == phrase]
        cues += [true_cue(part, each, patch_px, rng) for each in there if rng.random() >= rates.missed]
        if rng.random() < rates.false:
            wrong = false_cue(part, phrase, patch_px, rng)
            cues += [wrong] if wrong else []
    return tuple(sorted(cues, key=lambda cue: -cue.confidence)[:MAX_CUES])


def true_cue(part: Part, shown: Label, patch_px: int, rng: np.random.Generator) -> Drawn:
    """A patch that shows at least half of an object, though seldom its middle in its own middle."""
    return Drawn(_patch_over(part, shown.window, patch_px, rng), shown.name, draw_confidence(True, rng), True)


def false_cue(part: Part, phrase: str, patch_px: int, rng: np.random.Generator) -> Drawn | None:
    """A patch that shows nothing of what it is offered for; often something else. None where there is no such place."""
    ours = [each.window for each in part.objects if each.name == phrase]
    others = [each.window for each in part.objects if each.name != phrase]
    for _ in range(_TRIES):
        if others and rng.random() < 0.5:
            window = _patch_over(part, others[int(rng.integers(len(others)))], patch_px, rng)
        else:
            x, y = (int(rng.integers(low, high)) for low, high in zip(part.window[:2], part.window[2:], strict=True))
            window = _patch_over(part, (x, y, x + 1, y + 1), patch_px, rng)
        if all(_covered(window, each) < _SEEN for each in ours):
            return Drawn(window, phrase, draw_confidence(False, rng), False)
    return None


def _patch_over(part: Part, window: Window, patch_px: int, rng: np.random.Generator) -> Window:
    """A patch of the pyramid that shows at least half of a window of the part, off its middle by up to a quarter."""
    longest, side = max(window[2] - window[0], window[3] - window[1]), patch_px
    while side < longest * rng.uniform(0.7, 1.3):
        side *= 2
    width, height = (min(side, own) for own in part.size)
    patch = window
    for attempt in range(_TRIES):
        away = 0.25 * (1 - attempt / (_TRIES - 1))  # the last try is centred
        x = (window[0] + window[2] - width) / 2 + rng.uniform(-away, away) * width
        y = (window[1] + window[3] - height) / 2 + rng.uniform(-away, away) * height
        x0 = int(min(max(x, part.window[0]), part.window[2] - width))
        y0 = int(min(max(y, part.window[1]), part.window[3] - height))
        patch = (x0, y0, x0 + width, y0 + height)
        if _covered(patch, window) >= _SHOWN:
            break
    return patch


def _covered(patch: Window, window: Window) -> float:
    """The share of a window that a patch covers."""
    inside = clipped(window, patch)
    return 0.0 if inside is None else _area(inside) / _area(window)


def _area(window: Window) -> int:
    return (window[2] - window[0]) * (window[3] - window[1])
