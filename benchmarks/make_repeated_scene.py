"""Write a Cloud Optimized GeoTIFF of any size in seconds: the compressed blocks of one texture, again and again.

    python -m benchmarks.make_repeated_scene FOLDER --size 100000

The picture repeats every 8,192 px, and so do its overviews, which are averages.  A block is stored once and named many
times, so the file is small, and whoever reads the picture decodes as many blocks as of any other file of its size.
What it does not show is the time of a disk: the file fits into the system's cache.
"""

from __future__ import annotations

import argparse
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.make_scene import CRS_CODE, NORTH, RESOLUTION_M, WEST, make_texture, stac_item

_BLOCK = 512
_PERIOD = 8192
_QUALITY = 85
_SHORT, _LONG, _DOUBLE, _LONG8 = 3, 4, 12, 16
_FORMATS = {_SHORT: "H", _LONG: "I", _DOUBLE: "d", _LONG8: "Q"}


def make_repeated_scene(folder: Path, size: int, *, seed: int = 0, period: int = _PERIOD) -> Path:
    """Write ``repeated-SIZE.tif`` and ``repeated-SIZE.json`` into `folder`, unless they exist.

    Args:
        folder: Where to write; created if missing.
        size: Width and height in pixels.
        seed: Seed of the texture.
        period: After how many pixels it repeats: a power of two.

    Returns:
        The path of the STAC item.
    """
    folder.mkdir(parents=True, exist_ok=True)
    raster, item = folder / f"repeated-{size}.tif", folder / f"repeated-{size}.json"
    if not raster.exists():
        aside = raster.with_suffix(".tmp")
        _write(aside, size, _pools(size, seed, period))
        aside.replace(raster)
    if not item.exists():
        stac_item(raster, size).save_object(include_self_link=False, dest_href=str(item))
    return item


def _pools(size: int, seed: int, period: int) -> list[list[list[bytes]]]:
    """Return the compressed blocks of each level, by row and column of one period."""
    pixels = make_texture(period, seed)
    pools = []
    while True:
        reach = max(1, -(-_BLOCK // len(pixels)))
        whole = np.tile(pixels, (reach, reach, 1))
        starts = range(0, len(whole), _BLOCK)
        pools.append([[_jpeg(whole[y : y + _BLOCK, x : x + _BLOCK]) for x in starts] for y in starts])
        if size <= _BLOCK or len(pixels) == 1:
            return pools
        size = -(-size // 2)
        half = pixels.reshape(len(pixels) // 2, 2, len(pixels) // 2, 2, 3).mean(axis=(1, 3))
        pixels = (half + 0.5).astype(np.uint8)


def _jpeg(block: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(block).save(out, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return out.getvalue()


def _write(path: Path, size: int, pools: list[list[list[bytes]]]) -> None:
    """Write a BigTIFF: the directories of all levels, then each block once."""
    sides = [-(-size // 2**level) for level in range(len(pools))]
    directories = [_tags(side, level, [], []) for level, side in enumerate(sides)]
    start = 16 + sum(_directory_bytes(tags) for tags in directories)
    places: list[NDArray[Any]] = []
    lengths: list[NDArray[Any]] = []
    for pool in pools:
        sizes = np.array([[len(block) for block in row] for row in pool])
        places.append(start + np.concatenate([[0], sizes.ravel().cumsum()[:-1]]).reshape(sizes.shape))
        lengths.append(sizes)
        start += int(sizes.sum())
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
        at = 16
        for level, side in enumerate(sides):
            period = len(places[level])
            index = np.arange(-(-side // _BLOCK)) % period
            named = np.ix_(index, index)
            tags = _tags(side, level, places[level][named].ravel().tolist(), lengths[level][named].ravel().tolist())
            following = at + _directory_bytes(tags)
            file.write(_directory(tags, at, following if level + 1 < len(sides) else 0))
            at = following
        for pool in pools:
            for row in pool:
                file.writelines(row)


def _tags(side: int, level: int, offsets: list[int], lengths: list[int]) -> list[tuple[int, int, list[Any]]]:
    """Return the tags of one level: number, type and values; offsets and lengths may be filled in later."""
    blocks = (-(-side // _BLOCK)) ** 2
    tags: list[tuple[int, int, list[Any]]] = [
        (254, _LONG, [1 if level else 0]),  # a reduced picture
        (256, _LONG, [side]),
        (257, _LONG, [side]),
        (258, _SHORT, [8, 8, 8]),
        (259, _SHORT, [7]),  # JPEG
        (262, _SHORT, [6]),  # YCbCr
        (277, _SHORT, [3]),
        (284, _SHORT, [1]),  # bands of a pixel together
        (322, _LONG, [_BLOCK]),
        (323, _LONG, [_BLOCK]),
        (324, _LONG8, offsets or [0] * blocks),
        (325, _LONG, lengths or [0] * blocks),
        (530, _SHORT, [2, 2]),
    ]
    if level == 0:
        tags += [
            (33550, _DOUBLE, [RESOLUTION_M, RESOLUTION_M, 0.0]),
            (33922, _DOUBLE, [0.0, 0.0, 0.0, WEST, NORTH, 0.0]),
            (34735, _SHORT, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, CRS_CODE]),
        ]
    return tags


def _directory_bytes(tags: list[tuple[int, int, list[Any]]]) -> int:
    return 16 + 20 * len(tags) + sum(_padded(_packed(kind, values)) for _, kind, values in tags)


def _packed(kind: int, values: list[Any]) -> bytes:
    return struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)


def _padded(data: bytes) -> int:
    return 0 if len(data) <= 8 else -(-len(data) // 8) * 8


def _directory(tags: list[tuple[int, int, list[Any]]], at: int, following: int) -> bytes:
    """Return a directory at a place of the file, with the place of the next one, and its values behind it."""
    head, values = struct.pack("<Q", len(tags)), b""
    behind = at + 16 + 20 * len(tags)
    for number, kind, given in tags:
        data = _packed(kind, given)
        if len(data) <= 8:
            where = data.ljust(8, b"\0")
        else:
            where = struct.pack("<Q", behind + len(values))
            values += data.ljust(_padded(data), b"\0")
        head += struct.pack("<HHQ", number, kind, len(given)) + where
    return head + struct.pack("<Q", following) + values


def main() -> None:
    """Run the command: write the scene and print the path of its item."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=100_000, help="width and height, px")
    arguments = parser.parse_args()
    print(make_repeated_scene(arguments.folder, arguments.size))


if __name__ == "__main__":
    main()
