"""A second look: the best candidates are read again, around and finer, scored on what is seen then, and merged.

A patch grid cuts objects at its lines.  Here the surroundings of a candidate are cut at shifts of a quarter, each crop
in another orientation, so that the window moves onto the object; two windows that each saw a part of it become one,
and what only looked like it at one place or in one orientation loses confidence.  Reading is the caller's
(:class:`Look`); which candidates pass is decided in `retrieve.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Cue, Deps

Window = tuple[int, int, int, int]
Score = Callable[[NDArray[np.float32]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Embeddings, float32 (n, dim), to similarities (n,) and features (n, 2)."""

SHIFTS = (-0.25, 0.0, 0.25)
"""Of the window's side.  Patches overlap by half, so an object's middle is at most that far from a patch's."""
WORTH_A_LOOK = 0.03
"""Least confidence of a candidate that is looked at again: below it, moving its window does not make it pass."""


class Look(Protocol):
    """Pixels of scenes."""

    def size(self, scene_key: str) -> tuple[int, int]:
        """(width, height) in native pixels."""

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        """A native window, half-open, at a level: uint8 (h, w, 3)."""

    def bbox(self, scene_key: str, window: Window) -> tuple[float, float, float, float] | None:
        """(west, south, east, north) in degrees of a native window; None without a place."""


@dataclass(frozen=True)
class Scorer:
    """How what is seen counts for one phrase."""

    score: Score
    head: Head


@dataclass(frozen=True)
class Seen:
    """A candidate after the second look."""

    cue: Cue
    features: NDArray[np.float64] | None
    """float64 (2,), of all its crops pooled; None where the scene cannot be read."""
    logit: float
    """Log-odds that it shows the phrase."""


def crops_per_candidate(level: int) -> int:
    """Patches encoded for one candidate: shifted ones, and for coarse levels those half as wide as well."""
    return len(SHIFTS) ** 2 * (2 if level else 1)


def affordable(look: Look | None, budget: int) -> Look | None:
    """`look`, or None where the budget is too small for even one candidate: then there is no second look."""
    return look if budget >= crops_per_candidate(1) else None


def passing(
    deps: Deps, look: Look | None, cues: Sequence[Cue], scorer: Scorer, threshold: float, *, budget: int
) -> tuple[list[Cue], tuple[str, ...]]:
    """The candidates of one phrase that reach a threshold, after the second look if there is one, and notes.

    Args:
        deps: The installation, for its encoder.
        look: Where pixels come from; None: there is no second look.
        cues: Best first.
        scorer: Of the phrase, as the candidates were scored.
        threshold: Least confidence.
        budget: Patches encoded at most.

    Raises:
        EncoderError: a crop cannot be embedded.
    """
    notes: tuple[str, ...] = ()
    if look is not None:
        worth = [cue for cue in cues if cue.confidence >= min(WORTH_A_LOOK, threshold)]
        seen, notes = look_again(deps, look, worth, scorer, budget=budget)
        cues = [each.cue for each in seen]
    return [cue for cue in cues if cue.confidence >= threshold], notes


def look_again(
    deps: Deps, look: Look, cues: Sequence[Cue], scorer: Scorer, *, budget: int
) -> tuple[list[Seen], tuple[str, ...]]:
    """Move, re-score and merge the best candidates of one phrase.

    A cue's window moves to where its evidence is, its confidence becomes that of all the crops pooled by how well they
    fit; its `patch_id` stays that of the patch it was found by.  Of cues that then show the same ground the best stays.

    Args:
        deps: The installation, for its encoder.
        look: Where pixels come from.
        cues: Best first.
        scorer: Of the phrase, as the candidates were scored.
        budget: Patches encoded at most.  Candidates beyond it are left out.

    Returns:
        The cues, best first, and a note for each scene that cannot be read any more; its cues stay as they were.

    Raises:
        EncoderError: a crop cannot be embedded.
    """
    groups: list[tuple[Cue, list[Window], list[NDArray[np.uint8]]]] = []
    found: list[Seen] = []
    notes: list[str] = []
    for cue in cues:
        if crops_per_candidate(cue.level) > budget:
            break
        try:
            windows, pictures = _crops(look, cue)
        except (RasterError, StoreError) as error:
            found.append(Seen(cue, None, _logit(cue.confidence)))
            notes.append(f"No second look at {cue.scene}: {error}")
            continue
        budget -= len(windows)
        groups.append((cue, windows, pictures))
    vectors = encode_pictures(deps, [picture for _, _, pictures in groups for picture in pictures])
    start = 0
    for cue, windows, _ in groups:
        found.append(_pooled(look, cue, windows, vectors[start : start + len(windows)], scorer))
        start += len(windows)
    places = np.array([seen.cue.window for seen in found], dtype=np.int64).reshape(-1, 4)
    keep = suppress(places, np.array([seen.logit for seen in found]), [seen.cue.scene for seen in found])
    return [found[i] for i in keep], tuple(dict.fromkeys(notes))


