"""What a raster declares of its size is held to the limits of the settings before any of its pixels is read."""

from __future__ import annotations

from typing import Any

import numpy as np
from rasterio.enums import Interleaving

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.virtual import COMPLEX
from imagerag_assets.settings import Settings

_COMPLEX_BYTES = {"complex_int16": 4, "complex64": 8, "complex128": 16}
assert _COMPLEX_BYTES.keys() == COMPLEX.keys()


def check_declared(dataset: Any, href: str, settings: Settings) -> None:
    """Refuse a raster with more pixels, bands, or bytes in a block than is allowed.

    Args:
        dataset: It, opened with rasterio.
        href: Its address.
        settings: The limits.

    Raises:
        RasterError: a limit is passed; the error names it.
    """
    width, height = dataset.width, dataset.height
    if width * height > settings.limit_pixels:
        raise RasterError(
            f"image has {width:,}x{height:,} px, {width * height:,} in all; at most {settings.limit_pixels:,} are read",
            href=href,
            fix="Cut it, or raise IMAGERAG_LIMIT_PIXELS",
        )
    if dataset.count > settings.limit_bands:
        raise RasterError(
            f"image has {dataset.count:,} bands; at most {settings.limit_bands:,} are read",
            href=href,
            fix="Split it, or raise IMAGERAG_LIMIT_BANDS",
        )
    size, (rows, columns) = largest_block(dataset)
    if size > settings.limit_block_bytes:
        raise RasterError(
            f"image has blocks of {columns:,}x{rows:,} px, {size:,} bytes each; at most "
            f"{settings.limit_block_bytes:,} are decoded at once",
            href=href,
            fix="Write it anew in smaller tiles, e.g. as COG, or raise IMAGERAG_LIMIT_BLOCK_BYTES",
        )


def largest_block(dataset: Any) -> tuple[int, tuple[int, int]]:
    """Return the bytes of the largest block once decoded, and its rows and columns.

    Pixels that are stored together are decoded together: then a block has all bands.
    """
    bands = 1 if dataset.interleaving in (Interleaving.band, Interleaving.line) else dataset.count
    sizes = [
        (rows * columns * _bytes(dtype) * bands, (rows, columns))
        for (rows, columns), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True)
    ]
    return max(sizes)


def _bytes(dtype: str) -> int:
    return _COMPLEX_BYTES.get(dtype) or np.dtype(dtype).itemsize
