"""Ground seen in windows of one size, tile by tile, as far as a budget goes.

`windows.py` sees one tile and `ground.py` knows what is searched; here is which tiles are seen, in which order, and
what was found in all of them.  Which size windows should have is decided in `window_sizes.py`, and what their peaks
count for in `counting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.retrieval.ground import Ground
from imagerag_assets.retrieval.peaks import nearest, persistent
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.types import Look
from imagerag_assets.retrieval.windows import Lens

Tile = tuple[int, int, int]
"""Number of the ground, column and row."""
_DIP = 1.0
"""Log-odds by which windows between two objects show less than either."""
_QUIET = 24
"""Tiles in succession, by what patches promise, without an object, after which the rest is taken to have none."""
_NOTHING = -20.0


@dataclass
class Scan:
    """What windows of one size show, in all scenes."""

    lens: Lens
    tiles: dict[Tile, NDArray[np.float64]] = field(default_factory=dict)
    """Log-odds of the windows of each tile that was seen, as :meth:`Lens.see` gives them."""

    def best(self) -> NDArray[np.float64]:
        """Return the log-odds of the peaks, best first."""
        return np.sort(np.concatenate([np.zeros(0), *(logits for _, logits in self.peaks().values())]))[::-1]

    def spacing(self, threshold: float, fewest: int) -> float:
        """Return how far peaks that pass are from the next one, in windows: a quarter of them are nearer.

        Args:
            threshold: Least log-odds of what passes.
            fewest: With fewer of them, 0 is returned.
        """
        grounds = [middles[logits >= threshold] for middles, logits in self.peaks().values()]
        found = np.concatenate([np.zeros(0), *(nearest(points) for points in grounds if len(points) > 1)])
        if not len(found) or sum(map(len, grounds)) < fewest:
            return 0.0
        return float(np.quantile(found, 0.25)) / self.lens.window_px

    def peaks(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return middles of windows (n, 2) and their log-odds (n,) by number of the ground: the peaks in seen tiles."""
        lattices: dict[int, dict[tuple[int, int], float]] = {}
        own: set[tuple[int, int, int]] = set()
        across = self.lens.places
        for (number, col, row), seen in self.tiles.items():
            lattice, left, top = lattices.setdefault(number, {}), col * across - 1, row * across - 1
            for y, x in np.argwhere(seen > _NOTHING):
                place = left + int(x), top + int(y)
                lattice[place] = max(float(seen[y, x]), lattice.get(place, -math.inf))
                if 0 < x <= across and 0 < y <= across:
                    own.add((number, *place))
        found = {}
        for number, lattice in lattices.items():
            places, logits = np.array([*lattice], dtype=np.int64).reshape(-1, 2), np.array([*lattice.values()])
            kept = [each for each in persistent(places, logits, _DIP) if (number, *places[each].tolist()) in own]
            found[number] = self.lens.middles(places[kept]), logits[kept]
        return found


