"""Grids of tiles: which tiles and pixels of one cover a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.transform import Affine

from imagerag_assets.errors import SourceError

WEB_MERCATOR = "EPSG:3857"
_HALF = 20037508.342789244
"""Half the width of the web map in its metres."""
_NORTHMOST = 85.0511287798066
TILE_PX = 256
_EDGE = 1e-6  # px; a box that ends on the edge of a pixel does not take the next one


@dataclass(frozen=True)
class TileGrid:
    """One zoom level of a tiled map."""

    crs: str
    left: float
    top: float
    resolution: float
    """Side of a pixel in units of `crs`."""
    tile_px: int
    columns: int
    rows: int
    level: str
    """The level's name in the address of a tile."""


@dataclass(frozen=True)
class Cover:
    """The pixels of a grid that cover a box."""

    grid: TileGrid
    x0: int
    y0: int
    x1: int
    y1: int
    """In pixels of the whole level, from its upper left; the last ones are not part of it."""

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """Return (column, row) of the tiles, row by row."""
        px = self.grid.tile_px
        columns = range(self.x0 // px, (self.x1 - 1) // px + 1)
        return [(column, row) for row in range(self.y0 // px, (self.y1 - 1) // px + 1) for column in columns]

    @property
    def transform(self) -> Affine:
        """Return the place of the pixels on the ground."""
        grid, step = self.grid, self.grid.resolution
        return Affine(step, 0, grid.left + self.x0 * step, 0, -step, grid.top - self.y0 * step)


def web_grid(zoom: int, tile_px: int = TILE_PX) -> TileGrid:
    """Return a level of the web map's grid; larger tiles hold as many of the usual ones."""
    pixels = TILE_PX * 2**zoom
    tile_px = min(tile_px, pixels)
    count = pixels // tile_px
    return TileGrid(WEB_MERCATOR, -_HALF, _HALF, 2 * _HALF / pixels, tile_px, count, count, str(zoom))


def cover(grid: TileGrid, bbox: tuple[float, float, float, float], most: int, shown: str) -> Cover:
    """Return the pixels that cover a lon/lat box.

    Args:
        grid: Of the layer.
        bbox: West, south, east, north in degrees.
        most: The largest number of pixels.
        shown: The layer, for errors.

    Raises:
        SourceError: the box lies outside of the grid, covers too few pixels, or too many.
    """
    west, south, east, north = bbox
    if grid.crs == WEB_MERCATOR:
        south, north = max(south, -_NORTHMOST), min(north, _NORTHMOST)
    if south >= north:
        raise SourceError("The box lies outside of the layer's grid", fix="Correct the bbox", href=shown)
    try:
        transformer = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
        left, bottom, right, top = transformer.transform_bounds(west, south, east, north)
    except ProjError as error:
        raise SourceError(
            f"The box has no place in {grid.crs} ({str(error)[:100]})", fix="Correct the bbox", href=shown
        ) from None
    step = grid.resolution
    limits = (grid.columns * grid.tile_px, grid.rows * grid.tile_px)
    edges = ((left - grid.left) / step, (grid.top - top) / step, (right - grid.left) / step, (grid.top - bottom) / step)
    if not all(map(math.isfinite, edges)):
        raise SourceError("The box lies outside of the layer's grid", fix="Correct the bbox", href=shown)
    x0, y0 = (max(0, math.floor(edge + _EDGE)) for edge in edges[:2])
    x1, y1 = (min(limit, math.ceil(edge - _EDGE)) for edge, limit in zip(edges[2:], limits, strict=True))
    if x1 <= x0 or y1 <= y0:
        raise SourceError("The box lies outside of the layer's grid", fix="Correct the bbox", href=shown)
    found = Cover(grid, x0, y0, x1, y1)
    if min(found.width, found.height) < 2:
        raise SourceError(
            f"The box is only {found.width} x {found.height} px at this zoom", fix="Raise --zoom or widen the bbox",
            href=shown,
        )  # fmt: skip
    if found.width * found.height > most:
        raise SourceError(
            f"The box has {found.width:,} x {found.height:,} px at this zoom, more than {most:,}",
            fix="Lower --zoom, take a smaller bbox, or raise IMAGERAG_LAYER_PIXELS",
            href=shown,
        )
    return found
