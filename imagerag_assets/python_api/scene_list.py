"""The ingested scenes, as objects and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from imagerag_assets.raster.geo import box_geometry

if TYPE_CHECKING:
    import geopandas

COLUMNS = ("scene", "item", "collection", "source", "date", "width", "height", "gsd_m", "patches", "status")
"""Of the table of scenes, before ``geometry``."""


class Scene:
    """An ingested scene."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry

    @property
    def key(self) -> str:
        """Its scene key, by which questions name it."""
        return str(self._entry["scene"])

    @property
    def item(self) -> str | None:
        """Id of its STAC item."""
        return self._entry["item"]

    @property
    def date(self) -> str | None:
        """When it was acquired, ISO 8601; None: not known."""
        return self._entry["acquired"]

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None: it has no place on the ground."""
        return None if self._entry["bbox"] is None else tuple(self._entry["bbox"])

    @property
    def gsd_m(self) -> float | None:
        """Metres that a native pixel covers; None: not known."""
        return self._entry["gsd_m"]

    @property
    def status(self) -> str:
        """``ingested``, ``empty``, ``incomplete``, ``removed`` or ``unreadable``."""
        return str(self._entry["status"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        return tuple(self._entry["notes"])

    def to_dict(self) -> dict[str, Any]:
        """Return its entry in ``imagerag scenes --json``."""
        return dict(self._entry)

    def __repr__(self) -> str:
        return f"Scene({self.key!r}, {self.date and self.date[:10]}, {self.status})"


class Scenes(Sequence[Scene]):
    """Scenes by key."""

    def __init__(self, scenes: Iterable[Scene]) -> None:
        self._scenes = tuple(scenes)

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """Return a table with a row for each scene and its bounding box as geometry, in EPSG:4326.

        Columns: ``scene``, ``item``, ``collection``, ``source``, ``date`` (ISO 8601), ``width`` and ``height`` (native
        pixels), ``gsd_m``, ``patches`` and ``status``.  A scene without a place on the ground has no geometry.
        """
        import geopandas

        rows = [{**each.to_dict(), "date": each.date} for each in self._scenes]
        boxes = [None if each.bbox is None else box_geometry(*each.bbox) for each in self._scenes]
        return geopandas.GeoDataFrame(rows, columns=list(COLUMNS), geometry=boxes, crs="EPSG:4326")

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> Scenes: ...
    def __getitem__(self, index: int | slice) -> Scene | Scenes:
        return Scenes(self._scenes[index]) if isinstance(index, slice) else self._scenes[index]

    def __len__(self) -> int:
        return len(self._scenes)

    def __repr__(self) -> str:
        return f"Scenes({list(self._scenes)!r})"
