"""A second look: the best candidates are read again, around and finer, scored on what is seen then, and merged.

A patch grid cuts objects at its lines.  Here the surroundings of a candidate are cut at shifts of a quarter, each crop
in another orientation.  So the window moves onto the object; two windows that each saw a part of it become one; and
ground that looked like it only at one place or in one orientation loses confidence.  A window that still looks like it
is read twice more at shifts of an eighth.  So its confidence hardly depends on where the grid happened to cut.  The
caller reads pixels (`types.Look`); `retrieve.py` decides which candidates pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.encoded import vectors_of
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Cue, Look, Window

Score = Callable[[NDArray[np.float32]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Embeddings, float32 (n, dim), to similarities (n,) and features (n, 2)."""

SHIFTS = (-0.25, 0.0, 0.25)
"""Shares of the window's side.  Patches overlap by half, so an object's middle is at most this far from a patch's."""
_MANY, _MOST = 6, 0.7
"""Candidates, and share of those that could be looked at, that passed where there may be many more."""
FINE_SHIFTS = (-0.125, 0.0, 0.125)
"""Shifts once the window has moved onto the object."""
FINE_LOOKS = 2
WORTH_A_LOOK = 0.03
"""Least confidence of a candidate for a second look: below it, moving the window does not make it pass."""
WORTH_FINE_LOOKS = 0.15
"""Least confidence, after its window has moved, of a candidate that gets the fine looks."""


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
    steady: float | None = None
    """Mean margin of its crops, each in another place and orientation; None where the scene cannot be read."""


@dataclass(frozen=True)
class _Crops:
    """Crops of one size around a candidate."""

    cue: Cue
    level: int
    windows: list[Window]
    pictures: list[NDArray[np.uint8]]


def crops_per_candidate(level: int, finest: int = 0) -> int:
    """Return how many patches one candidate takes at most: shifted, half as wide at coarse levels, and fine looks."""
    return len(SHIFTS) ** 2 * (2 if level > finest else 1) + len(FINE_SHIFTS) ** 2 * FINE_LOOKS


def affordable(look: Look | None, budget: int) -> Look | None:
    """Return `look`, or None if the budget is too small for even one candidate: then there is no second look."""
    return look if budget >= crops_per_candidate(1) else None


def is_many(cues: Sequence[Cue], passed: int, threshold: float, *, budget: int, look: Look | None = None) -> bool:
    """Return whether a phrase may have many more objects than cues: most of what could be looked at passed.

    Args:
        cues: The candidates of the phrase before the second look, best first.
        passed: How many passed it.
        threshold: As in :func:`looked_at`.
        budget: Patches encoded at most.
        look: What they were looked at with.
    """
    worth = _worth_a_look(cues, threshold)
    could = len(_afforded(worth, budget, look))
    return could < len(worth) and passed >= max(_MANY, _MOST * could)


def _worth_a_look(cues: Sequence[Cue], threshold: float) -> list[Cue]:
    return [cue for cue in cues if cue.confidence >= min(WORTH_A_LOOK, threshold)]


def _afforded(cues: Sequence[Cue], budget: int, look: Look | None) -> Sequence[Cue]:
    """Return the first candidates, as many as the budget allows."""
    finest = {scene: look.finest_level(scene) for scene in {cue.scene for cue in cues}} if look is not None else {}
    costs = accumulate(crops_per_candidate(cue.level, finest.get(cue.scene, 0)) for cue in cues)
    return cues[: sum(cost <= budget for cost in costs)]