class CloseLook:
    """Sees ground in windows and keeps account of what that costs."""

    def __init__(
        self,
        encoder: Encoder,
        look: Look,
        grounds: Sequence[Ground],
        scorer: Scorer,
        *,
        threshold: float,
        least: float = -math.inf,
        budget: int,
    ) -> None:
        """Prepare to look.

        Args:
            encoder: Sees windows.
            look: Where pixels are read.
            grounds: What is searched, one a scene.
            scorer: Of what is looked for.
            threshold: Log-odds of an object.
            least: Log-odds that patches of the ground need for a closer look.
            budget: Patches encoded at most.
        """
        self.grounds, self.threshold, self.budget = grounds, threshold, budget
        self.passes = 0
        self.notes: list[str] = []
        self._encoder, self._look, self._scorer, self._least = encoder, look, scorer, least
        self._unread: set[int] = set()

    def scan(self, size: int) -> Scan:
        """Return a scan with windows of which `size` native pixels fill the tower's input; nothing is seen yet."""
        return Scan(Lens(self._encoder, size))

    def tiles(self, lens: Lens) -> Iterable[tuple[float, Tile]]:
        """Yield all tiles with searched ground, each with the log-odds of its best patch."""
        for number, ground in enumerate(self.grounds):
            for col in range(math.ceil(ground.size[0] / lens.tile_px)):
                for row in range(math.ceil(ground.size[1] / lens.tile_px)):
                    tile = (number, col, row)
                    worth = self.promise(lens, tile)
                    if worth > -math.inf and worth >= self._least:
                        yield worth, tile

    def promise(self, lens: Lens, tile: Tile) -> float:
        """Return the log-odds of the best patch on a tile; -inf: nothing of it is searched."""
        number, col, row = tile
        return self.grounds[number].best(col * lens.tile_px, row * lens.tile_px, lens.tile_px)

    def see(self, scan: Scan, tile: Tile) -> bool:
        """See one tile; return False if the budget is spent or the scene cannot be read.

        Raises:
            EncoderError: The tile cannot be embedded.
        """
        number, col, row = tile
        if tile in scan.tiles:
            return True
        if number in self._unread or self.passes + scan.lens.passes > self.budget:
            return False
        ground = self.grounds[number]
        try:
            seen, passes = scan.lens.see(self._look, ground.scene, col, row, self._logits, self.threshold)
        except (RasterError, StoreError) as error:
            self._unread.add(number)
            self.notes.append(f"{ground.scene} was not looked at: {error}")
            return False
        self.passes += passes
        x, y = np.meshgrid(*([np.arange(len(seen)) - 1] * 2))
        places = np.stack([x.ravel() + col * scan.lens.places, y.ravel() + row * scan.lens.places], axis=1)
        middles = scan.lens.middles(places)
        seen[~ground.promises(middles, self._least).reshape(seen.shape)] = -math.inf
        scan.tiles[tile] = seen
        return True

    def see_all(self, scan: Scan) -> set[Tile]:
        """See all tiles at a size, the most promising first; return those that count as looked at.

        Raises:
            EncoderError: A tile cannot be embedded.
        """
        order = [tile for _, tile in sorted(self.tiles(scan.lens), key=lambda each: -each[0])]
        quiet = 0
        for seen, tile in enumerate(order):
            if not self.see(scan, tile):
                continue
            quiet = 0 if (scan.tiles[tile] >= self.threshold).any() else quiet + 1
            if quiet >= max(_QUIET, len(order) // 4) and seen + 1 < len(order):
                share = (seen + 1) / len(order)
                self.notes.append(
                    f"{share:.0%} of the ground was seen closely; the rest shows nothing like it in patches"
                )
                return {tile for tile in order if tile[0] not in self._unread}
        left = sum(tile not in scan.tiles and tile[0] not in self._unread for tile in order)
        if left:
            self.notes.append(f"The budget of {self.budget} patches left {left} of {len(order)} tiles unseen")
        return set(scan.tiles)

    def area(self, tiles: Iterable[Tile], lens: Lens) -> tuple[float | None, float]:
        """Return the ground of tiles in square metres, None if not known, and as a share of what is searched."""
        area: float | None = 0.0
        looked, seen, searched = list(tiles), 0.0, 0.0
        for number, ground in enumerate(self.grounds):
            mask = np.zeros_like(ground.covered)
            for _, col, row in (tile for tile in looked if tile[0] == number):
                mask[ground.squares(col * lens.tile_px, row * lens.tile_px, lens.tile_px)] = True
            pixels = ground.pixels(mask & ground.covered)
            seen, searched = seen + pixels, searched + ground.pixels(ground.covered)
            area = None if area is None or ground.square_m2 is None else area + pixels * ground.square_m2
        return area, seen / searched if searched else 0.0

    def _logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._scorer.head.logit(self._scorer.score(vectors)[1])
