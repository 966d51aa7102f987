"""The grid and the render of a scene, as plain values that are stored with it.

Only data and its JSON form belong here: no reading, no statistics, no coordinate transformation.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from imagerag_assets.raster.collar import Collar

Window = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in native pixels, half-open, x to the right and y down."""

Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""(low, high) of red, green and blue."""

IDENTITY: Limits = ((0.0, 255.0), (0.0, 255.0), (0.0, 255.0))
NO_DATA = "no pixel holds data"
"""Note of the render of a scene with nothing to show."""


@dataclass(frozen=True)
class Grid:
    """The native pixel grid of a scene: that of its finest band."""

    width: int
    height: int
    crs_wkt: str | None
    """None if windows have no place on the ground."""
    transform: tuple[float, float, float, float, float, float]
    """(a, b, c, d, e, f): column and row give ``x = a * col + b * row + c`` and ``y = d * col + e * row + f``."""
    has_overviews: bool
    """Whether every file has overviews of its own."""
    gcps: bool = False
    """Whether places are approximate: the transform is fitted to ground control points, RPCs or a footprint."""

    @property
    def window(self) -> Window:
        """The whole scene."""
        return (0, 0, self.width, self.height)

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it back to an equal grid."""
        return asdict(self) | {"transform": list(self.transform)}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Grid:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        a, b, c, d, e, f = (float(value) for value in record["transform"])
        return cls(**record | {"transform": (a, b, c, d, e, f)})


@dataclass(frozen=True)
class RenderSpec:
    """How source values become the uint8 picture that an encoder sees; the same for all patches of a scene."""

    limits: Limits
    """Source values (decibels for complex data) shown as 0 and 255, per band."""
    source_dtype: str
    """Data type of the file, e.g. ``uint16``."""
    modality: str
    note: str = ""
    """How the limits were chosen, for people."""
    percentiles: tuple[float, float] | None = None
    """Percentiles of each band that the limits are; None where bytes are shown as they are."""
    left_out: tuple[Collar, ...] | None = None
    """Collars whose pixels do not count; None: they count, whether there are any or not."""
    by: str = ""
    """The kind of imagery (`raster.modalities`) that makes what is stretched; empty: the bands are stretched."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """What that kind needs to know of the scene."""

    @property
    def identity(self) -> bool:
        """Return whether the file's bytes are shown as they are."""
        return self.source_dtype == "uint8" and self.limits == IDENTITY

    @property
    def empty(self) -> bool:
        """Return whether the scene has no pixel that holds data, so that there is nothing to show."""
        return self.note == NO_DATA

    @classmethod
    def of_nothing(cls, source_dtype: str, modality: str) -> RenderSpec:
        """Return the render of a scene without a pixel that holds data."""
        return cls(IDENTITY, source_dtype, modality, NO_DATA)

    def is_of(self, percentiles: tuple[float, float], *, without_collars: bool = False) -> bool:
        """Whether these are the limits that some percentiles give; bytes that are shown as they are have none."""
        return self.empty or (
            self.percentiles in (None, percentiles) and (self.left_out is not None) == without_collars
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it back to an equal render."""
        stored = asdict(replace(self, left_out=None)) | {"limits": [list(pair) for pair in self.limits]}
        del stored["left_out"]
        if not self.by:
            del stored["by"], stored["parameters"]
        if self.left_out is not None:
            stored["left_out"] = [collar.to_dict() for collar in self.left_out]
        if self.percentiles == _percentiles_of(self.note):  # as records had it before there was a field
            del stored["percentiles"]
        elif self.percentiles is not None:
            stored["percentiles"] = list(self.percentiles)
        return stored

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> RenderSpec:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        red, green, blue = ((float(low), float(high)) for low, high in record["limits"])
        said = record["percentiles"] if "percentiles" in record else _percentiles_of(record.get("note", ""))
        percentiles = None if said is None else (float(said[0]), float(said[1]))
        left_out = record.get("left_out")
        collars = None if left_out is None else tuple(Collar.from_dict(each) for each in left_out)
        return cls(**record | {"limits": (red, green, blue), "percentiles": percentiles, "left_out": collars})


def _percentiles_of(note: str) -> tuple[float, float] | None:
    """Read the percentiles from a note: records that were written before they had a field say them there only."""
    found = re.search(r"from percentile ([\d.e+-]+) to ([\d.e+-]+)$", note)
    return None if found is None else (float(found[1]), float(found[2]))
