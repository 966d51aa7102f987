"""Draw the cues that a retrieval would offer in a labelled scene: patches over objects, and over other places.

The retrieval misses some objects and brings some wrong cues, at set rates.  No pixel is read here; `instruct_data`
decides what is asked about the cues.
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

_SHOWN = 0.5  # share of an object that a part or a cue must show to count as showing it
_SEEN = 0.1  # a cue that shows less than this share of an object does not show it at all
_TRIES = 12


@dataclass(frozen=True)
class Rates:
    """How often each of these happens, as shares of 1."""

    missed: float = 0.1
    """An object is not among the cues."""
    false: float = 0.15
    """A phrase brings a cue that shows something else."""
    free: float = 0.25
    """A question has no choices."""
    confirm: float = 0.2
    """A question asks whether one cue shows what it was found for."""
    validation: float = 0.1
    """A scene is kept for validation; with a single scene, a question is."""


@dataclass(frozen=True)
class Part:
    """A scene or a part of it, with its objects."""

    window: Window
    """Window of the part, in native pixels of the scene."""
    objects: tuple[Label, ...]
    """Objects in the part, with windows in native pixels of the scene."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in native pixels."""
        return self.window[2] - self.window[0], self.window[3] - self.window[1]

    def placed(self, plurals: Mapping[str, str]) -> list[Placed]:
        """Return the objects with windows in pixels of the part."""
        return [Placed(each.name, plurals[each.name], None, self.within(each.window)) for each in self.objects]

    def within(self, window: Window) -> Window:
        """Convert a window from pixels of the scene to pixels of the part."""
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
    """Return a part of a scene with the objects that lie in it by at least half, clipped to it."""
    objects = []
    for label in scene.labels:
        inside = clipped(label.window, window)
        if inside is not None and _area(inside) >= _SHOWN * _area(label.window):
            objects.append(Label(label.name, inside))
    return Part(window, tuple(objects))


def draw_cues(
    part: Part, phrases: Sequence[str], rates: Rates, patch_px: int, rng: np.random.Generator
) -> tuple[Drawn, ...]:
    """Draw what a retrieval with these rates would offer for some phrases, most confident first."""
    cues = []
    for phrase in phrases:
        there = [each for each in part.objects if each.name == phrase]
        cues += [true_cue(part, each, patch_px, rng) for each in there if rng.random() >= rates.missed]
        if rng.random() < rates.false:
            wrong = false_cue(part, phrase, patch_px, rng)
            cues += [wrong] if wrong else []
    return tuple(sorted(cues, key=lambda cue: -cue.confidence)[:MAX_CUES])


def true_cue(part: Part, shown: Label, patch_px: int, rng: np.random.Generator) -> Drawn:
    """Draw a patch that shows at least half of an object, seldom in its centre."""
    return Drawn(_patch_over(part, shown.window, patch_px, rng), shown.name, draw_confidence(True, rng), True)


def false_cue(part: Part, phrase: str, patch_px: int, rng: np.random.Generator) -> Drawn | None:
    """Draw a patch that does not show its phrase, but often something else; return None if no place is found."""
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
    """Draw a patch of the pyramid that shows at least half of a window, up to a quarter of its side off the centre."""
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
    """Return the share of a window that a patch covers."""
    inside = clipped(window, patch)
    return 0.0 if inside is None else _area(inside) / _area(window)


def _area(window: Window) -> int:
    return (window[2] - window[0]) * (window[3] - window[1])
