"""Which files are rasters by their name, and the id of the item that is made of one."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

import pystac

from imagerag_assets.objects.addresses import is_http, is_remote

_GEOTIFF, _JP2 = str(pystac.MediaType.GEOTIFF), str(pystac.MediaType.JPEG2000)
_PNG, _JPEG = str(pystac.MediaType.PNG), str(pystac.MediaType.JPEG)
_MEDIA_TYPES = {
    ".tif": _GEOTIFF, ".tiff": _GEOTIFF, ".jp2": _JP2, ".j2k": _JP2, ".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG,
}  # fmt: skip
_DRIVERS = {_GEOTIFF: "GTiff", _JP2: "JP2OpenJPEG", _PNG: "PNG", _JPEG: "JPEG"}
_READABLE = 80
_DIGEST_LENGTH = 12


def is_raster(href: str) -> bool:
    """Return whether a path or address names a raster file; hidden files do not count."""
    name = file_name(href)
    return not name.startswith(".") and _suffix(name) in _MEDIA_TYPES


def media_type(href: str) -> str:
    """Return the media type that the suffix of a raster file stands for."""
    return _MEDIA_TYPES[_suffix(file_name(href))]


def driver(href: str) -> str:
    """Return the GDAL driver that may open a raster file: what calls itself .tif may be a list of other files."""
    return _DRIVERS[media_type(href)]


def file_name(href: str) -> str:
    """Return the name of a file without its folders, and without the query of a web address."""
    path = unquote(urlsplit(href).path) if is_http(href) else href
    return path.rstrip("/").rsplit("/", 1)[-1]


def item_id(href: str) -> str:
    """Return the id of the item of a file: its name, and a digest of the whole address.

    One address has one id and two addresses have two, wherever the listing began.  The query of a web address, which
    may hold a signature, does not count.
    """
    place = href.split("?", 1)[0] if is_http(href) else href
    return made_id(file_name(href), place if is_remote(place) else f"file://{place}")


def made_id(name: str, identity: str) -> str:
    """Return a readable name and twelve hex digits of a sha256 over `identity`; it is a valid scene key."""
    stem = name[: -len(_suffix(name))] if _suffix(name) in _MEDIA_TYPES else name
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-")[:_READABLE]
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{readable or 'file'}-{digest}"


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""
