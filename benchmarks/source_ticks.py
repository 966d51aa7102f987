"""Measure how long a tick of a watched source with 20,000 items takes.

    python -m benchmarks.source_ticks [--items 20000]

The benchmark makes a folder of items (each with a file of four bytes, which is all that a tick looks at) and a static
catalog of them.  It ticks the real sensors against a real Dagster instance on SQLite until everything is requested,
then with nothing new, then with 50 new items.  Requested runs are not started.
"""

from __future__ import annotations

import argparse
import json
import os
import platform as machine
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.watched_sources.full_scan import full_scan
from imagerag_assets.watched_sources.sources import WatchedSource

_NEW = 50
_REPEATS = 5


def write_items(folder: Path, first: int, count: int) -> None:
    """Write items and their files, a thousand to a folder."""
    for number in range(first, first + count):
        place = folder / f"{number // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"item-{number:05d}.tif").write_bytes(b"II*\0")
        item: dict[str, Any] = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": f"item-{number:05d}",
            "geometry": None,
            "properties": {"datetime": "2024-05-01T00:00:00Z"},
            "links": [],
            "assets": {"visual": {"href": f"./item-{number:05d}.tif", "type": "image/tiff", "roles": ["visual"]}},
        }
        (place / f"item-{number:05d}.json").write_text(json.dumps(item), encoding="utf-8")


def write_catalog(folder: Path, count: int) -> None:
    """Write one catalog that links to every item."""
    links = [{"rel": "item", "href": f"./{number // 1000:03d}/item-{number:05d}.json"} for number in range(count)]
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": "all", "description": "all", "links": links}
    aside = folder / "catalog.aside"
    aside.write_text(json.dumps(catalog), encoding="utf-8")
    aside.replace(folder / "catalog.json")


class Ticker:
    """One sensor and its cursor."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance, name: str) -> None:
        self.repository, self.instance = defs.get_repository_def(), instance
        self.sensor, self.cursor = self.repository.get_sensor_def(f"source_{name}"), None

    def tick(self) -> tuple[float, int]:
        """Tick once; return the seconds it took and the number of requested runs."""
        context: Any = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=self.repository
        )
        started = time.perf_counter()
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            result = self.sensor.evaluate_tick(context)
        seconds = time.perf_counter() - started
        self.cursor = result.cursor  # type: ignore[assignment]
        return seconds, len(result.run_requests or ())


def measure(name: str, source: WatchedSource, settings: Settings, grow: Callable[[], None]) -> dict[str, Any]:
    """Measure one source; return its times in seconds.

    Args:
        name: What the result is called.
        source: The source to tick.
        settings: Settings of an empty installation.
        grow: Adds new items to the source.
    """
    defs = build_defs(settings=settings, sources=(source,))
    with dagster_instance(settings) as instance:
        ticker = Ticker(defs, instance, source.name)
        first: list[tuple[float, int]] = []
        while not first or first[-1][1]:
            first.append(ticker.tick())
        nothing = [ticker.tick()[0] for _ in range(_REPEATS)]
        fresh: list[float] = []
        for _ in range(_REPEATS):
            grow()
            seconds, requested = ticker.tick()
            assert requested == _NEW, requested
            fresh.append(seconds)
        started = time.perf_counter()
        with Platform(settings) as platform:
            scanned = full_scan(platform, source)
        scan = time.perf_counter() - started
        return {
            "source": name,
            "documents": scanned.listed,
            "partitions": len(instance.get_dynamic_partitions("scenes")),
            "first_tick_s": round(first[0][0], 2),
            "ticks_until_all_requested": len(first) - 1,
            "s_per_tick_while_filling": round(statistics.median(seconds for seconds, _ in first[:-1]), 2),
            "nothing_new_s": round(statistics.median(nothing), 2),
            f"{_NEW}_new_s": round(statistics.median(fresh), 2),
            "full_scan_s": round(scan, 1),
            "cursor_bytes": len(ticker.cursor or ""),
        }


def main() -> None:
    """Measure a bucket-like folder and a static catalog, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--max-new", type=int, default=1_000, help="scenes per tick while the source fills")
    options = parser.parse_args()
    results = []
    for kind in ("folder", "catalog"):
        with tempfile.TemporaryDirectory(prefix="imagerag-ticks-") as name:
            root = Path(name)
            count = options.items
            write_items(root / "source", 0, count)
            if kind == "catalog":
                write_catalog(root / "source", count)

            def grow(root: Path = root, kind: str = kind) -> None:
                nonlocal count
                write_items(root / "source", count, _NEW)
                count += _NEW
                if kind == "catalog":
                    write_catalog(root / "source", count)

            settings = load_settings(home=root / "home", _env_file=None)
            source = WatchedSource("bench", str(root / "source"), max_new=options.max_new)
            results.append(measure(kind, source, settings, grow))
    about = {"cpu_count": os.cpu_count(), "python": machine.python_version(), "items": options.items}
    print(json.dumps({"machine": about, "results": results}, indent=2))


if __name__ == "__main__":
    main()
