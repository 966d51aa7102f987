"""Square tiles of a scene's imagery for maps and viewers, as its patches are drawn, and crops of it.

The pixels come through the scene's own reader, so that display limits and what may be opened are those of everything
else; rio-tiler puts them onto the tiles of a web map.  See https://cogeotiff.github.io/rio-tiler
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from shapely import box, segmentize

from imagerag_assets.errors import InputError, RasterError
from imagerag_assets.objects.opening import raster_errors
from imagerag_assets.raster.fitting import fitted
from imagerag_assets.raster.geo import geometry_window, middle_of_box, pixel_window_to_lonlat_bbox
from imagerag_assets.raster.types import Grid, Window
from imagerag_assets.scenes.ground import pixel_m

TILE_PX = 256
MAX_ZOOM = 24
"""Of a web map: a pixel is a centimetre."""
MAX_CROP_PX = 1024
_READ_PX = 2 * TILE_PX
"""Longest side of what is read for a tile."""
_LEAST_PX = 32
_WHOLE_M = 156_543.034
"""Metres of a pixel of a web map at zoom 0, at the equator."""
_EDGE_STEPS = 8

Read = Callable[[Window, tuple[int, int]], tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""A native window and a shape (h, w) to uint8 (h, w, 3), and bool (h, w): which pixels hold data."""


def native_zoom(grid: Grid) -> int | None:
    """Return the zoom of a web map at which a scene has its own resolution; None without a place on the ground."""
    metres, bbox = pixel_m(grid), pixel_window_to_lonlat_bbox(grid, grid.window)
    if not metres or bbox is None:
        return None
    _, latitude = middle_of_box(bbox)
    there = _WHOLE_M * max(math.cos(math.radians(latitude)), 1e-3)
    return min(MAX_ZOOM, max(0, math.ceil(math.log2(there / metres))))


def pixel_zooms(grid: Grid) -> int:
    """Return the zoom of tiles in pixels at which they are native; at zoom 0 one tile shows the whole scene."""
    return max(0, math.ceil(math.log2(max(grid.width, grid.height) / TILE_PX)))


def map_tile(read: Read, grid: Grid, z: int, x: int, y: int) -> bytes | None:
    """Return a tile of a web map (EPSG:3857), 256 x 256, as PNG; transparent where there is no data.

    Args:
        read: Reads the scene.
        grid: Of the scene.
        z: Zoom, 0 to 24.
        x: Column from the west.
        y: Row from the north.

    Returns:
        The PNG, or None where the tile does not meet the scene.

    Raises:
        InputError: there is no such tile, or the scene has no place on the ground.
        RasterError: the scene cannot be read.
    """
    from morecantile import Tile  # half a second to import, as rio-tiler
    from rio_tiler.constants import WEB_MERCATOR_TMS

    if not 0 <= z <= MAX_ZOOM or not (0 <= x < 1 << z and 0 <= y < 1 << z):
        raise InputError(f"There is no tile {z}/{x}/{y}", fix=f"Give a zoom of 0 to {MAX_ZOOM}, and x and y in it")
    native = native_zoom(grid)
    if grid.crs_wkt is None or native is None:
        raise InputError("The scene has no place on the ground", fix="Take its tiles in pixels")
    west, south, east, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    steps = max(east - west, north - south) / _EDGE_STEPS
    around = geometry_window(grid, segmentize(box(west, south, east, north), steps))
    whole = grid.window
    # Where the projection does not reach the tile's corners, the tile is large, and so is the part of the scene.
    window = whole if around is None else _inside(_widened(around), grid)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    shown = max(x1 - x0, y1 - y0) >> max(0, native - z)  # side of the part on the tile, px
    pixels, valid = read(window, fitted(x1 - x0, y1 - y0, max(_LEAST_PX, min(_READ_PX, 2 * shown))))
    return _warped(grid, window, pixels, valid, (z, x, y))


