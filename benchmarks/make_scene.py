"""Write a large Cloud Optimized GeoTIFF of synthetic texture, and its STAC item, with little memory.

    python -m benchmarks.make_scene FOLDER --size 30000

The picture only has to be costly to decode and different everywhere: noise and rectangles on smooth gradients.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from rich.console import Console
from rich.progress import track

_CELL_PX = 2048  # written at once: 12 MiB
CRS_CODE, RESOLUTION_M, WEST, NORTH = 32633, 0.5, 500_000.0, 5_300_000.0
_CRS = f"EPSG:{CRS_CODE}"
_GDAL_CACHE_BYTES = 128 * 2**20


def make_scene(folder: Path, size: int, *, seed: int = 0) -> Path:
    """Write ``scene-SIZE.tif`` and ``scene-SIZE.json`` into `folder`, unless they exist.

    Args:
        folder: Where to write; created if missing.
        size: Width and height in pixels.
        seed: Seed of the texture.

    Returns:
        The path of the STAC item.
    """
    folder.mkdir(parents=True, exist_ok=True)
    raster, item = folder / f"scene-{size}.tif", folder / f"scene-{size}.json"
    if not raster.exists():
        plain, aside = raster.with_suffix(".plain.tmp"), raster.with_suffix(".tmp")
        with rasterio.Env(GDAL_CACHEMAX=_GDAL_CACHE_BYTES, GDAL_NUM_THREADS="ALL_CPUS"):
            _write_plain(plain, size, seed)
            options = {"COMPRESS": "JPEG", "QUALITY": 85, "BLOCKSIZE": 512, "OVERVIEWS": "IGNORE_EXISTING",
                       "RESAMPLING": "AVERAGE", "BIGTIFF": "IF_SAFER"}  # fmt: skip
            rasterio.shutil.copy(plain, aside, driver="COG", **options)
        plain.unlink()
        aside.replace(raster)
    if not item.exists():
        aside = item.with_suffix(".json.tmp")
        stac_item(raster, size).save_object(include_self_link=False, dest_href=str(aside))
        aside.replace(item)
    return item


def _write_plain(path: Path, size: int, seed: int) -> None:
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8", "crs": _CRS,
               "transform": from_origin(WEST, NORTH, RESOLUTION_M, RESOLUTION_M), "tiled": True, "blockxsize": 512,
               "blockysize": 512, "compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": 95,
               "bigtiff": "if_safer"}  # fmt: skip
    noise = _noise(seed)
    with rasterio.open(path, "w", **profile) as target:
        for y in track(
            range(0, size, _CELL_PX), description=f"Writing {size} x {size} px", console=Console(stderr=True)
        ):
            for x in range(0, size, _CELL_PX):
                height, width = min(_CELL_PX, size - y), min(_CELL_PX, size - x)
                pixels = _texture(noise, np.random.default_rng((seed, y, x)))[:height, :width]
                target.write(np.moveaxis(pixels, 2, 0), window=Window(x, y, width, height))


def make_texture(size: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return the pixels of a scene in memory: uint8 (size, size, 3)."""
    pixels, noise = np.empty((size, size, 3), np.uint8), _noise(seed)
    for y in range(0, size, _CELL_PX):
        for x in range(0, size, _CELL_PX):
            cell = pixels[y : y + _CELL_PX, x : x + _CELL_PX]
            cell[:] = _texture(noise, np.random.default_rng((seed, y, x)))[: cell.shape[0], : cell.shape[1]]
    return pixels


def _noise(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 18, (_CELL_PX, _CELL_PX, 1)).astype(np.float32)


def _texture(noise: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return blurred colours, noise shifted at random and a hundred rectangles: uint8 (_CELL_PX, _CELL_PX, 3)."""
    colours = Image.fromarray(rng.integers(30, 220, (24, 24, 3), dtype=np.uint8))
    base = np.asarray(colours.resize((_CELL_PX, _CELL_PX), Image.Resampling.BICUBIC), np.float32)
    pixels = base + np.roll(noise, tuple(rng.integers(0, _CELL_PX, 2)), axis=(0, 1))
    for _ in range(100):
        (y, x), (h, w) = rng.integers(0, _CELL_PX - 128, 2), rng.integers(8, 128, 2)
        pixels[y : y + h, x : x + w] += rng.uniform(-90, 90, 3)
    return pixels.clip(0, 255).astype(np.uint8)


def stac_item(raster: Path, size: int) -> pystac.Item:
    """Return the item of a scene of `size` x `size` px beside its raster."""
    side = size * RESOLUTION_M
    west, south, east, north = transform_bounds(_CRS, "EPSG:4326", WEST, NORTH - side, WEST + side, NORTH)
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = pystac.Item(
        id=f"benchmark-{size}",
        geometry={"type": "Polygon", "coordinates": [corners]},
        bbox=[west, south, east, north],
        datetime=datetime(2024, 6, 1, tzinfo=UTC),
        properties={},
    )
    item.add_asset("visual", pystac.Asset(f"./{raster.name}", media_type=pystac.MediaType.COG, roles=["visual"]))
    return item


def main() -> None:
    """Run the command: write the scene and print the path of its item."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=30_000, help="width and height, px")
    arguments = parser.parse_args()
    print(make_scene(arguments.folder, arguments.size))


if __name__ == "__main__":
    main()
