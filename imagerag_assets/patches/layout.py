"""At which level the pyramid of a scene starts: at patches of so many metres, or of so many pixels.

Objects have a size on the ground, and an encoder was taught pictures of so many metres.  So where a pixel covers much,
the pyramid starts with patches of fewer pixels, which the encoder enlarges; where it covers very little, the finest
levels are left out.  Starts are powers of two, so that levels stay nested and reads stay aligned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from imagerag_assets.patches.divisions import division, pyramid_grids
from imagerag_assets.patches.types import Division

LEAST_PX = 32
"""Native pixels a side that a patch keeps: with fewer there is too little to see."""
FAR_PX = 64
"""The same where even patches of `LEAST_PX` would cover far more ground than is asked for: there they only cost."""
DEFAULT_FINER_PATCHES = 200_000
SANE_PIXEL_M = (0.001, 1000.0)
"""Metres that a pixel of imagery covers; what lies beyond is a mistake of a georeference, or shows no objects."""


@dataclass(frozen=True)
class Layout:
    """How scenes are laid out on the ground."""

    patch_m: float
    """Metres that a side of the smallest patch covers, within a factor of the root of two."""
    finer_patches: int = DEFAULT_FINER_PATCHES
    """Patches of a scene at most, where any is smaller than the usual number of pixels."""

    def start(self, size: tuple[int, int], metres: float | None, patch_px: int, overlap: float) -> Start:
        """Return where the pyramid of a scene starts.

        Args:
            size: (width, height) of the scene in native pixels.
            metres: Side of a pixel on the ground (`raster.ground_distance.mean_pixel_m`); None: not known.
            patch_px: Side of a patch in pixels of its level.
            overlap: Share of a patch's side that the next one repeats.
        """
        if metres is None:
            return Start(0, f"in pixels ({patch_px} px): the scene has no place on the ground", known=False)
        if not SANE_PIXEL_M[0] <= metres <= SANE_PIXEL_M[1]:
            why = f"in pixels ({patch_px} px): a ground distance of {metres:g} m a pixel is not plausible"
            return Start(0, why, known=False)
        wanted = round(math.log2(self.patch_m / (patch_px * metres)))
        level, limit = wanted, ""
        if wanted > 0:
            top = pyramid_grids(*size, patch_px=patch_px, overlap=overlap)[-1].level
            level, limit = min(wanted, top), "the scene is no larger"
        elif wanted < 0:
            least = LEAST_PX if wanted >= _finest(patch_px, LEAST_PX) else FAR_PX
            level, limit = max(wanted, _finest(patch_px, least)), f"a patch keeps {least} px a side"
            while level < 0 and _pyramid(patch_px, overlap, level).count(*size) > self.finer_patches:
                level += 1
                limit = f"a scene has at most {self.finer_patches:,} patches that way"
        side = max(1, round(patch_px * 2.0**level))
        why = f"{side} px = {round(side * metres, 1):g} m a side at {metres:.3g} m a pixel, for {self.patch_m:g} m"
        return Start(level, why if level == wanted else f"{why}: {limit}")


@dataclass(frozen=True)
class Start:
    """The finest level of a scene's pyramid."""

    level: int
    why: str
    """The smallest patch and the reason for it, for a person."""
    known: bool = True
    """Whether the ground distance is known."""


def _finest(patch_px: int, least_px: int) -> int:
    """Return the finest level, at most 0, at which patches keep so many native pixels a side."""
    return min(0, -math.floor(math.log2(patch_px / least_px)))


def _pyramid(patch_px: int, overlap: float, level: int) -> Division:
    return division("pyramid", patch_px=patch_px, patch_overlap=overlap, start=level)
