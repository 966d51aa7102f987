"""The place of a remote file by what lies beside it: world files, ``.aux.xml`` and rational polynomials (RPCs).

GDAL is told not to look beside remote files (see `raster.beside`).  Where such a file has no place of its own, its
neighbours are fetched, one request each, and laid beside an empty picture of its size, which GDAL then reads by its own
rules.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.aside import temporary_folder
from imagerag_assets.raster.beside import auxiliary_beside, beside_is_unseen, neighbour_bytes
from imagerag_assets.settings import Settings

_MOST_BYTES = 2**16
_RPC_NAMES = ("_RPC.TXT", "_rpc.txt", ".RPB", ".rpb")
_RPC_WORDS = (b"LINE_OFF", b"lineOffset")
_BLOCK = 4096


@contextmanager
def placed_by_neighbours(dataset: Any, href: str, settings: Settings) -> Iterator[Any]:
    """Give a dataset that has the place of an open one: itself, or one with what lies beside the file.

    Raises:
        RasterError: the server is in trouble, so that it cannot be told.
    """
    found = {} if _has_place(dataset) or not beside_is_unseen(href) else _neighbours(href, settings)
    if not found:
        yield dataset
        return
    with temporary_folder("beside") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = Path(folder) / "image.tif"
        size = {"width": dataset.width, "height": dataset.height, "count": 1, "dtype": "uint8"}
        blocks = {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "SPARSE_OK": True, "BIGTIFF": "IF_SAFER"}
        own = {"crs": dataset.crs} | ({} if dataset.transform.is_identity else {"transform": dataset.transform})
        with rasterio.open(path, "w", driver="GTiff", **size, **blocks, **own):
            pass
        for suffix, content in found.items():
            (Path(folder) / f"image{suffix}").write_bytes(content)
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"), rasterio.open(path, driver="GTiff") as empty:
            yield empty


def _has_place(dataset: Any) -> bool:
    points, crs = dataset.gcps
    return (
        (dataset.crs is not None and not dataset.transform.is_identity)
        or bool(points and crs)
        or bool(dataset.tags(ns="RPC"))
    )


def _neighbours(href: str, settings: Settings) -> dict[str, bytes]:
    """Return what lies beside a file and says where it is, by the suffix of the names that GDAL knows of a GeoTIFF."""
    found: dict[str, bytes] = {}
    name = (urlsplit(href).path if is_http(href) else href).rpartition("/")[2]
    dot, ending = name.rpartition(".")[1:]
    if (auxiliary := auxiliary_beside(href, settings)) is not None:
        found[".tif.aux.xml"] = auxiliary
    if not dot or not ending:
        return found
    short = f"{ending[0]}{ending[-1]}{'W' if ending.isupper() else 'w'}"
    for world in (f".{short}", f".{ending}w", ".wld"):
        content = neighbour_bytes(href, world, _MOST_BYTES, settings, instead_of=dot + ending)
        if content is not None and _is_world_file(content):
            return found | {".tfw": content}
    for suffix in _RPC_NAMES:
        content = neighbour_bytes(href, suffix, _MOST_BYTES, settings, instead_of=dot + ending)
        if content is not None and any(word in content for word in _RPC_WORDS):
            return found | {suffix: content}
    return found


def _is_world_file(content: bytes) -> bool:
    """Return whether a text is the six numbers of a world file; some servers answer everything with a page."""
    try:
        return len([float(word) for word in content.decode("ascii").split()]) == 6
    except ValueError:
        return False
