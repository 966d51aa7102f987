"""Ingest many small scenes one by one, and compare the first ones with the last ones.

    python -m benchmarks.small_scenes [--scenes 500] [--milvus http://127.0.0.1:19530] [--through functions|runs]

Each scene has 20 patches (600 x 600 px) and is a file of its own.  The encoder is a real one that costs next to
nothing, so what is timed is everything else.  `functions` calls `ingest_scene`, as the Python interface does; `runs`
starts a Dagster run for each scene, as `imagerag ingest` does.  Some scenes are ingested before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ingest_large import processor_seconds
from benchmarks.make_repeated_scene import make_repeated_scene
from benchmarks.random_encoder import CHEAP, add_random_encoder
from benchmarks.record import describe_machine
from imagerag_assets.errors import InputError
from imagerag_assets.ingestion.ingest import SceneResult, ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

_SIDE_PX = 600
_WARM = 5


def measure(scenes: int, *, milvus: str | None = None, through: str = "functions", edge: int = 50) -> dict[str, Any]:
    """Ingest scenes into a fresh home.

    Args:
        scenes: How many are timed.
        milvus: Address of a server; None: Milvus Lite.
        through: ``functions`` or ``runs``.
        edge: How many count as the first and the last ones.
    """
    with tempfile.TemporaryDirectory(prefix="imagerag-bench-") as folder:
        home, source = Path(folder) / "home", Path(folder) / "scenes"
        home.mkdir()
        add_random_encoder(home)
        _write(source, scenes + _WARM)
        settings = load_settings(home=home, store=None, milvus_uri=milvus, encoder=CHEAP, dask_scheduler=None)
        found = [each for each in find_scenes(str(source), settings) if not isinstance(each, FailedItem)]
        with Platform(settings) as platform, _taking(platform, through) as take:
            encoder = platform.encoder
            wall, processor, patches = [], [], 0
            for number, scene in enumerate(found):
                started, before = time.perf_counter(), processor_seconds()
                result = take(scene)
                if result.status != "ingested":
                    raise InputError(f"The scene was not ingested: {result}", scene=scene.scene_key)
                if number >= _WARM:
                    wall.append(time.perf_counter() - started)
                    processor.append(processor_seconds() - before)
                    patches = result.patches
            images = np.zeros((patches, settings.patch_px, settings.patch_px, 3), np.uint8)
            encoder.encode_images(images)
            before = time.process_time()
            for _ in range(10):
                encoder.encode_images(images)
            encoding = (time.process_time() - before) / 10
    edge = min(edge, len(wall) // 2)
    return {
        "scenes": scenes,
        "patches_each": patches,
        "through": through,
        "milvus": "server" if milvus else "lite",
        "first": _summary(wall[:edge], processor[:edge]),
        "last": _summary(wall[-edge:], processor[-edge:]),
        "ratio": statistics.median(wall[-edge:]) / statistics.median(wall[:edge]),
        "processor_ratio": sum(processor[-edge:]) / sum(processor[:edge]),
        "encoding_seconds": encoding,
        "fixed_seconds": statistics.median(wall[:edge]) - encoding,
        "fixed_processor_seconds": sum(processor[:edge]) / edge - encoding,
        "machine": describe_machine(),
    }


def _summary(wall: list[float], processor: list[float]) -> dict[str, float]:
    return {
        "scenes": len(wall),
        "median_seconds": statistics.median(wall),
        "mean_seconds": statistics.mean(wall),
        "least_seconds": min(wall),
        "mean_processor_seconds": statistics.mean(processor),
    }


@contextmanager
def _taking(platform: Platform, through: str) -> Iterator[Callable[[Scene], SceneResult]]:
    if through == "functions":
        yield lambda scene: ingest_scene(platform, scene)
        return
    with open_runner(platform.settings, platform=platform) as runner:
        yield runner.ingest


def _write(folder: Path, count: int) -> None:
    """Write `count` items, each with a raster of its own, which are names of one file."""
    first = make_repeated_scene(folder, _SIDE_PX)
    item, raster = json.loads(first.read_text(encoding="utf-8")), first.with_suffix(".tif")
    for number in range(1, count):
        name = f"small-{number:04d}"
        (folder / f"{name}.tif").hardlink_to(raster)
        item["id"] = name
        (asset,) = item["assets"].values()
        asset["href"] = f"./{name}.tif"
        (folder / f"{name}.json").write_text(json.dumps(item), encoding="utf-8")


def main() -> None:
    """Parse the command line, measure, print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=500, help="how many are timed")
    parser.add_argument("--milvus", help="address of a Milvus server; default: Milvus Lite")
    parser.add_argument("--through", choices=("functions", "runs"), default="functions")
    parser.add_argument("--edge", type=int, default=50, help="how many count as the first and as the last ones")
    given = parser.parse_args()
    print(json.dumps(measure(given.scenes, milvus=given.milvus, through=given.through, edge=given.edge), indent=1))


if __name__ == "__main__":
    main()
