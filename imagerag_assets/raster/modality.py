"""What a kind of imagery is to the reader: how its values become three bands that can be stretched.

No kind is defined here; the files of `raster.modalities` do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Parameters = dict[str, Any]
"""What a render keeps of one scene; JSON values only."""


@dataclass(frozen=True)
class Facts:
    """What is known of a scene before its pixels are looked at."""

    modality: str
    """As the item or the settings say; ``other`` if nobody does."""
    dtype: str
    """Data type of the file, or ``mixed``."""
    decibels: bool
    """Whether the values are decibels of a complex magnitude."""
    bands: int
    """Number of bands that are read."""
    order: tuple[int, int, int]
    """Which of them are red, green and blue, by the item or by guess."""
    many: bool
    """Whether they stand for the many bands of a spectrometer."""


class Modality(Protocol):
    """One kind of imagery."""

    @property
    def name(self) -> str:
        """What stored renders call it."""

    @property
    def margin_px(self) -> int:
        """Pixels around a window of the native resolution that :meth:`show` needs, too."""

    def applies(self, facts: Facts) -> bool:
        """Return whether a scene is of this kind."""

    def fit(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        native: NDArray[Any],
        native_valid: NDArray[np.bool_],
        facts: Facts,
    ) -> tuple[Parameters, str]:
        """Look at a scene once.

        Args:
            values: Source values (bands, h, w) of an overview of the scene.
            valid: (h, w); at least one pixel is valid.
            native: Source values (bands, h, w) of its centre at the native resolution.
            native_valid: (h, w); none may be valid.
            facts: What is known beside.

        Returns:
            What :meth:`show` needs, and a few words for people.
        """

    def show(
        self, values: NDArray[Any], valid: NDArray[np.bool_], parameters: Parameters, *, native: bool
    ) -> NDArray[Any]:
        """Return (3, h, w), or (1, h, w) for grey, in any finite unit; limits are found and applied afterwards.

        Args:
            values: Source values (bands, h, w) of a window; those of pixels that are not valid may be anything.
            valid: (h, w).
            parameters: Of :meth:`fit`.
            native: Whether the window is read at the native resolution.
        """
