"""Open rasters: by named drivers only, and from servers that refuse HEAD."""

from __future__ import annotations

import os
import re
from typing import Any

import rasterio
from rasterio._env import set_gdal_config
from rasterio._path import _parse_path
from rasterio.env import getenv
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from imagerag_assets.objects.local_files import check_raster
from imagerag_assets.objects.signed import origin

IMAGERY_DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP", "GIF")
"""GDAL's drivers that open what somebody else made.  Others open what a file names: a VRT names any file."""
_VIRTUAL = "VRT"
_SKIPPED = ("DERIVED", "GTI", "STACIT", "STACTA", "HTTP", "WMS", "WMTS", "WCS", "PLMOSAIC", "EEDA", "EEDAI", "DAAS")
"""Drivers that GDAL does without in this process: a file tells them what to fetch or open.  Files that a virtual raster
names are opened by any driver that there is."""
GET_ONLY = {"CPL_VSIL_CURL_USE_HEAD": "NO"}
_CURL = "/vsicurl/"
_without_head: set[str] = set()
"""Servers that answered GET for what they refused to HEAD."""
_failed: set[str] = set()
"""What could not be opened, which GDAL remembers for the life of the process."""
_HEAD_REFUSED = re.compile(r"HTTP response code ?: ?(?!0|2|3|429|50[234])\d")

# Read when GDAL is used for the first time; what the environment says stays.
set_gdal_config("GDAL_SKIP", ",".join(filter(None, (os.environ.get("GDAL_SKIP"), *_SKIPPED))))


def raster_errors() -> tuple[type[BaseException], ...]:
    """Return the classes of everything that rasterio raises, GDAL's own errors included.

    The base class of the latter is private to rasterio; this is the one place that knows it.
    """
    try:
        from rasterio._err import CPLE_BaseError
    except ImportError:  # another version: its public errors are all that is known
        return (RasterioError,)
    return (RasterioError, CPLE_BaseError)


_RAISED: tuple[type[BaseException], ...] = (*raster_errors(), OSError)


def refuses_head(address: str) -> bool:
    """Return whether the server of an address is known to answer only GET."""
    return origin(address) in _without_head


def open_raster(path: str, *, driver: str | None = None) -> Any:
    """Open a rasterio dataset by a named driver, whatever the file says that it is; call it inside `rasterio_env`.

    GDAL asks for a file's size with HEAD.  Where the answer to that is a refusal, GET decides, and is used for that
    server from then on.  What failed once is asked for anew.

    Args:
        path: What `gdal_path` returned, perhaps signed; or a virtual raster made here: its XML, or its file.
            Only a local file whose name ends in ``.vrt`` may be a virtual raster of somebody else.
        driver: The only one of `IMAGERY_DRIVERS` that may open it; default: any.

    Raises:
        RasterioError, OSError: it cannot be opened (see :func:`raster_errors`), or is a pipe or device.
    """
    drivers = _drivers(path, driver)
    if not path.startswith(_CURL):
        return _open(path, drivers)
    address = path.removeprefix(_CURL)
    known = refuses_head(address)
    try:
        return _fetched(path, drivers, get_only=known)
    except _RAISED as error:
        if known or getenv().get("CPL_VSIL_CURL_USE_HEAD") == "NO" or not _is_refused(error):
            raise
    dataset = _fetched(path, drivers, get_only=True)
    _without_head.add(origin(address))
    return dataset


def _drivers(path: str, driver: str | None) -> list[str]:
    if path.startswith("<"):
        return [_VIRTUAL]
    is_virtual = path.lower().endswith(".vrt") and not path.startswith("/vsi")
    return [driver] if driver else [*IMAGERY_DRIVERS, _VIRTUAL] if is_virtual else [*IMAGERY_DRIVERS]


def _open(path: str, drivers: list[str]) -> Any:
    if not path.startswith(("/vsi", "<")):
        check_raster(path)
    if drivers == [_VIRTUAL]:
        return rasterio.open(path, driver=_VIRTUAL)
    return DatasetReader(_parse_path(path), driver=drivers)  # `rasterio.open` takes one name only


def _fetched(path: str, drivers: list[str], *, get_only: bool) -> Any:
    with rasterio.Env(**GET_ONLY if get_only else {}):
        try:
            if path in _failed:
                with rasterio.Env(CPL_VSIL_CURL_NON_CACHED=path), _open(path, drivers):
                    _failed.discard(path)
            return _open(path, drivers)
        except _RAISED:
            _failed.add(path)
            raise


def _is_refused(error: BaseException) -> bool:
    return any(_HEAD_REFUSED.search(str(each)) for each in (error, error.__cause__))