def looked_at(
    deps: Deps, look: Look | None, cues: Sequence[Cue], scorer: Scorer, threshold: float, *, budget: int
) -> tuple[list[Cue], tuple[str, ...]]:
    """Return the candidates of one phrase as they are after the second look, if there is one, and notes.

    Args:
        deps: The installation, for its encoder.
        look: Where pixels come from; None: there is no second look.
        cues: Best first.
        scorer: Of the phrase, as the candidates were scored.
        threshold: Least confidence that they will need.
        budget: Patches encoded at most.

    Raises:
        EncoderError: a crop cannot be embedded.
    """
    notes: tuple[str, ...] = ()
    if look is not None:
        seen, notes = look_again(deps, look, _worth_a_look(cues, threshold), scorer, budget=budget)
        cues = [each.cue for each in seen]
    return list(cues), notes


def look_again(
    deps: Deps, look: Look, cues: Sequence[Cue], scorer: Scorer, *, budget: int
) -> tuple[list[Seen], tuple[str, ...]]:
    """Move, re-score and merge the best candidates of one phrase.

    The window of a cue moves to its evidence.  Its confidence becomes that of all crops, pooled by how well they fit.
    Its `patch_id` stays that of the patch it was found by.  Of cues that then show the same ground, the best stays.

    Args:
        deps: The installation, for its encoder.
        look: Where pixels come from.
        cues: Best first.
        scorer: Of the phrase, as the candidates were scored.
        budget: Patches encoded at most.  Candidates beyond it are left out.

    Returns:
        The cues, best first, and a note for each scene that cannot be read; its cues stay as they were.

    Raises:
        EncoderError: a crop cannot be embedded.
    """
    crops: list[_Crops] = []
    found: list[Seen] = []
    notes: list[str] = []
    for cue in _afforded(cues, budget, look):
        try:
            finest = look.finest_level(cue.scene)
            crops += [_cut(look, cue, level, SHIFTS) for level in (cue.level, cue.level - 1) if level >= finest]
        except (RasterError, StoreError) as error:
            found.append(Seen(cue, None, _logit(cue.confidence)))
            notes.append(f"No second look at {cue.scene}: {error}")
    vectors = _encoded(deps, crops)
    best: dict[Cue, Seen] = {}
    for each, own in zip(crops, vectors, strict=True):
        seen = _pooled(look, each.cue, each.level, each.windows, own, scorer)
        if each.cue not in best or seen.logit > best[each.cue].logit:
            best[each.cue] = seen
    found = _distinct([*found, *best.values()])
    settled, more = _settle(deps, look, [seen for seen in found if _worth_fine_looks(seen)], scorer)
    rest = [seen for seen in found if not _worth_fine_looks(seen)]
    return _distinct([*settled, *rest]), tuple(dict.fromkeys([*notes, *more]))


def _settle(deps: Deps, look: Look, found: Sequence[Seen], scorer: Scorer) -> tuple[list[Seen], list[str]]:
    """Look around finely, each time from the window's new place; pool all these crops."""
    notes: list[str] = []
    taken: dict[int, tuple[list[Window], list[NDArray[np.float32]]]] = {}
    now = dict(enumerate(found))
    for _ in range(FINE_LOOKS):
        crops: dict[int, _Crops] = {}
        for number, seen in now.items():
            try:
                crops[number] = _cut(look, seen.cue, seen.cue.level, FINE_SHIFTS)
            except (RasterError, StoreError) as error:
                notes.append(f"No second look at {seen.cue.scene}: {error}")
        for (number, cut), own in zip(crops.items(), _encoded(deps, list(crops.values())), strict=True):
            windows, vectors = taken.setdefault(number, ([], []))
            windows += cut.windows
            vectors.append(own)
            now[number] = _pooled(look, cut.cue, cut.level, windows, np.concatenate(vectors), scorer)
    return list(now.values()), notes


def _worth_fine_looks(seen: Seen) -> bool:
    return seen.features is not None and seen.cue.confidence >= WORTH_FINE_LOOKS


def _distinct(found: Sequence[Seen]) -> list[Seen]:
    """Keep, of candidates that show the same ground, the best; best first."""
    places = np.array([seen.cue.window for seen in found], dtype=np.int64).reshape(-1, 4)
    keep = suppress(places, np.array([seen.logit for seen in found]), [seen.cue.scene for seen in found])
    return [found[i] for i in keep]


