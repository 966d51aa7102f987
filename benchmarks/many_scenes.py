"""Run many scenes of metadata through sensor, partitions, ledger, full scan and status, and show how each one grows.

    python -m benchmarks.many_scenes --sizes 1000,10000,100000

Real code, and no pixels: items in a static catalog, a record of each scene that is a copy of one real record, and an
empty object in the place of each second shard.  Times are of the processor, so that other work on the machine counts
for little.  A figure is linear if its exponent, log of the ratio of times over log of the ratio of sizes, is about 1.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.source_ticks import Ticker, write_catalog, write_items
from benchmarks.speed import keep
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.status import status
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.scenes.records import list_records
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.shards import ShardKey
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.sources import WatchedSource
from tests.items import scene_at, texture, write_scene

_NEW, _REPEATS = 50, 3


def _cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def measure(root: Path, count: int, max_new: int) -> dict[str, float]:
    """Return the seconds of the processor that each part took for this number of scenes."""
    write_items(root / "source", 0, count)
    write_catalog(root / "source", count)
    settings = load_settings(home=root / "home", _env_file=None)
    source = WatchedSource("bench", str(root / "source" / "catalog.json"), max_new=max_new)
    figures: dict[str, float] = {}
    with dagster_instance(settings) as instance, Platform(settings) as platform:
        ticker = Ticker(build_defs(settings=settings, sources=(source,)), instance, source.name)
        ticks: list[float] = []
        requested = 1
        while requested:
            seconds, (_, requested) = _cpu(ticker.tick)
            ticks.append(seconds)
        figures["all ticks until every scene is requested"] = sum(ticks[:-1])
        figures["tick with nothing new"] = min([ticks[-1], *(_cpu(ticker.tick)[0] for _ in range(_REPEATS))])
        write_items(root / "source", count, _NEW)
        write_catalog(root / "source", count + _NEW)
        figures[f"tick with {_NEW} new"] = _cpu(ticker.tick)[0]
        figures["full scan"] = _cpu(lambda: full_scan(platform, source))[0]
        figures["listing of partitions"] = _cpu(lambda: instance.get_dynamic_partitions("scenes"))[0]
        _register(platform, root, count)
        figures["list of scenes"] = _cpu(lambda: list_records(platform))[0]
        took, said = _cpu(lambda: status(platform))
        assert said["scenes"] == count, said["scenes"]
        assert abs(said["stale"] - count / 2) <= 1, said["stale"]
        figures["status"] = took
    figures["ledger, bytes"] = sum(
        each.stat().st_size for each in (root / "home" / "objects" / "acquisitions").rglob("*") if each.is_file()
    )
    return figures


def _register(platform: Platform, root: Path, count: int) -> None:
    """Store a record of each scene, and the place of each second shard."""
    scene = scene_at(write_scene(root / "one", "template", texture(128, 128)), platform.settings)
    record = register(platform, scene)
    kept = root / "home" / "objects" / "scenes" / scene.scene_key / "record.json"
    text = kept.read_text(encoding="utf-8")
    fingerprint, division = platform.fingerprint, platform.recipe.key
    for number in range(count - 1):
        key = f"made-{number:06d}"
        place = kept.parents[1] / key / kept.name
        place.parent.mkdir(parents=True)
        place.write_text(text.replace(json.dumps(scene.scene_key), json.dumps(key)), encoding="utf-8")
        if number % 2:
            path = root / "home" / "objects" / ShardKey(key, division, fingerprint, record.scene.version).path
            path.parent.mkdir(parents=True)
            path.touch()


def exponents(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Return how a figure grows between the last two sizes: 1 is linear; None: too short to say."""
    if len(sizes) < 2 or min(seconds[-2:]) <= 0:
        return None
    return math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])


def main() -> None:
    """Read the options, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of scenes, separated by commas")
    parser.add_argument("--max-new", type=int, default=1_000, help="scenes that a tick requests at most")
    given = parser.parse_args()
    started, sizes = time.perf_counter(), [int(each) for each in given.sizes.split(",")]
    found: dict[int, dict[str, float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="imagerag-many-") as folder:
            found[size] = measure(Path(folder), size, given.max_new)
        print(size, json.dumps(found[size]), flush=True)
    rows = {
        name: {"values": [found[size][name] for size in sizes],
               "exponent": exponents(sizes, [found[size][name] for size in sizes])}
        for name in found[sizes[0]]
    }  # fmt: skip
    data = [f"items without pixels in one static catalog, {given.max_new:,} new ones a tick at most, SQLite"]
    keep("many_scenes", {"sizes": sizes, "rows": rows}, data=data, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
