"""Scenes and small GeoTIFFs with known pixels, for the tests of reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine, from_origin

from imagerag_assets.stac.types import Band, Imagery, Scene

UTM = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_000_000, 10, 10)}


def scene_of(
    hrefs: Path | str | Sequence[Path | str], indexes: tuple[int, int, int] = (1, 2, 3), modality: str = "optical"
) -> Scene:
    """A scene of one file, or of three with a band each."""
    each = [hrefs] * 3 if isinstance(hrefs, Path | str) else list(hrefs)
    bands = tuple(Band(f"asset-{href}", str(href), index) for href, index in zip(each, indexes, strict=True))
    return Scene(
        scene_key="scene",
        item_id="scene",
        collection=None,
        source="test",
        item_href=None,
        version="0f",
        acquired_at=None,
        bbox=None,
        geometry=None,
        imagery=Imagery(bands, modality, tuple(dict.fromkeys(band.asset_key for band in bands))),
        cloud_cover=None,
    )


def unique_pixels(height: int, width: int) -> NDArray[np.uint8]:
    """(3, h, w) in which every pixel has a colour of its own, so that a shift by one pixel shows."""
    number = np.arange(height * width, dtype=np.uint32).reshape(height, width)
    return np.stack([number & 255, (number >> 8) & 255, (number >> 16) & 255]).astype(np.uint8)


def write_tiff(
    path: Path, pixels: NDArray[Any], *, overviews: Sequence[int] = (), block: int = 256, **profile: Any
) -> Path:
    """A tiled, deflated GeoTIFF of (bands, h, w) pixels."""
    options = {"driver": "GTiff", "tiled": True, "blockxsize": block, "blockysize": block, "compress": "deflate"} | UTM
    bands, height, width = pixels.shape
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=pixels.dtype, **options | profile
    ) as dataset:
        dataset.write(pixels)
        if overviews:
            dataset.build_overviews(list(overviews), Resampling.average)
    return path


def sparse(path: Path, width: int, height: int, **profile: Any) -> Path:
    """A GeoTIFF without any block, which takes a few bytes for each that it says it has."""
    options = {"driver": "GTiff", "dtype": "uint8", "count": 1, "tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", width=width, height=height, SPARSE_OK=True, BIGTIFF="YES", **options | profile):
        pass
    return path


def identity_grid() -> dict[str, Any]:
    """Profile of a file without georeferencing."""
    return {"crs": None, "transform": Affine.identity()}
