"""Time reading and cutting all levels of a COG, as an ingest does, against reading each of its blocks once, aligned.

    python -m benchmarks.reading [--size 15000]

One thread in one process for both.  The blocks are those of the picture and of its overviews; the ratio to the
picture's own blocks alone is printed beside it.  The seconds are of the processor, which other work on the machine
moves less than the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from benchmarks.make_repeated_scene import make_repeated_scene
from benchmarks.record import describe_machine
from imagerag_assets.ingestion.cutting import batches_of
from imagerag_assets.ingestion.embedding import strip_of
from imagerag_assets.objects.gdal import rasterio_env
from imagerag_assets.patches.divisions import division
from imagerag_assets.patches.supertiles import supertiles
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

_READ_PX = 3584


def measure(item: Path, *, rounds: int = 2) -> dict[str, Any]:
    """Time both, in turns; the quickest round of each counts.

    Args:
        item: The STAC item of a COG of three bands.
        rounds: How often.
    """
    settings = load_settings(read_apart=False)
    (scene,) = find_scenes(str(item), settings)
    if isinstance(scene, FailedItem):
        raise scene.error
    href = scene.imagery.bands[0].href
    ours, whole, native = [], [], []
    for _ in range(rounds):
        ours.append(_seconds(lambda: _read_and_cut(scene, settings)))
        native.append(_seconds(lambda: _blocks(href, settings, 0)))
        with rasterio.open(href) as dataset:
            levels = len(dataset.overviews(1))
        rest = [_seconds(lambda level=level: _blocks(href, settings, level)) for level in range(1, levels + 1)]  # type: ignore[misc]
        whole.append(native[-1] + sum(rest))
    with rasterio.open(href) as dataset:
        size = {"width": dataset.width, "height": dataset.height}
    return {
        "scene": size,
        "seconds": {"ours": min(ours), "blocks": min(whole), "blocks_of_the_picture": min(native)},
        "ratio": min(ours) / min(whole),
        "ratio_to_the_picture": min(ours) / min(native),
        "rounds": rounds,
        "machine": describe_machine(),
    }


def _seconds(act: Callable[[], object]) -> float:
    """Return the seconds of the processor that a call takes in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    act()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _read_and_cut(scene: Scene, settings: Settings) -> int:
    """Read all super-tiles of a scene and copy all patches, a batch for the encoder at a time; count the patches."""
    count = 0
    with SceneReader(scene, settings) as reader:
        grid = reader.grid
        scene_px = (grid.width, grid.height)
        strip = strip_of(settings.supertile_px, reader.render)
        for tile in supertiles(division("pyramid"), *scene_px, settings.supertile_px, strip=strip):
            picture, _ = reader.read(tile.window, tile.level)
            for _, images in batches_of(picture, tile, np.arange(len(tile.patches)), scene_px):
                count += len(images)
    return count


def _blocks(href: str, settings: Settings, level: int) -> None:
    """Read one level of a file, whole blocks only, each once."""
    chosen = {"overview_level": level - 1} if level else {}
    with rasterio_env(settings, [href]), rasterio.open(href, **chosen) as dataset:
        for y in range(0, dataset.height, _READ_PX):
            for x in range(0, dataset.width, _READ_PX):
                width, height = min(_READ_PX, dataset.width - x), min(_READ_PX, dataset.height - y)
                dataset.read(window=Window(x, y, width, height))


def main() -> None:
    """Parse the command line, measure, print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=15_000, help="width and height of the scene, px")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed")
    parser.add_argument("--folder", type=Path, default=Path(".imagerag/bench"), help="where the scene is kept")
    arguments = parser.parse_args()
    started = time.perf_counter()
    found = measure(make_repeated_scene(arguments.folder, arguments.size), rounds=arguments.rounds)
    print(json.dumps(found | {"took": round(time.perf_counter() - started, 1)}, indent=1))


if __name__ == "__main__":
    main()
