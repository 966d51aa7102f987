"""Small scenes for tests: GeoTIFFs of random texture and STAC items that name them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene

ACQUIRED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 0.5, 0.5)}


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (3, h, w) that differs everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 230, (3, height // 40 + 1, width // 40 + 1), dtype=np.uint8)
    return coarse.repeat(40, axis=1).repeat(40, axis=2)[:, :height, :width] ^ rng.integers(
        0, 16, (3, height, width), dtype=np.uint8
    )


def write_tiff(path: Path, pixels: NDArray[Any], **profile: Any) -> Path:
    """A tiled GeoTIFF of (bands, h, w) pixels."""
    bands, height, width = pixels.shape
    options = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"} | PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=pixels.dtype, **options | profile
    ) as file:
        file.write(pixels)
    return path


def write_item(item_path: Path, href: str, *, raster: Path | None = None, item_id: str = "", **properties: Any) -> Path:
    """A STAC item with one visual asset; its bbox is that of `raster`, where that can be opened.

    Args:
        item_path: Where to write; its stem is the id unless `item_id` is given.
        href: Of the asset, as it is to stand in the item.
        raster: The file, for the bbox.
        item_id: Id of the item.
        properties: Further properties; ``_`` stands for ``:`` in ``eo_cloud_cover``.
    """
    bbox = [14.0, 47.0, 15.0, 48.0]
    if raster is not None:
        with rasterio.open(raster) as file:
            if file.crs is not None:
                bbox = list(transform_bounds(file.crs, "EPSG:4326", *file.bounds))
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = pystac.Item(
        id=item_id or item_path.stem,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=bbox,
        datetime=ACQUIRED,
        properties={name.replace("eo_", "eo:"): value for name, value in properties.items()},
    )
    item.add_asset("visual", pystac.Asset(href, media_type=pystac.MediaType.COG, roles=["visual"]))
    item_path.parent.mkdir(parents=True, exist_ok=True)
    item.save_object(include_self_link=False, dest_href=str(item_path))
    return item_path


def write_scene(folder: Path, name: str, pixels: NDArray[Any], *, profile: dict[str, Any] | None = None,
                **properties: Any) -> Path:  # fmt: skip
    """A GeoTIFF and its item; the value is the item's path."""
    raster = write_tiff(folder / f"{name}.tif", pixels, **profile or {})
    return write_item(folder / f"{name}.json", f"./{name}.tif", raster=raster, **properties)


def scene_at(item: Path | str, settings: Settings) -> Scene:
    """The one scene of an item."""
    (scene,) = find_scenes(str(item), settings)
    assert isinstance(scene, Scene), scene
    return scene