def _cut(look: Look, cue: Cue, level: int, shifts: Sequence[float]) -> _Crops:
    """Cut windows around the middle of a cue, as many pixels wide at their level as it is at its own, in one read.

    Below level 0 they are read at native resolution, and have fewer pixels.
    """
    x0, y0, x1, y1 = cue.window
    side, middle, scene = (x1 - x0, y1 - y0), ((x0 + x1) / 2, (y0 + y1) / 2), look.size(cue.scene)
    finer, read_level = cue.level - level, max(0, level)
    step = 1 << read_level
    size = tuple(
        max(step, min(length >> finer, extent // step * step))  # what lies beyond the scene is black
        for length, extent in zip(side, scene, strict=True)
    )
    starts = [
        tuple(_start(middle[i] + shift[i] * side[i], size[i], scene[i], step) for i in (0, 1))
        for shift in product(shifts, repeat=2)
    ]
    left, top = min(x for x, _ in starts), min(y for _, y in starts)
    right, bottom = max(x for x, _ in starts) + size[0], max(y for _, y in starts) + size[1]
    around = look.read(cue.scene, (left, top, right, bottom), read_level)
    width, height = size[0] >> read_level, size[1] >> read_level
    pictures = []
    for number, (x, y) in enumerate(starts):
        row, col = (y - top) >> read_level, (x - left) >> read_level
        pictures.append(_turned(around[row : row + height, col : col + width], number))
    return _Crops(cue, level, [(x, y, x + size[0], y + size[1]) for x, y in starts], pictures)


def _turned(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return the picture in one of its eight orientations: seen from above, nothing stands upright."""
    turned = np.rot90(picture, number % 4)
    return turned[:, ::-1] if number % 8 >= 4 else turned


def _start(middle: float, size: int, scene: int, step: int) -> int:
    """Return where a window begins: on whole pixels of its level, and inside the scene if it fits."""
    start = round((middle - size / 2) / step) * step
    return max(0, min(start, (scene - size) // step * step))


def _encoded(deps: Deps, crops: Sequence[_Crops]) -> list[NDArray[np.float32]]:
    """Return the embeddings of each candidate's crops, float32 (crops, dim)."""
    vectors = encode_pictures(deps, [picture for each in crops for picture in each.pictures])
    return np.split(vectors, np.cumsum([len(each.pictures) for each in crops])[:-1]) if crops else []


def encode_pictures(deps: Deps, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Embed pictures of any sizes: float32 (n, dim), in the order given."""
    return vectors_of(deps.encoder, pictures)


def _pooled(
    look: Look,
    cue: Cue,
    level: int,
    windows: Sequence[Window],
    vectors: NDArray[np.float32],
    scorer: Scorer,
) -> Seen:
    """Move a cue to the middle of the evidence of crops, (n, dim), of one size at one level."""
    _, values = scorer.score(vectors)
    weights = softmax(scorer.head.logit(values))
    pooled = weights @ vectors
    pooled /= max(float(np.linalg.norm(pooled)), 1e-12)
    score, value = scorer.score(pooled[None].astype(np.float32))
    x, y = (round(float(c)) for c in weights @ np.array([window[:2] for window in windows], dtype=np.float64))
    x0, y0, x1, y1 = windows[0]
    window = (x, y, x + x1 - x0, y + y1 - y0)
    moved = replace(
        cue,
        window=window,
        bbox=look.bbox(cue.scene, window),
        level=level,
        score=float(score[0]),
        confidence=float(scorer.head.confidence(value)[0]),
    )
    return Seen(moved, value[0], float(scorer.head.logit(value)[0]), float(values[:, 0].mean()))


def _logit(confidence: float) -> float:
    share = min(max(confidence, 1e-9), 1 - 1e-9)
    return float(np.log(share / (1 - share)))
