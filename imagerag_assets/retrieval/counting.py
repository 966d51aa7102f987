"""Count the objects of a phrase: each one once, whether it fills patches or is far smaller than one.

Patches say where to look and nothing about number: a patch that shows forty ships is one cue.  So the ground that is
searched is seen again in windows of about the size of an object (`window_sizes.py`), as far as the budget goes
(`close_look.py`), and the peaks of the score are the objects.  Where pixels cannot be read, patches are counted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.by_example import Sought
from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.close_look import CloseLook, Scan
from imagerag_assets.retrieval.fast import Neighbours, neighbours, phrase_scorers
from imagerag_assets.retrieval.ground import grounds
from imagerag_assets.retrieval.peaks import interval
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Look, Search, Window
from imagerag_assets.retrieval.window_sizes import choose_size, shows_several

BUDGET = 6_000
"""Patches encoded at most for a count: about a minute on two cores with the demo encoder."""
MAX_ROWS = 16_384
"""Patches read at most: what Milvus returns for one search."""
MAX_OVERLAPPING = 4_000
"""Patches that are compared with each other where patches are counted."""

_RARE = 0.01
"""Share of the patches that show a thing in the scenes that confidences are calibrated for."""
_MANY, _EVERYWHERE = 6, 5.0
"""Patches that show a thing for sure, and how many times more than is rare, from which it may be anywhere."""
_DOUBT = 0.5
"""Log-odds either side of the threshold between which an object is doubtful."""
_SHOWS = GENERIC.fast
"""Gives the log-odds of a window: how much the encoder prefers the phrase to all else together.  How alike pictures and
words are at all, which confidences of patches go by, differs from size to size and from word to word."""
_FINEST = 8
"""How many times smaller than a patch objects may be, where the ground that a pixel covers is not known."""
_AS_SURE = 0.5
"""Share of the log-odds above the threshold, that most objects have, which all of them need."""

How = Literal["windows", "patches"]
SPREAD: Mapping[How, float] = {"windows": 0.21, "patches": 0.35}
"""Standard deviation of the logarithm of count by truth: for windows as measured on 12 scenes for
tuning that the budget sufficed for; for patches by guess."""


@dataclass(frozen=True)
class CountedObject:
    """One object."""

    scene: str
    window: Window
    """(x0, y0, x1, y1) in native pixels, half-open, within the scene; as large as objects of this count are."""
    bbox: tuple[float, float, float, float] | None
    """(west, south, east, north) in degrees; None: the scene has no place on the ground."""
    confidence: float
    level: int
    patch_id: str
    """Of the patch on it that is most like the phrase."""
    score: float
    """Cosine of that patch with the phrase."""


@dataclass(frozen=True)
class Counted:
    """How many objects there are of a phrase, on how much ground."""

    phrase: str
    objects: tuple[CountedObject, ...]
    """Best first."""
    count: int
    low: int
    """Of an interval of 95 %."""
    high: int
    area_m2: float | None
    """Ground that was looked at; None: a scene has no place on the ground."""
    share: float
    """Ground that was looked at, as a share of what is searched, 0 to 1."""
    how: How
    window_px: float | None = None
    """Side of the windows in native pixels; None: patches were counted."""
    passes: int = 0
    """Patches that were seen, each encoded now or a moment ago."""
    notes: tuple[str, ...] = ()
    everywhere: bool = False
    """Whether so many patches showed the thing for sure that it may be anywhere."""
    apart: bool = False
    """Whether what was counted in windows stands apart, so that each is an object."""


def count_objects(
    deps: Deps,
    phrase: str,
    search: Search,
    *,
    budget: int = BUDGET,
    words: Mapping[str, str] | None = None,
    size_px: tuple[float, float] | None = None,
    shown: Collection[str] = (),
    many: bool = False,
    shown_by: Sought | None = None,
    smaller_than_px: float | None = None,
) -> Counted:
    """Count the objects of a phrase on the ground that is searched.

    Args:
        deps: The installation.
        phrase: What to count.
        search: Where to look.  Without `search.look`, or with too small a budget, patches are counted.
        budget: Patches encoded at most.
        words: Other words to give to the encoder for a phrase.
        size_px: How long an object may be in native pixels, shortest and longest; None: unknown.
        shown: Ids of patches that show the thing for sure; where patches promise less than the least of them,
            nothing is counted, as parts of much else look like small objects.
        many: There may be many more patches like these, which nobody looked at as closely.
        shown_by: What it looks like by examples, where it is a concept.
        smaller_than_px: Count in windows only if what they show stands apart and is smaller than this, in native
            pixels: no patch says for sure that the thing is there.

    Raises:
        FingerprintError: the collection belongs to another encoder.
        StoreError: Milvus fails.
        EncoderError: the phrase or a picture cannot be embedded.
    """
    deps.vectors.verify(search.collection, deps.encoder.fingerprint)
    if shown_by is None:
        scorer = phrase_scorers(deps, [phrase], search.calibration, words)[phrase]
        query = deps.encoder.encode_texts([(words or {}).get(phrase, phrase)])
    else:
        scorer, query = shown_by.scorer, shown_by.query[None]
        search = replace(search, calibration=shown_by.calibrated(search.calibration))
    near = neighbours(deps.vectors, query, search, MAX_ROWS)[0]
    if not near.rows:
        return Counted(phrase, (), 0, 0, 0, None, 0.0, "patches", notes=("No patches are searched",))
    _, values = scorer.score(near.embeddings)
    logits = search.calibration.fast.logit(values)
    notes = []
    if len(near.rows) >= MAX_ROWS:
        notes.append(f"Only the {MAX_ROWS} patches most like {phrase!r} are looked at")
    known = _what_is_shown(near, logits, shown, many=many)
    seen_by = scorer if shown_by is not None else replace(scorer, head=_SHOWS)
    count = _Count(deps, phrase, search, seen_by, near, logits, budget, notes, size_px, known, smaller_than_px)
    counted = count.by_windows() if search.look is not None else count.by_patches()
    return replace(counted, everywhere=known.common > 0)


@dataclass(frozen=True)
class _Shown:
    """What the patches that show a thing for sure say about the others."""

    least: float = -math.inf
    """Least log-odds of a patch on whose ground objects are counted."""
    common: float = 0.0
    """Logarithm of how many times commoner the thing is than in the scenes that confidences are calibrated for."""


def _what_is_shown(near: Neighbours, logits: NDArray[np.float64], shown: Collection[str], *, many: bool) -> _Shown:
    """Return what the patches with these ids say.

    Objects are counted on ground that promises as much as the least of them.  Where they are many for the ground that
    is searched, the thing is common there, and the odds of other patches are as much better (Bayes' rule); where it is
    everywhere, all ground counts.
    """
    sure = [logit for row, logit in zip(near.rows, logits, strict=True) if row["patch_id"] in shown]
    if not sure:
        return _Shown()
    side = int((near.windows[:, 2] - near.windows[:, 0]).min())
    cells = near.windows[:, :2] // side
    places = {(row["scene_key"], int(x), int(y)) for row, (x, y) in zip(near.rows, cells, strict=True)}
    times = len(sure) / len(places) / _RARE
    if many:  # the share that they have is only what was looked at
        times = max(times, _EVERYWHERE)
    if len(sure) >= _MANY and times >= _EVERYWHERE:
        return _Shown(common=math.log(times))
    return _Shown(min(sure) - max(0.0, math.log(times)))


class _Count:
    """One count: the patches it starts from, and what is left of its budget."""

    def __init__(
        self,
        deps: Deps,
        phrase: str,
        search: Search,
        scorer: Scorer,
        near: Neighbours,
        logits: NDArray[np.float64],
        budget: int,
        notes: Sequence[str],
        size_px: tuple[float, float] | None,
        shown: _Shown,
        smaller_than_px: float | None,
    ) -> None:
        self._size_px, self._shown, self._smaller_than_px = size_px, shown, smaller_than_px
        self._deps, self._phrase, self._search, self._scorer = deps, phrase, search, scorer
        self._near, self._patch_logits = near, logits
        self._budget, self._passes = budget, 0
        self._notes = list(notes)

    def by_windows(self) -> Counted:
        """Count peaks of windows; patches, if no scene can be read or the budget is too small."""
        look = self._search.look
        assert look is not None
        scenes, windows = [row["scene_key"] for row in self._near.rows], self._near.windows
        close = CloseLook(
            self._deps.encoder,
            look,
            grounds(look, scenes, windows, self._patch_logits),
            self._scorer,
            threshold=self._threshold(),
            least=self._shown.least,
            budget=self._budget,
        )
        choice = None
        if self._worth_it(close):
            choice = choose_size(close, windows, self._patch_logits, length_px=self._size_px)
        if choice is None or (self._smaller_than_px and not choice.apart):
            self._passes, self._notes = close.passes, [*self._notes, *close.notes]
            return self.by_patches()
        chosen = choice.scan
        looked = close.see_all(chosen)
        objects = self._objects(look, close, chosen)
        area, share = close.area(looked, chosen.lens)
        low, high = interval(len(objects), SPREAD["windows"], self._doubtful(chosen))
        return Counted(
            self._phrase, objects, len(objects), low, high, area, share, "windows",
            chosen.lens.window_px, close.passes, (*self._notes, *close.notes), apart=choice.apart,
        )  # fmt: skip

    def _worth_it(self, close: CloseLook) -> bool:
        if (largest := self._smaller_than_px) is None:
            return True
        sizes = self._size_px or (largest / _FINEST, largest)
        return shows_several(close, self._near.windows, self._patch_logits, sizes, largest)

    def by_patches(self) -> Counted:
        """Count patches that do not overlap."""
        confidence = expit(self._patch_logits)
        best = np.argsort(-self._patch_logits)[:MAX_OVERLAPPING]
        scenes = [self._near.rows[i]["scene_key"] for i in best]
        keep = best[suppress(self._near.windows[best], self._patch_logits[best], scenes)]
        least = max(self._threshold(patches=True) - self._shown.common, self._shown.least)
        passed = [int(i) for i in keep if self._patch_logits[i] >= least]
        objects = tuple(self._patch(i, float(confidence[i])) for i in passed)
        doubt = float(np.sqrt((confidence[passed] * (1 - confidence[passed])).sum()))
        low, high = interval(len(objects), SPREAD["patches"], (doubt, doubt))
        notes = (*self._notes, "Objects smaller than a patch are not told apart")
        return Counted(self._phrase, objects, len(objects), low, high, None, 1.0, "patches", None, self._passes, notes)

    def _patch(self, number: int, confidence: float) -> CountedObject:
        row = self._near.rows[number]
        x0, y0, x1, y1 = (int(each) for each in self._near.windows[number])
        bbox = None
        if row.get("west") is not None:
            bbox = (float(row["west"]), float(row["south"]), float(row["east"]), float(row["north"]))
        score = float(self._near.scores[number])
        return CountedObject(
            row["scene_key"], (x0, y0, x1, y1), bbox, confidence, int(row["level"]), row["patch_id"], score
        )

    def _threshold(self, *, patches: bool = False) -> float:
        """Return the least log-odds of an object."""
        used = self._search.calibration
        usual = used.threshold if patches else 0.5 if self._scorer.head == _SHOWS else used.second_threshold
        minimum = self._deps.settings.min_confidence
        least = min(max(usual if minimum is None else minimum, 1e-6), 1 - 1e-6)
        return math.log(least / (1 - least))

    def _objects(self, look: Look, close: CloseLook, found: Scan) -> tuple[CountedObject, ...]:
        side, threshold = found.lens.window_px, self._gap(found)
        objects = []
        for number, (middles, logits) in found.peaks().items():
            ground, passed = close.grounds[number], logits >= threshold
            patches = np.flatnonzero([row["scene_key"] == ground.scene for row in self._near.rows])
            for middle, logit in zip(middles[passed], logits[passed], strict=True):
                window = _window(middle, side, ground.size)
                if self._search.keeps(ground.scene, window):
                    bbox = look.bbox(ground.scene, window)
                    confidence, patch = float(expit(logit)), self._patch_on(middle, patches)
                    patch_id, score = self._near.rows[patch]["patch_id"], float(self._near.scores[patch])
                    objects.append(
                        CountedObject(ground.scene, window, bbox, confidence, found.lens.level, patch_id, score)
                    )
        return tuple(sorted(objects, key=lambda each: -each.confidence))

    def _patch_on(self, middle: NDArray[np.float64], patches: NDArray[np.intp]) -> int:
        """Return which of some patches is most like the phrase, of those that a place lies in; any, if in none."""
        windows = self._near.windows[patches]
        within = ((windows[:, :2] <= middle) & (middle < windows[:, 2:])).all(axis=1)
        return int(patches[np.argmax(within)])  # neighbours come best first

    def _gap(self, found: Scan) -> float:
        """Return the least log-odds of an object: half as far above the usual threshold as most objects are.

        How sure an encoder is differs from word to word; what is much less like the phrase than most is something else.
        """
        usual, logits = self._threshold(), found.best()
        passed = logits[logits >= usual]
        return usual + _AS_SURE * (float(np.median(passed)) - usual) if len(passed) else usual

    def _doubtful(self, found: Scan) -> tuple[float, float]:
        """Return how many objects would be fewer, and more, were the threshold a little higher or lower."""
        logits, threshold = found.best(), self._gap(found)
        fewer = ((logits >= threshold) & (logits < threshold + _DOUBT)).sum()
        more = ((logits < threshold) & (logits >= threshold - _DOUBT)).sum()
        return float(fewer), float(more)


def _window(middle: NDArray[np.float64], side: float, size: tuple[int, int]) -> Window:
    half = side / 2
    x0, y0 = (max(0, round(float(at) - half)) for at in middle)
    x1, y1 = (min(whole, round(float(at) + half)) for at, whole in zip(middle, size, strict=True))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
