"""Ingest one very large scene in its own process, and measure peak memory, patches per second, and the encoder alone.

    python -m benchmarks.ingest_large --size 30000
    python -m benchmarks.ingest_large --size 100000 --repeated --encoder cheap

The scene is written once and kept; everything else goes to a temporary folder. Memory is the peak of the process and
its children together, minus what they held once the encoder was loaded. The exit status is 1 if it exceeds the limit.
With `--encoder cheap` or an architecture such as ViT-B-32, the model is a real one with random weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.make_repeated_scene import make_repeated_scene
from benchmarks.make_scene import make_scene
from benchmarks.random_encoder import CHEAP, VIT, add_random_encoder
from benchmarks.record import describe_machine_now, machine_in_words
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.ingestion.ingest import embed, index, ingest_scene, patch_table, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem

LIMIT_MIB = 2048
_MIB = 2**20
# Seldom enough not to slow down what is timed; the kernel keeps the exact peak of the process itself.
_SAMPLE_SECONDS = 0.25
_PATCHES_AT_ONCE = 256


class Memory:
    """Watch the resident memory of this process and its children together, in bytes."""

    def __init__(self) -> None:
        self.loaded = sum(_resident().values())
        self.peak = self.loaded
        self.step = ""
        """What is being done."""
        self.steps: dict[str, int] = {}
        """The peak of each step."""
        self.parts: dict[str, int] = {}
        """Who held how much at the peak: this process, those that read rasters, and Milvus."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of loading
            self._own_peak = True
        except OSError:
            self._own_peak = False
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; `peak` is then final."""
        self._stop.set()
        self._thread.join()
        if self._own_peak:
            # The kernel's own peak misses no moment, but leaves out children.
            lines = Path("/proc/self/status").read_text().splitlines()
            (high,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
            self.peak = max(self.peak, high)

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            parts = _resident()
            total = sum(parts.values())
            self.steps[self.step] = max(total, self.steps.get(self.step, 0))
            if total > self.peak:
                self.peak, self.parts = total, parts


def _resident() -> dict[str, int]:
    process = psutil.Process()
    parts = {"own": int(process.memory_info().rss)}
    for child in process.children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            what = "readers" if "isolation.worker" in command else "milvus" if "milvus" in command else "others"
            parts[what] = parts.get(what, 0) + int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return parts


def measure(
    item: Path,
    encoder: str | None,
    encoder_patches: int | None,
    *,
    milvus: str | None = None,
    warm: Path | None = None,
    supertiles: int | None = None,
) -> dict[str, Any]:
    """Ingest the scene of `item` into a fresh home; call this in a process that does nothing else."""
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        memory.step = step
        started, before = time.perf_counter(), processor_seconds()
        yield
        seconds[step], processor[step] = time.perf_counter() - started, processor_seconds() - before

    with tempfile.TemporaryDirectory(prefix="imagerag-bench-") as home:
        if encoder in (CHEAP, VIT):
            add_random_encoder(Path(home), encoder)
        chosen = {"encoder": encoder} if encoder else {}
        settings = load_settings(home=Path(home), store=None, milvus_uri=milvus, dask_scheduler=None, **chosen)
        with Platform(settings) as platform, Progress(console=Console(stderr=True)) as bar:
            model = platform.encoder
            memory = Memory()
            if warm is not None:
                _ingest_whole(platform, warm)
            task = bar.add_task("ingesting", total=None)
            with timed("register"):
                (scene,) = find_scenes(str(item), settings)
                if isinstance(scene, FailedItem):
                    raise scene.error
                record = register(platform, scene)
            with timed("divide"):
                patch_table(platform, scene.scene_key)
            made = supertiles_of = 0

            def embedding(done: int, total: int, what: str) -> None:
                nonlocal made, supertiles_of
                made, supertiles_of = done, total
                bar.update(task, completed=done, total=total, description=what)
                if supertiles is not None and done >= supertiles:
                    raise _EnoughError

            with timed("embed"), suppress(_EnoughError):
                embed(platform, scene.scene_key, progress=embedding)
            if supertiles is None or made < supertiles:
                with timed("index"):
                    rows = index(platform, scene.scene_key).rows
            else:
                rows = _rows_of_parts(Path(home))
            memory.stop()
            bar.update(task, description="encoder alone", total=None)
            patches = min(rows, encoder_patches or rows)
            alone, alone_processor = (
                each * rows / patches for each in _encoder_seconds(model, settings.patch_px, patches)
            )
    whole, whole_processor = sum(seconds.values()), sum(processor.values())
    beyond = (memory.peak - memory.loaded) / _MIB
    return {
        "scene": {"width": record.grid.width, "height": record.grid.height},
        "encoder": {"name": model.name, "fingerprint": model.fingerprint, "batch_size": settings.batch_size},
        "patches": rows,
        "supertiles": {"read": made, "of": supertiles_of},
        "seconds": {**seconds, "total": whole},
        "processor_seconds": {**processor, "total": whole_processor},
        "patches_per_second": rows / whole,
        "patches_per_processor_second": rows / whole_processor,
        "encoder_only": {
            "seconds": alone,
            "processor_seconds": alone_processor,
            "patches_per_second": rows / alone,
            "measured_on": patches,
        },
        "ratio": whole / alone,
        "processor_ratio": whole_processor / alone_processor,
        "warm": warm is not None,
        "memory_mib": {
            "loaded": memory.loaded / _MIB,
            "peak": memory.peak / _MIB,
            "beyond_loaded": beyond,
            "limit": LIMIT_MIB,
            "steps": {step: peak / _MIB for step, peak in memory.steps.items()},
            "at_peak": {who: held / _MIB for who, held in memory.parts.items()},
        },
        "within_limit": beyond < LIMIT_MIB,
        "machine": describe_machine_now(),
    }


def processor_seconds() -> float:
    """Return the seconds of the processor that this process and its living children have taken.

    On a machine with other work they say more than the clock: a ratio of them is that of the clock on one idle core,
    with nothing done side by side.
    """
    process = psutil.Process()
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _ingest_whole(platform: Platform, item: Path) -> None:
    """Ingest a scene, so that all processes are started and all libraries imported."""
    (scene,) = find_scenes(str(item), platform.settings)
    result = ingest_scene(platform, scene) if not isinstance(scene, FailedItem) else scene
    if isinstance(result, FailedItem) or result.status != "ingested":
        raise InputError(f"The first scene was not ingested: {result}")


def _rows_of_parts(home: Path) -> int:
    return sum(pq.read_metadata(part).num_rows for part in (home / "scratch" / "embed").rglob("[0-9]*.parquet"))


class _EnoughError(Exception):
    """So many super-tiles were embedded as were asked for."""


def _encoder_seconds(encoder: Encoder, side: int, patches: int) -> tuple[float, float]:
    """Return the seconds, and those of the processor, to encode this many patches, which are already in memory."""
    images = np.random.default_rng(0).integers(0, 256, (_PATCHES_AT_ONCE, side, side, 3), dtype=np.uint8)
    encoder.encode_images(images[:64])  # warm
    started, before = time.perf_counter(), time.process_time()
    for start in range(0, patches, _PATCHES_AT_ONCE):
        encoder.encode_images(images[: min(_PATCHES_AT_ONCE, patches - start)])
    return time.perf_counter() - started, time.process_time() - before


def report(result: dict[str, Any]) -> Table:
    """Return the result as a table for a person."""
    scene, memory, seconds = result["scene"], result["memory_mib"], result["seconds"]
    table = Table(title=f"Ingest of {scene['width']} x {scene['height']} px", show_header=False)
    verdict = "within" if result["within_limit"] else "ABOVE"
    table.add_row("Peak memory beyond the loaded encoder",
                  f"{memory['beyond_loaded']:,.0f} MiB ({verdict} {memory['limit']:,} MiB)")  # fmt: skip
    table.add_row("Loaded encoder / peak", f"{memory['loaded']:,.0f} / {memory['peak']:,.0f} MiB")
    table.add_row("Patches", f"{result['patches']:,}")
    table.add_row("Whole ingest", f"{seconds['total']:,.1f} s, {result['patches_per_second']:,.1f} patches/s")
    table.add_row("Steps", ", ".join(f"{step} {took:,.1f} s" for step, took in seconds.items() if step != "total"))
    alone = result["encoder_only"]
    table.add_row("Encoder alone", f"{alone['seconds']:,.1f} s, {alone['patches_per_second']:,.1f} patches/s "
                                   f"(measured on {alone['measured_on']:,})")  # fmt: skip
    ratios = f"{result['ratio']:.2f} by the clock, {result['processor_ratio']:.3f} in seconds of the processor"
    table.add_row("Whole ingest / encoder alone", ratios)
    table.add_row("Encoder", f"{result['encoder']['name']}, batches of {result['encoder']['batch_size']}")
    table.add_row("Machine", machine_in_words(result["machine"]))
    return table


def main() -> int:
    """Parse the command line, measure in a sub-process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=30_000, help="width and height of the scene, px")
    parser.add_argument("--folder", type=Path, default=Path(".imagerag/bench"), help="where the scene is kept")
    parser.add_argument("--repeated", action="store_true", help="a scene of the same blocks again and again")
    parser.add_argument("--encoder", help="registry name, cheap, or ViT-B-32; default: the active one")
    parser.add_argument("--warm", type=Path, help="item of a small scene to ingest first: everything is loaded then")
    parser.add_argument("--supertiles", type=int, help="stop after so many: no shard, no index")
    parser.add_argument("--milvus", help="address of a Milvus server; default: Milvus Lite")
    parser.add_argument(
        "--encoder-patches", type=int, default=4096, help="patches to time the encoder alone with; 0: all"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        try:
            found = measure(
                arguments.measure,
                arguments.encoder,
                arguments.encoder_patches or None,
                milvus=arguments.milvus,
                warm=arguments.warm,
                supertiles=arguments.supertiles,
            )
            print(json.dumps(found))
        except ImageRAGError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        return 0
    item = (make_repeated_scene if arguments.repeated else make_scene)(arguments.folder, arguments.size)
    command = [sys.executable, "-m", "benchmarks.ingest_large", "--measure", str(item)]
    command += ["--encoder-patches", str(arguments.encoder_patches)]
    command += ["--encoder", arguments.encoder] if arguments.encoder else []
    command += ["--warm", str(arguments.warm)] if arguments.warm else []
    command += [] if arguments.supertiles is None else ["--supertiles", str(arguments.supertiles)]
    command += ["--milvus", arguments.milvus] if arguments.milvus else []
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        return finished.returncode
    result = json.loads(finished.stdout.strip().splitlines()[-1])
    if arguments.json:
        print(json.dumps(result))
    else:
        Console().print(report(result))
    return 0 if result["within_limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
