"""A small STAC source on disk: a catalog with items of tiny GeoTIFFs, written with pystac."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

PX = 300


def write_source(folder: Path, names: Sequence[str] = ("one", "two"), *, px: int = PX, seed: int = 0) -> Path:
    """Write `catalog.json` and an item and a GeoTIFF for each name; returns the catalog's path."""
    catalog = pystac.Catalog("small", "Small scenes")
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        raster = write_raster(folder / f"{name}.tif", px=px, seed=seed + number)
        with rasterio.open(raster) as dataset:
            bbox = list(transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds))
        item = pystac.Item(
            name,
            geometry={"type": "Point", "coordinates": bbox[:2]},
            bbox=bbox,
            datetime=datetime(2024, 5, 1 + number, tzinfo=UTC),
            properties={},
        )
        asset = pystac.Asset(f"../{name}.tif", media_type=pystac.MediaType.COG, roles=["data"])
        item.add_asset("image", asset)
        catalog.add_item(item)
    catalog.normalize_hrefs(str(folder))
    catalog.save(pystac.CatalogType.SELF_CONTAINED)
    return folder / "catalog.json"


def write_raster(path: Path, *, px: int = PX, seed: int = 0, at: int | None = None) -> Path:
    """A uint8 RGB GeoTIFF of smooth random colours, `at` (default: `seed`) kilometres along."""
    coarse = np.random.default_rng(seed).integers(0, 255, (3, px // 20 + 1, px // 20 + 1), dtype=np.uint8)
    pixels = coarse.repeat(20, axis=1).repeat(20, axis=2)[:, :px, :px]
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "crs": "EPSG:32631"}
    transform = from_origin(450_000 + 1_000 * (seed if at is None else at), 5_300_000, 1, 1)
    with rasterio.open(
        path, "w", count=3, height=px, width=px, dtype="uint8", transform=transform, **profile
    ) as dataset:
        dataset.write(pixels)
    return path
