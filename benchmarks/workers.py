"""Embed one scene on one worker and on two, in turn, and compare the throughput.

    python -m benchmarks.workers --size 10000 --rounds 3

Starts a dask.distributed scheduler and two workers on this machine, each a process with one thread and a folder of
its own, and an S3 server for the imagery and the parts, so that the workers share nothing else.  Each round embeds the
scene with one worker and with two; the figure is patches a second from the first super-tile to the stored shard, with
encoders loaded and imagery in the cache of files.  A worker reads and encodes in turn, so each uses one thread.
The exit status is 1 if two workers do less than 1.7 times what one does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.make_scene import make_scene
from benchmarks.record import describe_machine_now, machine_in_words
from imagerag_assets.ingestion.ingest import embed, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.shards import list_shards
from tests.programs import end
from tests.s3 import serve_s3

TARGET = 1.7
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1"}
_BUCKET = "bench"


@contextmanager
def _process(
    log: Path, environment: dict[str, str], folder: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
        try:
            yield process
        finally:
            end(process)


@contextmanager
def _worker(folder: Path, name: str, scheduler: str, environment: dict[str, str]) -> Iterator[None]:
    own = environment | _ONE_THREAD | {"IMAGERAG_HOME": str(folder / name / "home")}
    command = ("-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1", "--no-nanny", "--name", name)
    with _process(folder / f"{name}.log", own, folder / name, *command, "--no-dashboard"):
        yield


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """Return the address that a scheduler writes into a file once it listens."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and scheduler.poll() is None:
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError):
            time.sleep(0.05)
    raise SystemExit("The scheduler did not start")


def _wait_for(client: Any, workers: int) -> None:
    deadline = time.monotonic() + 300
    while len(client.nthreads()) != workers:
        if time.monotonic() > deadline:
            raise SystemExit(f"There are {len(client.nthreads())} workers, not {workers}")
        time.sleep(0.05)


def _rate(settings: Settings, scene: str) -> float:
    """Return patches a second of one embedding, whose shard is deleted again."""
    with Platform(settings) as platform:
        made = embed(platform, scene, keep_overviews=True)
        for ref in list_shards(platform.store, scene_key=scene):
            platform.store.delete(ref.path)
    return made.patches / made.seconds


def measure(item: Path, encoder: str, rounds: int) -> dict[str, Any]:
    """Embed the scene of `item` in rounds; return the rates with one and with two workers."""
    import distributed

    untyped: Any = distributed
    with tempfile.TemporaryDirectory(prefix="imagerag-workers-") as scratch:
        folder = Path(scratch)
        incoming = folder / "buckets" / _BUCKET / "incoming"
        incoming.mkdir(parents=True)
        for file in (item, item.with_suffix(".tif")):
            try:
                os.link(file, incoming / file.name)
            except OSError:  # another file system
                shutil.copyfile(file, incoming / file.name)
        with serve_s3(folder / "buckets", folder / "rclone.log") as s3:
            os.environ.update(s3.environment())
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            listening = folder / "scheduler.json"
            command = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
            said = ("--scheduler-file", str(listening))
            with _process(folder / "scheduler.log", environment, folder / "scheduler", *command, *said) as process:
                address = _address(listening, process)
                settings = load_settings(
                    home=folder / "home", store=f"s3://{_BUCKET}/imagerag", encoder=encoder, dask_scheduler=address
                )
                (found,) = find_scenes(f"s3://{_BUCKET}/incoming/{item.name}", settings)
                assert isinstance(found, Scene), found
                with Platform(settings) as platform:
                    register(platform, found)
                rates: dict[int, list[float]] = {1: [], 2: []}
                with untyped.Client(address, set_as_default=False) as client:
                    for number in range(rounds):
                        # Workers of this round, both with everything loaded before a clock runs.
                        with _worker(folder, f"{number}-a", address, environment):
                            _wait_for(client, 1)
                            _rate(settings, found.scene_key)
                            rates[1].append(_rate(settings, found.scene_key))
                            with _worker(folder, f"{number}-b", address, environment):
                                _wait_for(client, 2)
                                _rate(settings, found.scene_key)
                                rates[2].append(_rate(settings, found.scene_key))
                        _wait_for(client, 0)
    each = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    ratio = statistics.median(each)
    return {
        "encoder": encoder,
        "rounds": rounds,
        "patches_per_second": {"one": rates[1], "two": rates[2]},
        "ratios": each,
        "ratio": ratio,
        "target": TARGET,
        "reached": ratio >= TARGET,
        "machine": describe_machine_now(),
    }


def report(result: dict[str, Any]) -> Table:
    """Return the result as a table for a person."""
    table = Table(title="One worker and two, one thread each", show_header=False)
    for name, rates in result["patches_per_second"].items():
        table.add_row(f"{name}: patches a second", ", ".join(f"{rate:,.1f}" for rate in rates))
    table.add_row("Two against one", ", ".join(f"{each:.2f}" for each in result["ratios"]))
    verdict = "reached" if result["reached"] else "NOT reached"
    table.add_row("Median", f"{result['ratio']:.2f} (target {result['target']}: {verdict})")
    table.add_row("Encoder", result["encoder"])
    table.add_row("Machine", machine_in_words(result["machine"]))
    return table


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000, help="width and height of the scene, px")
    parser.add_argument("--rounds", type=int, default=3, help="times that both are measured")
    parser.add_argument("--folder", type=Path, default=Path(".imagerag/bench"), help="where the scene is kept")
    parser.add_argument("--encoder", default="demo", help="registry name")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending what was started
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)
    result = measure(make_scene(arguments.folder, arguments.size), arguments.encoder, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
    else:
        Console().print(report(result))
    return 0 if result["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