def pixel_tile(read: Read, grid: Grid, z: int, x: int, y: int) -> bytes | None:
    """Return a tile of a scene in its own pixels, 256 x 256, as PNG; transparent beside the scene.

    Args:
        read: Reads the scene.
        grid: Of the scene.
        z: Zoom, 0 to `pixel_zooms`, where a pixel is a native one.
        x: Column from the left.
        y: Row from the top.

    Returns:
        The PNG, or None where the tile lies outside the scene.

    Raises:
        InputError: there is no such zoom.
        RasterError: the scene cannot be read.
    """
    finest = pixel_zooms(grid)
    if not 0 <= z <= finest or min(x, y) < 0:
        raise InputError(f"There is no tile {z}/{x}/{y}", fix=f"Give a zoom of 0 to {finest}")
    side, scale = TILE_PX << (finest - z), 1 << (finest - z)
    window = _inside((x * side, y * side, (x + 1) * side, (y + 1) * side), grid)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    height, width = -(-(y1 - y0) // scale), -(-(x1 - x0) // scale)
    pixels, valid = np.zeros((TILE_PX, TILE_PX, 3), np.uint8), np.zeros((TILE_PX, TILE_PX), bool)
    pixels[:height, :width], valid[:height, :width] = read(window, (height, width))
    return _png(pixels, valid)


def crop(read: Read, grid: Grid, window: Window, max_px: int) -> bytes:
    """Return a part of a scene as JPEG, its longest side at most `max_px`, never enlarged.

    Args:
        read: Reads the scene.
        grid: Of the scene.
        window: x0, y0, x1, y1 in native pixels; what lies outside the scene is left out.
        max_px: 1 to 1024.

    Raises:
        InputError: the window is empty, or outside the scene.
        RasterError: the scene cannot be read.
    """
    inside = _inside(window, grid)
    if inside is None:
        shown = ",".join(map(str, window))
        raise InputError(
            f"The window {shown} shows nothing of the scene", fix=f"Give a part of its {grid.width} x {grid.height} px"
        )
    x0, y0, x1, y1 = inside
    pixels, _ = read(inside, fitted(x1 - x0, y1 - y0, min(max_px, MAX_CROP_PX)))
    from rio_tiler.utils import render

    return bytes(render(np.moveaxis(pixels, -1, 0), img_format="JPEG", quality=88))


def _inside(window: Window, grid: Grid) -> Window | None:
    x0, y0, x1, y1 = max(0, window[0]), max(0, window[1]), min(grid.width, window[2]), min(grid.height, window[3])
    return None if x1 <= x0 or y1 <= y0 else (x0, y0, x1, y1)


def _widened(window: Window) -> Window:
    """Return a window with a margin of what resampling looks at beside a tile."""
    x0, y0, x1, y1 = window
    margin = 2 + max(x1 - x0, y1 - y0) // (TILE_PX // 4)
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin


def _warped(
    grid: Grid, window: Window, pixels: NDArray[np.uint8], valid: NDArray[np.bool_], tile: tuple[int, int, int]
) -> bytes | None:
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile
    from rasterio.transform import Affine
    from rio_tiler.errors import TileOutsideBounds
    from rio_tiler.io import Reader

    z, x, y = tile
    x0, y0, x1, y1 = window
    height, width = valid.shape
    a, b, c, d, e, f = grid.transform
    scale = Affine.translation(x0, y0) * Affine.scale((x1 - x0) / width, (y1 - y0) / height)
    about = {"driver": "GTiff", "count": 4, "dtype": "uint8", "crs": grid.crs_wkt, "photometric": "RGB"}
    try:
        with MemoryFile() as file:
            with file.open(width=width, height=height, transform=Affine(a, b, c, d, e, f) * scale, **about) as made:
                made.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
                made.write(np.concatenate([np.moveaxis(pixels, -1, 0), valid[None].astype(np.uint8) * 255]))
            with file.open() as made, suppress(TileOutsideBounds):
                shown = Reader(None, dataset=made).tile(
                    x, y, z, tilesize=TILE_PX, indexes=(1, 2, 3), reproject_method="bilinear"
                )
                return bytes(shown.render(img_format="PNG"))
    except raster_errors() as error:
        raise RasterError(
            f"The scene cannot be put onto a map ({type(error).__name__})", fix="Take its tiles in pixels"
        ) from None
    return None


def _png(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bytes:
    from rio_tiler.utils import render

    return bytes(render(np.moveaxis(pixels, -1, 0), mask=valid.astype(np.uint8) * 255, img_format="PNG"))
