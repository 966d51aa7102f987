"""Fetch the tiles of a layer and join them into one GeoTIFF.

Tiles are kept in the cache as they come, so that an interrupted fetch continues.  A tile that does not come is left
without pixels and counted.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.masking import masked
from imagerag_assets.objects import http
from imagerag_assets.objects.aside import replace_bytes, reporting_full_disk, temporary_folder
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.guarded import Reach
from imagerag_assets.online_layers.plans import Plan, reason_of
from imagerag_assets.settings import Settings

_THREADS = 6  # requests at once: tiles often come from servers that others share
_BATCH = 48
_LARGEST_TILE = 32 * 2**20
_LARGEST_SIDE = 4096
_LONGEST_EXCEPTION = 2**14
_EXCEPTION = re.compile(
    rb"<(?:\w+:)?(?:ServiceException|ExceptionText)\b[^>]*>\s*(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?\s*</", re.DOTALL
)
_ADDRESS = re.compile(r"\S*(?:://|[=&?])\S*")
_MISSING_AT_MOST = 0.2
"""Largest share of tiles that may be missing; one always may, if it is not the only one."""
TILES, MISSING, REASON, RESIZED = ("IMAGERAG_TILES", "IMAGERAG_MISSING_TILES", "IMAGERAG_MISSING_REASON",
                                   "IMAGERAG_TILE_SIZE")  # fmt: skip
"""Tags of the GeoTIFF."""


@dataclass
class _Count:
    """What became of the tiles so far."""

    tiles: int
    missing: int = 0
    reason: str = ""
    """Why the first one is missing."""
    transient: bool = False
    denied: bool = False
    resized: int = 0
    """Side of tiles that came in another size than the grid's, in pixels; 0: none did."""

    def miss(self, error: Exception, address: str) -> None:
        self.missing += 1
        self.reason = self.reason or reason_of(error)
        self.transient |= is_transient(error, address)
        self.denied |= isinstance(error, PermissionError)

    def is_hopeless(self, asked: int) -> bool:
        """Return whether too many tiles are missing after so many; a server that is down is not asked for all."""
        if self.missing == asked and (asked == self.tiles or self.transient or self.denied):
            return True
        return self.missing > max(1, _MISSING_AT_MOST * self.tiles)


@contextmanager
def fetched(plan: Plan, settings: Settings) -> Iterator[Path]:
    """Give the path of a cloud-optimised GeoTIFF of a layer: red, green, blue and alpha, uint8; removed afterwards.

    Raises:
        RasterError: too many tiles do not come.
        StoreError: the disk is full.
    """
    root = settings.home / "scratch" / "layers"
    root.mkdir(parents=True, exist_ok=True)
    with temporary_folder("layer", root) as folder, reporting_full_disk(root):
        yield _joined(plan, folder, settings)


def _joined(plan: Plan, folder: Path, settings: Settings) -> Path:
    cover, raw, final = plan.cover, folder / "tiles.tif", folder / "layer.tif"
    count = _Count(len(cover.tiles))
    profile = {"driver": "GTiff", "width": cover.width, "height": cover.height, "count": 4, "dtype": "uint8",
               "crs": cover.grid.crs, "transform": cover.transform, "tiled": True, "blockxsize": 256,
               "blockysize": 256, "BIGTIFF": "IF_SAFER"}  # fmt: skip
    with rasterio.open(raw, "w", **profile) as target:
        target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        for (column, row), pixels in _tiles(plan, settings, count):
            _place(target, plan, column, row, pixels)
        said = {TILES: count.tiles, MISSING: count.missing, REASON: count.reason, RESIZED: count.resized}
        target.update_tags(**{name: value for name, value in said.items() if value})
    rasterio.shutil.copy(raw, final, driver="COG", compress="DEFLATE", predictor="YES", bigtiff="IF_SAFER")
    raw.unlink()
    return final


def _place(target: Any, plan: Plan, column: int, row: int, pixels: NDArray[np.uint8]) -> None:
    """Write the part of a tile, (4, px, px), that is inside the box."""
    cover, px = plan.cover, plan.cover.grid.tile_px
    left, top = column * px - cover.x0, row * px - cover.y0
    x0, y0, x1, y1 = max(0, left), max(0, top), min(cover.width, left + px), min(cover.height, top + px)
    part = pixels[:, y0 - top : y1 - top, x0 - left : x1 - left]
    target.write(part, window=Window(x0, y0, x1 - x0, y1 - y0))


def _tiles(plan: Plan, settings: Settings, count: _Count) -> Iterator[tuple[tuple[int, int], NDArray[np.uint8]]]:
    """Yield the place and the pixels of each tile that comes.

    Raises:
        RasterError: too many do not come.
    """
    cache = settings.cache_folder / "tiles" / plan.folder
    places, px = plan.cover.tiles, plan.cover.grid.tile_px
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        found: dict[tuple[int, int], NDArray[np.uint8]] = {}
        for place in batch:
            pixels = _cached(_file(cache, place), px, count)
            if pixels is not None:
                found[place] = pixels
        wanted = [place for place in batch if place not in found]
        addresses = [plan.address(*place) for place in wanted]
        reach = Reach(addresses, settings, shown=plan.layer.template)
        answers = http.read_all(addresses, at_most=_LARGEST_TILE, reach=reach, threads=_THREADS)
        for place, address, data in zip(wanted, addresses, answers, strict=True):
            try:
                if isinstance(data, Exception):
                    raise data
                found[place] = _decoded(data, px, count)
                _keep(_file(cache, place), data)
            except StoreError:  # the disk is full
                raise
            except Exception as error:
                count.miss(error, address)
        yield from found.items()
        if count.is_hopeless(asked := start + len(batch)):
            raise RasterError(
                f"{count.missing} of {asked} tiles cannot be fetched ({count.reason})",
                fix="Check the key of the layer" if count.denied else "Check the address, the zoom and the bbox",
                transient=count.transient,
                href=plan.layer.template,
            )


def _file(cache: Path, place: tuple[int, int]) -> Path:
    return cache / str(place[0]) / str(place[1])


def _keep(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(file, data)


def _cached(file: Path, px: int, count: _Count) -> NDArray[np.uint8] | None:
    try:
        return _decoded(file.read_bytes(), px, count)
    except (OSError, ValueError):
        return None


def _decoded(data: bytes, px: int, count: _Count) -> NDArray[np.uint8]:
    """Return the pixels of a tile, uint8 (4, px, px); one of another size is fitted to the grid.

    Raises:
        NotAnImageError: it is no picture, or far too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF")) as picture:
                if max(picture.size) > _LARGEST_SIDE:
                    raise NotAnImageError(f"a picture of {picture.size[0]}x{picture.size[1]} px")
                colours = picture.convert("RGBA")
    except NotAnImageError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything
        raise NotAnImageError(_said(data)) from error
    if colours.size != (px, px):
        count.resized = max(colours.size)
        colours = colours.resize((px, px), Image.Resampling.LANCZOS)
    return np.moveaxis(np.asarray(colours), -1, 0)


def _said(data: bytes) -> str:
    """Return what a service says in place of a picture, without addresses, which may hold a key."""
    found = _EXCEPTION.search(data[:_LONGEST_EXCEPTION])
    if found is None:
        return "no picture"
    text = " ".join(unescape(found[1].decode("utf-8", "replace")).split())
    return f"no picture, but: {masked(_ADDRESS.sub('...', text))[:120]}" if text else "no picture"


class NotAnImageError(RasterError, ValueError):
    """What a server sent in place of a tile is no picture."""
