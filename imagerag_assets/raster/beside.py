"""Masks and nodata values beside remote files (``.msk``, ``.aux.xml``).

GDAL finds what lies beside a local file.  Beside a remote one it would ask for a dozen names, so it is told not to look
(`objects.gdal`), and the two that change which pixels count are looked for here, with one request each.  Those that say
where a file is belong to `raster.place_beside`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from xml.etree import ElementTree

from rasterio.env import getenv, hasenv

from imagerag_assets.errors import RasterError, shown
from imagerag_assets.objects.addresses import is_http, is_remote, is_s3
from imagerag_assets.objects.gdal import gdal_path
from imagerag_assets.objects.opening import open_raster, raster_errors
from imagerag_assets.objects.peek import first_bytes
from imagerag_assets.objects.signed import beside, keep_beside, requested
from imagerag_assets.objects.signed_rasters import signed_path
from imagerag_assets.settings import Settings

_KEPT_S = 600.0
_MOST_KNOWN, _MOST_BYTES = 4096, 2**20
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_known: dict[tuple[str, str | None], tuple[float, bytes | None]] = {}
_lock = threading.Lock()


def beside_is_unseen(href: str) -> bool:
    """Return whether GDAL, in the environment of this moment, does not look for files beside this one."""
    if not (is_http(href) or is_s3(href)) or not hasenv():
        return False
    return getenv().get("GDAL_DISABLE_READDIR_ON_OPEN") == "EMPTY_DIR"


def mask_beside(href: str, settings: Settings) -> str | None:
    """Return the address of the mask beside a remote file; None if there is none.

    Raises:
        RasterError: the server is in trouble, so that it cannot be told.
    """
    # Some servers answer everything with a page.
    return beside(href, ".msk") if neighbour_bytes(href, ".msk", 4, settings) in _TIFF else None


def auxiliary_beside(href: str, settings: Settings) -> bytes | None:
    """Return the ``.aux.xml`` beside a remote file; None if there is none that GDAL would read.

    Raises:
        RasterError: the server is in trouble, so that it cannot be told.
    """
    text = neighbour_bytes(href, ".aux.xml", _MOST_BYTES, settings)
    return None if text is None or b"<PAMDataset" not in text[:1000] or b"<!ENTITY" in text else text


def nodata_beside(href: str, index: int, settings: Settings) -> float | None:
    """Return the nodata value that the ``.aux.xml`` beside a remote file gives for a band.

    Raises:
        RasterError: the server is in trouble, so that it cannot be told.
    """
    text = auxiliary_beside(href, settings)
    if text is None:
        return None
    try:
        root = ElementTree.fromstring(text)  # nosec B314 # expat bounds what entities grow to, and fetches nothing
        for band in root.iter("PAMRasterBand"):
            if band.get("band") == str(index) and (said := band.findtext("NoDataValue")) is not None:
                return float(said)
    except (ElementTree.ParseError, ValueError):
        return None  # GDAL passes over a damaged one, too
    return None


def check_mask_size(mask: str, size: tuple[int, int], href: str) -> bool:
    """Return whether the mask beside a file has overviews.

    Raises:
        RasterError: its size is not that of the file (width, height), or it cannot be opened.
    """
    try:
        with signed_path(gdal_path(mask), mask) as opened, open_raster(opened) as dataset:
            found, overviews = (dataset.width, dataset.height), bool(dataset.overviews(1))
    except raster_errors() as error:
        raise RasterError("the mask beside the image cannot be opened", href=href,
                          fix="Make the .msk file anew, or remove it") from error  # fmt: skip
    if found != size:
        raise RasterError(
            f"the mask beside the image has {found[0]}x{found[1]} px, the image {size[0]}x{size[1]}",
            href=href,
            fix="Make the .msk file anew, or remove it",
        )
    return overviews


def local_mask(path: str) -> str | None:
    """Return the mask beside a local file, if there is one.

    GDAL itself uses only those that say of which bands they are.
    """
    if is_remote(path) or path.startswith("/vsi"):
        return None
    mask = Path(path + ".msk")
    return str(mask) if mask.is_file() else None


def neighbour_bytes(href: str, suffix: str, count: int, settings: Settings, instead_of: str = "") -> bytes | None:
    """Return the beginning of a file's neighbour, which is asked for with the signature of the file.

    Args:
        href: Address of the file.
        suffix: What the neighbour's name has more.
        count: Number of bytes.
        settings: How it is reached.
        instead_of: The ending of the file's name in place of which the suffix stands.

    Raises:
        RasterError: the server is in trouble, so that it cannot be told.
    """
    neighbour = keep_beside(href, suffix, instead_of)
    key = (neighbour, settings.s3_endpoint_url)
    with _lock:
        known = _known.get(key)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    try:
        found = first_bytes(neighbour, count, settings)
        # A signature that ended is refused as one that holds for the file alone is.
        if found is None and requested(href) != href and first_bytes(href, 1, settings) is None:
            raise RasterError("the signature of the address is refused", href=href, fix="Ingest the scene again")
    except OSError as error:
        raise RasterError("what lies beside the image cannot be told", href=href, transient=True,
                          fix="Try again later") from shown(error)  # fmt: skip
    with _lock:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = time.monotonic() + _KEPT_S, found
    return found
