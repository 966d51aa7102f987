"""Datasets that stay open from one window to the next, each for one thread of one process.

A reader names its own, here and in the process that reads for it, and closes them by that name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.objects.gdal import forget, rasterio_env
from imagerag_assets.objects.patience import patiently
from imagerag_assets.objects.signed import requested
from imagerag_assets.raster.files import RasterFile, open_file, read
from imagerag_assets.settings import Settings

T = TypeVar("T")
_open: dict[str, dict[tuple[int, str, str], Any]] = {}
_lock = threading.Lock()


def in_environment(settings: Settings, hrefs: Sequence[str], act: Callable[[], T]) -> T:
    """Return what a function reads inside the rasterio environment of some addresses; the first is what it reads.

    Where the network or the server fails, it is called again: see `objects.patience`.
    """
    href = hrefs[0]

    def within() -> T:
        with rasterio_env(settings, hrefs):
            return act()

    def forget_all() -> None:
        _close(href)
        with rasterio_env(settings, hrefs):
            forget(href, settings)

    return patiently(href, settings, within, forget_all)


def _close(href: str) -> None:
    """Close what is open of a file for this thread."""
    here = threading.get_ident()
    with _lock:
        found = [(kept, key) for kept in _open.values() for key in kept if key[:2] == (here, href)]
        datasets = [kept.pop(key) for kept, key in found]
    for dataset in datasets:
        dataset.close()


def read_window(
    owner: str, file: RasterFile, window: tuple[float, float, float, float], shape: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a window of a file, which stays open; see :func:`imagerag_assets.raster.files.read`.

    Args:
        owner: Name of what the file stays open for.
        file: The file.
        window: x0, y0, x1, y1 in its pixels.
        shape: (h, w) of the result.

    Raises:
        RasterError: it cannot be opened or read.
    """
    # Signed anew, it is opened anew.
    key = threading.get_ident(), file.href, f"{requested(file.href)}\n{file.path}\n{file.onto}"
    with _lock:
        dataset = _open.setdefault(owner, {}).get(key)
    if dataset is None:
        dataset = open_file(file)
        with _lock:
            _open.setdefault(owner, {})[key] = dataset
    return read(dataset, file, window, shape)


def close_handles(owner: str) -> None:
    """Close what is open for an owner, for all threads of this process."""
    with _lock:
        datasets = _open.pop(owner, {})
    for dataset in datasets.values():
        dataset.close()
