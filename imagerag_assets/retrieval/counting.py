"""Count the objects of a phrase: each one once, whether it fills patches or is far smaller than one.

Patches say where to look and nothing about number: a patch that shows forty ships is one cue.  So the ground that is
searched is seen again in windows, at first at many sizes where the patches promise most.  The size at which the
best windows look most like the phrase is about the size of an object; at this size all ground is seen, as far as the
budget goes, and the peaks of the score that stand apart are the objects.  Where pixels cannot be read, patches are
counted instead.  `windows.py` sees windows, `ground.py` knows what is searched.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.by_example import Sought
from imagerag_assets.retrieval.fast import Neighbours, neighbours, phrase_scorers
from imagerag_assets.retrieval.ground import grounds
from imagerag_assets.retrieval.peaks import apart, interval, nearest, parting
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Look, Search, Window
from imagerag_assets.retrieval.windows import Lens, Peaks

BUDGET = 6_000
"""Patches encoded at most for a count: about a minute on two cores with the demo encoder."""
MAX_ROWS = 16_384
"""Patches read at most: what Milvus returns for one search."""
MAX_OVERLAPPING = 4_000
"""Patches that are compared with each other where patches are counted."""

FINER, COARSER = 3, 1
"""Octaves of size tried below and above the side of a patch."""
_PILOTS = 2
"""Tiles seen at each size before one is chosen."""
_BEST = 8
"""Windows at each size that the choice goes by."""
_SIZE_COSTS = 0.8
"""Log-odds for each halving or doubling of the patches' own size, which encoders are made for: a part of a runway looks
like a runway, too, and so does the ground around one."""
_RARE = 0.01
"""Share of the patches that show a thing in the scenes that confidences are calibrated for."""
_MANY, _EVERYWHERE = 6, 5.0
"""Patches that show a thing for sure, and how many times more than is rare, from which it may be anywhere."""
_TOLERANCE = 2.0
"""Factor by which windows may be smaller or larger than objects are known to be."""
_STILL = 1.5
"""Log-odds below the best size down to which windows look about as much like the phrase."""
_STANDS_APART, _FEWEST_APART = 1.3, 3
"""Distance between neighbours, in windows, that three quarters of at least so many have where each shows an object.
Of windows that show parts it is 1.0 to 1.15."""
_GIVE_UP = 2.0  # log-odds below the best size, twice in succession, at which finer ones are not tried
_APART = 0.95  # least distance of two objects, in windows
_QUIET = 24
"""Tiles in succession, by what patches promise, without an object, after which the rest is taken to have none."""
_NOTHING = -20.0
_LOWEST, _CLEAR = 8.0, 3.0
"""Log-odds below the usual threshold down to which peaks say where objects end and ground begins, and down to which
that place may lie."""
_DOUBT = 0.5
"""Log-odds either side of the threshold between which an object is doubtful."""
_CONFIDENT = 0.2
"""Share of the objects that must reach the usual threshold, for fewer to be asked of the others."""

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
    count = _Count(deps, phrase, search, scorer, near, logits, budget, notes, size_px, known)
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


@dataclass
class _Found:
    """Peaks of all scenes at one size."""

    lens: Lens
    tiles: dict[tuple[int, int, int], Peaks] = field(default_factory=dict)
    """By number of the ground, column and row."""

    def best(self) -> NDArray[np.float64]:
        """Return the log-odds of the peaks that stand apart, best first."""
        return np.sort(np.concatenate([np.zeros(0), *(logits for _, logits in self.standing_apart().values())]))[::-1]

    def spacing(self, threshold: float) -> float:
        """Return how far windows that pass are from the next one, in windows: a quarter of them are nearer."""
        grounds = [middles[logits >= threshold] for middles, logits in self.standing_apart().values()]
        found = np.concatenate([np.zeros(0), *(nearest(points) for points in grounds if len(points) > 1)])
        if not len(found) or sum(map(len, grounds)) < _FEWEST_APART:
            return 0.0
        return float(np.quantile(found, 0.25)) / self.lens.window_px

    def standing_apart(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return what :meth:`by_ground` does of the peaks that are no nearer to a better one than objects are."""
        kept = {}
        for number, (middles, logits) in self.by_ground().items():
            chosen = apart(middles, logits, _APART * self.lens.window_px)
            kept[number] = middles[chosen], logits[chosen]
        return kept

    def by_ground(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return middles (n, 2) and log-odds (n,) by number of the ground."""
        each: dict[int, list[Peaks]] = {}
        for (number, _, _), peaks in self.tiles.items():
            each.setdefault(number, []).append(peaks)
        return {
            number: (np.concatenate([p.middles for p in all_]), np.concatenate([p.logits for p in all_]))
            for number, all_ in each.items()
        }


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
    ) -> None:
        self._size_px, self._shown = size_px, shown
        self._deps, self._phrase, self._search, self._scorer = deps, phrase, search, scorer
        self._near, self._patch_logits = near, logits
        self._budget, self._passes = budget, 0
        self._notes = list(notes)
        self._unread: set[int] = set()

    def by_windows(self) -> Counted:
        """Count peaks of windows; patches, if no scene can be read or the budget is too small."""
        look = self._search.look
        assert look is not None
        self._grounds = grounds(
            look, [row["scene_key"] for row in self._near.rows], self._near.windows, self._patch_logits
        )
        chosen = self._choose_size(look)
        if chosen is None:
            return self.by_patches()
        looked = self._see_all(look, chosen)
        objects = self._objects(look, chosen)
        area, share = self._area(looked, chosen.lens)
        low, high = interval(len(objects), SPREAD["windows"], self._doubtful(chosen))
        return Counted(
            self._phrase, objects, len(objects), low, high, area, share, "windows",
            chosen.lens.window_px, self._passes, tuple(self._notes),
        )  # fmt: skip

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
        return CountedObject(row["scene_key"], (x0, y0, x1, y1), bbox, confidence, int(row["level"]))

    def _least(self, *, patches: bool = False) -> float:
        """Return the least confidence of an object."""
        minimum = self._deps.settings.min_confidence
        used = self._search.calibration
        return minimum if minimum is not None else used.threshold if patches else used.second_threshold

    def _threshold(self, *, patches: bool = False) -> float:
        least = min(max(self._least(patches=patches), 1e-6), 1 - 1e-6)
        return math.log(least / (1 - least))

    def _sizes(self) -> tuple[int, list[int]]:
        """Return the side of the patches that promise most, and sizes around it, coarse first.

        A size is how many native pixels fill the tower's input.
        """
        windows = self._near.windows
        sides = windows[:, 2] - windows[:, 0]
        side = int(sides.min())
        octaves = np.rint(np.log2(sides / side))  # scenes may start at patches of different sizes
        promising = int(np.median(octaves[np.argsort(-self._patch_logits)[:_BEST]]))
        own = side << promising
        largest = max(side, *(max(ground.size) for ground in self._grounds))
        sizes = [round(own * 2.0**octave) for octave in range(COARSER, -FINER - promising - 1, -1)]
        return own, [each for each in sizes if each <= largest]

    def _as_large_as_objects(self, sizes: Sequence[int]) -> list[int]:
        """Return the sizes whose windows an object may fill; the nearest one, if none is so large."""
        if self._size_px is None:
            return list(sizes)
        shortest, longest = self._size_px
        windows = {size: Lens(self._deps.encoder, size).window_px for size in sizes}
        fitting = [size for size in sizes if shortest / _TOLERANCE <= windows[size] <= longest * _TOLERANCE]
        middle = math.sqrt(shortest * longest)
        return fitting or sorted(sizes, key=lambda size: abs(math.log(windows[size] / middle)))[:1]

    def _choose_size(self, look: Look) -> _Found | None:
        """See a few tiles at each size; return the size that is about that of an object.

        Smaller windows show parts of an object side by side, larger ones several objects each.  So of the sizes that
        look most like the phrase only those count at which windows stand apart, if there are any.
        """
        tried: list[tuple[float, int, _Found]] = []
        own, sizes = self._sizes()
        for size in self._as_large_as_objects(sizes):
            found = _Found(Lens(self._deps.encoder, size))
            for tile in self._pilots(found.lens, [each for _, _, each in tried[-2:]]):
                self._see(look, found, tile)
            best = found.best()[:_BEST]
            if not len(best):
                continue
            tried.append((float(np.median(best)), size, found))
            if max(alike for alike, _, _ in tried[-2:]) < max(alike for alike, _, _ in tried) - _GIVE_UP:
                break
        highest = max((alike for alike, _, _ in tried), default=-math.inf)
        likely = [each for each in tried if each[0] >= highest - _STILL]
        likely = [each for each in likely if each[2].spacing(self._threshold()) >= _STANDS_APART] or tried
        worth = [(alike - _SIZE_COSTS * abs(math.log2(size / own)), found) for alike, size, found in likely]
        return max(worth, key=lambda each: each[0])[1] if worth else None

    def _pilots(self, lens: Lens, hints: Sequence[_Found]) -> list[tuple[int, int, int]]:
        """Return the tiles where coarser windows, or at first patches, look most like the phrase."""
        promise: dict[tuple[int, int, int], float] = {}
        for hint in hints:
            for number, (middles, logits) in hint.by_ground().items():
                for (x, y), logit in zip(middles, logits, strict=True):
                    tile = (number, math.floor(x / lens.tile_px), math.floor(y / lens.tile_px))
                    promise[tile] = max(promise.get(tile, -math.inf), float(logit))
        if not hints:
            promise = {tile: worth for worth, tile in self._tiles(lens)}
        tiles = [
            tile for tile in sorted(promise, key=lambda tile: -promise[tile]) if self._promise(lens, tile) > -math.inf
        ]
        return tiles[:_PILOTS]

    def _tiles(self, lens: Lens) -> Iterable[tuple[float, tuple[int, int, int]]]:
        """Yield all tiles with searched ground, each with the log-odds of its best patch."""
        for number, ground in enumerate(self._grounds):
            for col in range(math.ceil(ground.size[0] / lens.tile_px)):
                for row in range(math.ceil(ground.size[1] / lens.tile_px)):
                    tile = (number, col, row)
                    worth = self._promise(lens, tile)
                    if worth > -math.inf and worth >= self._shown.least:
                        yield worth, tile

    def _promise(self, lens: Lens, tile: tuple[int, int, int]) -> float:
        number, col, row = tile
        return self._grounds[number].best(col * lens.tile_px, row * lens.tile_px, lens.tile_px)

    def _see(self, look: Look, found: _Found, tile: tuple[int, int, int]) -> bool:
        """See one tile; return False if the budget is spent or the scene cannot be read."""
        number, col, row = tile
        if tile in found.tiles:
            return True
        if number in self._unread or self._passes + found.lens.passes > self._budget:
            return False
        ground = self._grounds[number]
        try:
            peaks = found.lens.peaks(look, ground.scene, col, row, self._logits, self._threshold())
        except (RasterError, StoreError) as error:
            self._unread.add(number)
            self._notes.append(f"{ground.scene} was not looked at: {error}")
            return False
        self._passes += peaks.passes
        inside = ground.promises(peaks.middles, self._shown.least) & (peaks.logits > _NOTHING)
        found.tiles[tile] = Peaks(peaks.middles[inside], peaks.logits[inside])
        return True

    def _logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._scorer.head.logit(self._scorer.score(vectors)[1])

    def _see_all(self, look: Look, found: _Found) -> set[tuple[int, int, int]]:
        """See all tiles at a size, the most promising first; return those that count as looked at."""
        order = [tile for _, tile in sorted(self._tiles(found.lens), key=lambda each: -each[0])]
        threshold, quiet = self._threshold(), 0
        for seen, tile in enumerate(order):
            if not self._see(look, found, tile):
                continue
            quiet = 0 if (found.tiles[tile].logits >= threshold).any() else quiet + 1
            if quiet >= max(_QUIET, len(order) // 4) and seen + 1 < len(order):
                share = (seen + 1) / len(order)
                self._notes.append(
                    f"{share:.0%} of the ground was seen closely; the rest shows nothing like it in patches"
                )
                return {tile for tile in order if tile[0] not in self._unread}
        left = sum(tile not in found.tiles and tile[0] not in self._unread for tile in order)
        if left:
            self._notes.append(f"The budget of {self._budget} patches left {left} of {len(order)} tiles unseen")
        return set(found.tiles)

    def _objects(self, look: Look, found: _Found) -> tuple[CountedObject, ...]:
        side, threshold = found.lens.window_px, self._gap(found)
        objects = []
        for number, (middles, logits) in found.standing_apart().items():
            ground, passed = self._grounds[number], logits >= threshold
            for middle, logit in zip(middles[passed], logits[passed], strict=True):
                window = _window(middle, side, ground.size)
                if self._search.keeps(ground.scene, window):
                    bbox = look.bbox(ground.scene, window)
                    objects.append(CountedObject(ground.scene, window, bbox, float(expit(logit)), found.lens.level))
        return tuple(sorted(objects, key=lambda each: -each.confidence))

    def _gap(self, found: _Found) -> float:
        """Return the least log-odds of an object: where these peaks part from those of the ground, if that is lower.

        How sure an encoder is differs from word to word; where a scene shows many of a thing, the gap is plain to see.
        """
        usual = self._threshold()
        logits = found.best()
        logits = logits[logits >= usual - _LOWEST]
        least = max(parting(logits), usual - _CLEAR)
        objects = logits[logits >= least]
        if least >= usual or (objects >= usual).sum() < max(3, _CONFIDENT * len(objects)):
            return usual
        return least

    def _doubtful(self, found: _Found) -> tuple[float, float]:
        """Return how many objects would be fewer, and more, were the threshold a little higher or lower."""
        logits, threshold = found.best(), self._gap(found)
        fewer = ((logits >= threshold) & (logits < threshold + _DOUBT)).sum()
        more = ((logits < threshold) & (logits >= threshold - _DOUBT)).sum()
        return float(fewer), float(more)

    def _area(self, looked: set[tuple[int, int, int]], lens: Lens) -> tuple[float | None, float]:
        """Return the ground of tiles in square metres, None if not known, and as a share of what is searched."""
        area: float | None = 0.0
        seen = searched = 0.0
        for number, ground in enumerate(self._grounds):
            mask = np.zeros_like(ground.covered)
            for _, col, row in (tile for tile in looked if tile[0] == number):
                mask[ground.squares(col * lens.tile_px, row * lens.tile_px, lens.tile_px)] = True
            pixels = ground.pixels(mask & ground.covered)
            seen, searched = seen + pixels, searched + ground.pixels(ground.covered)
            area = None if area is None or ground.square_m2 is None else area + pixels * ground.square_m2
        return area, seen / searched if searched else 0.0


def _window(middle: NDArray[np.float64], side: float, size: tuple[int, int]) -> Window:
    half = side / 2
    x0, y0 = (max(0, round(float(at) - half)) for at in middle)
    x1, y1 = (min(whole, round(float(at) + half)) for at, whole in zip(middle, size, strict=True))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
