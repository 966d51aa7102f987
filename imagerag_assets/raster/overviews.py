"""Overviews of files that have none, built beside a virtual raster."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import rasterio
from rasterio.enums import Resampling

from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.aside import folder_aside
from imagerag_assets.objects.signed_rasters import with_signature
from imagerag_assets.raster.files import RasterFile, failures, in_order, vrt_of

_OVERVIEW_OPTIONS = {
    "COMPRESS_OVERVIEW": "DEFLATE",
    "ZLEVEL_OVERVIEW": 1,
    "GDAL_TIFF_OVR_BLOCKSIZE": 512,
    "BIGTIFF_OVERVIEW": "IF_SAFER",
}


def with_overviews(
    file: RasterFile, folder: Path, version: str, build: Callable[[RasterFile, Path], None] | None = None
) -> RasterFile:
    """Return the file with overviews beside a virtual raster of it, built on the first call and found on later ones.

    They are averages, made in one pass over the file; GDAL's block cache bounds the memory.

    Args:
        file: A file without overviews.
        folder: Where to keep them. They take a third of the file's size.
        version: Changes when the file does.
        build: Calls :func:`build_overviews`; default: it is called here.

    Raises:
        RasterError: the file cannot be read to its end.
    """
    name = hashlib.sha256(f"{file.href}\n{version}\n{file.indexes}".encode()).hexdigest()[:24]
    final = folder / name
    if not final.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with folder_aside(final) as aside:  # another process may be first; its overviews are the same
            (build or build_overviews)(file, aside / "image.vrt")
    return in_order(file, str(final / "image.vrt"))


def build_overviews(file: RasterFile, vrt: Path) -> None:
    """Write a virtual raster of a file, and its overviews beside it. Call inside the rasterio environment.

    Args:
        file: The file.
        vrt: The virtual raster, in a folder of its own.

    Raises:
        RasterError: the file cannot be read to its end.
    """
    for earlier in vrt.parent.iterdir():  # what a first try with a signature that had ended left
        earlier.unlink()
    plain = file.path if file.is_complex else vrt_of(file)
    vrt.write_text(with_signature(plain, file.href), encoding="utf-8")
    longest = max(file.grid.width, file.grid.height)
    factors = [2**power for power in range(1, 24) if longest > 128 * 2**power] or [2]
    method = Resampling.nearest if file.palette is not None else Resampling.average
    # With threads, GDAL fetches many ranges at once, and then rejects servers that answer ranges with status 200.
    threads = 1 if is_remote(file.href) else min(4, os.cpu_count() or 1)
    with (
        failures(file.href, "read"),
        rasterio.Env(GDAL_NUM_THREADS=threads, **_OVERVIEW_OPTIONS),
        rasterio.open(vrt, "r+", driver="VRT") as dataset,
    ):
        dataset.build_overviews(factors, method)
    vrt.write_text(plain, encoding="utf-8")