def _crops(look: Look, cue: Cue) -> tuple[list[Window], list[NDArray[np.uint8]]]:
    """Windows around a cue with their pictures: one read for each scale."""
    windows: list[Window] = []
    pictures: list[NDArray[np.uint8]] = []
    x0, y0, x1, y1 = cue.window
    side = x1 - x0, y1 - y0
    for level, share in [(cue.level, 1.0), (cue.level - 1, 0.5)][: 2 if cue.level else 1]:
        step = max(1, 1 << level)
        size = max(step, round(side[0] * share)), max(step, round(side[1] * share))
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        scene = look.size(cue.scene)
        own = [
            (
                *_start(middle[0] + dx * side[0], size[0], scene[0], step),
                *_start(middle[1] + dy * side[1], size[1], scene[1], step),
            )
            for dy in SHIFTS
            for dx in SHIFTS
        ]
        left, top = min(x for x, _ in own), min(y for _, y in own)
        right, bottom = max(x for x, _ in own) + size[0], max(y for _, y in own) + size[1]
        around = look.read(cue.scene, (left, top, right, bottom), level)
        for x, y in own:
            windows.append((x, y, x + size[0], y + size[1]))
            row, col = (y - top) >> level, (x - left) >> level
            pictures.append(
                _turned(around[row : row + (size[1] >> level), col : col + (size[0] >> level)], len(pictures))
            )
    return windows, pictures


def _turned(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The picture in the number-th of its eight orientations: seen from above, nothing stands upright."""
    turned = np.rot90(picture, number % 4)
    return turned[:, ::-1] if number % 8 >= 4 else turned


def _start(middle: float, size: int, scene: int, step: int) -> tuple[int]:
    """Where a window begins: on whole pixels of its level, and inside the scene if it fits."""
    start = round((middle - size / 2) / step) * step
    return (max(0, min(start, (scene - size) // step * step)),)


def encode_pictures(deps: Deps, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Embeddings, float32 (n, dim), in the order given; pictures of one size together."""
    seen = np.zeros((len(pictures), deps.encoder.dim), dtype=np.float32)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, picture in enumerate(pictures):
        shapes.setdefault(picture.shape, []).append(number)
    for numbers in shapes.values():
        seen[numbers] = deps.encoder.encode_images(np.stack([pictures[number] for number in numbers]))
    return seen


def _pooled(look: Look, cue: Cue, windows: Sequence[Window], vectors: NDArray[np.float32], scorer: Scorer) -> Seen:
    """The cue at the scale that fits best, its window at the middle of its evidence."""
    options: list[Seen] = []
    _, values = scorer.score(vectors)
    logits = scorer.head.logit(values)
    each = len(SHIFTS) ** 2
    for number, start in enumerate(range(0, len(windows), each)):
        part = slice(start, start + each)
        weights = softmax(logits[part])
        pooled = weights @ vectors[part]
        pooled /= max(float(np.linalg.norm(pooled)), 1e-12)
        score, value = scorer.score(pooled[None].astype(np.float32))
        x, y = (round(float(c)) for c in weights @ np.array([window[:2] for window in windows[part]], dtype=np.float64))
        x0, y0, x1, y1 = windows[start]
        window = (x, y, x + x1 - x0, y + y1 - y0)
        moved = replace(
            cue,
            window=window,
            bbox=look.bbox(cue.scene, window),
            level=cue.level - number,
            score=float(score[0]),
            confidence=float(scorer.head.confidence(value)[0]),
        )
        options.append(Seen(moved, value[0], float(scorer.head.logit(value)[0])))
    return max(options, key=lambda option: option.logit)


def _logit(confidence: float) -> float:
    share = min(max(confidence, 1e-9), 1 - 1e-9)
    return float(np.log(share / (1 - share)))
