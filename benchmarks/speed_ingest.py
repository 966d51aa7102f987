"""Measure what an ingest costs, and keep it for docs/results.md: memory, rates, and ratios to the encoder alone.

    python -m benchmarks.speed_ingest [--only reading,demo] [--given demo=FILE]... [--commit HASH]

Each part is a command of its own, which prints one JSON document; `--given` takes such a document instead of running
the command, and parts that are neither run nor given keep the figures that they had.  The result is
`benchmarks/results/speed-ingest.json`; `make docs` makes the table from it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, ROOT, current_commit, known_commit, make_record, write_json
from imagerag_assets.errors import ImageRAGError, InputError

TABLE = "speed-ingest"
_LARGE = "benchmarks.ingest_large --json --repeated"
PARTS = {
    "memory-10000": f"{_LARGE} --size 10000 --encoder cheap --supertiles 12",
    "memory-30000": f"{_LARGE} --size 30000 --encoder cheap --supertiles 12",
    "memory-100000": f"{_LARGE} --size 100000 --encoder cheap --supertiles 12",
    "whole-10000": f"{_LARGE} --size 10000 --encoder cheap",
    "whole-30000": f"{_LARGE} --size 30000 --encoder cheap",
    "vit": f"{_LARGE} --size 1500 --encoder ViT-B-32 --encoder-patches 64 --warm SMALL",
    "demo": f"{_LARGE} --size 2000 --encoder demo --encoder-patches 192 --warm SMALL",
    "reading": "benchmarks.reading --size 15000 --rounds 2",
    "encoder": "benchmarks.encoder_speed",
    "scenes-lite": "benchmarks.small_scenes --scenes 500",
    "scenes-server": "benchmarks.small_scenes --scenes 500 --milvus http://127.0.0.1:19530",
    "fixed": "benchmarks.small_scenes --scenes 12 --edge 6",
    "fixed-runs": "benchmarks.small_scenes --scenes 6 --edge 3 --through runs",
}
"""The command of each part, without `python -m`."""
_FIXED_PX = 600

Found = Mapping[str, Mapping[str, Any]]


def rows_of(found: Found) -> list[dict[str, Any]]:
    """Return the rows of the table, as far as their parts were measured."""
    rows: list[dict[str, Any]] = []

    def row(figure: str, target: float, sign: str, parts: tuple[str, ...], value: float, of: str) -> None:
        if all(part in found for part in parts):
            met = value <= target if sign == "<=" else value >= target
            commands = [f"python -m {PARTS[part]}" for part in parts]
            about = {"figure": figure, "sign": sign, "target": target, "value": value, "met": met}
            rows.append(about | {"of": of, "commands": commands})

    def get(name: str, *path: str) -> Any:
        """Return a value of a part's document; 0 if it was not measured."""
        value: Any = found.get(name, {})
        for key in path:
            value = value.get(key, {})
        return value or 0

    sizes = {size: float(get(f"memory-{size}", "memory_mib", "beyond_loaded")) for size in (10_000, 30_000, 100_000)}
    read, whole = (get("memory-100000", "supertiles", key) for key in ("read", "of"))
    row(
        "peak memory beyond the loaded models, 100,000 x 100,000 px, MiB",
        *(2048, "<=", ("memory-100000",), sizes[100_000]),
        f"the first {read} of {whole} super-tiles and the whole patch table, with an encoder of nearly no cost; no "
        "shard and no index",
    )
    row(
        "the same: the most of 10,000, 30,000 and 100,000 px over the least",
        *(1.2, "<=", tuple(f"memory-{size}" for size in sizes), max(sizes.values()) / (min(sizes.values()) or 1)),
        ", ".join(f"{each:.0f} MiB" for each in sizes.values()),
    )
    rates = [get(f"whole-{size}", "patches_per_processor_second") for size in (10_000, 30_000)]
    row(
        "patches a second, 30,000 px over 10,000 px",
        *(0.95, ">=", ("whole-10000", "whole-30000"), rates[1] / (rates[0] or 1)),
        "whole ingests with an encoder of nearly no cost, Milvus Lite; seconds of the processor",
    )
    for name, called, target in (("vit", "ViT-B-32", 1.10), ("demo", "the demo encoder", 1.25)):
        row(
            f"ingest over the encoder alone, {called}",
            *(target, "<=", (name,), get(name, "processor_ratio")),
            f"{get(name, 'patches')} patches, warm; seconds of the processor; by the clock {get(name, 'ratio'):.2f}",
        )
    row(
        "reading and cutting all levels over reading the file's blocks once",
        *(1.4, "<=", ("reading",), get("reading", "ratio")),
        f"{get('reading', 'scene', 'width')} px, the least of {get('reading', 'rounds')} rounds; over the picture's "
        f"blocks alone {get('reading', 'ratio_to_the_picture'):.2f}",
    )
    multiplies = "bf16 in hardware" if get("encoder", "bfloat16") else "this processor does not multiply bf16"
    row(
        "encoder, best exact setting over open_clip's float32, patches a second",
        *(2.5, ">=", ("encoder",), get("encoder", "best", "ratio")),
        f"{get('encoder', 'model')}: {get('encoder', 'best', 'setting')}, least cosine "
        f"{get('encoder', 'best', 'cosine'):.5f}; {multiplies}",
    )
    for where in ("lite", "server"):
        name = f"scenes-{where}"
        row(
            f"{get(name, 'scenes')} small scenes, Milvus {where}: seconds of the last over the first ones",
            *(1.1, "<=", (name,), get(name, "processor_ratio")),
            f"{get(name, 'first', 'scenes')} scenes each; seconds of the processor, of all processes; medians by the "
            f"clock {get(name, 'ratio'):.2f}",
        )
    for name, called in (("fixed", "function"), ("fixed-runs", "Dagster run")):
        row(
            f"fixed cost of one small scene, one {called} each, warm, s",
            *(0.3, "<=", (name,), get(name, "fixed_processor_seconds")),
            f"{get(name, 'patches_each')} patches; seconds of the processor, of all processes; by the clock "
            f"{get(name, 'fixed_seconds'):.2f}",
        )
    return rows


def _run(name: str) -> dict[str, Any]:
    command = PARTS[name]
    if "SMALL" in command:
        from benchmarks.make_repeated_scene import make_repeated_scene

        command = command.replace("SMALL", str(make_repeated_scene(Path(".imagerag/bench"), _FIXED_PX)))
    print(f"python -m {command}", file=sys.stderr)
    done = subprocess.run([sys.executable, "-m", *shlex.split(command)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        raise InputError(f"The part {name} printed no JSON document (exit status {done.returncode})") from None


def main() -> int:
    """Parse the command line, run or read the parts, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"parts to run, separated by commas; default: all of {', '.join(PARTS)}")
    parser.add_argument("--given", action="append", default=[], metavar="PART=FILE", help="what a part printed")
    parser.add_argument("--commit", help="commit that was measured; default: the present one, without changes")
    given = parser.parse_args()
    file = RESULTS / f"{TABLE}.json"
    try:
        commit = known_commit(given.commit) if given.commit else current_commit()
        before = json.loads(file.read_text(encoding="utf-8"))["data"]["parts"] if file.exists() else {}
        pairs = [each.partition("=")[::2] for each in given.given]
        fresh = {name: json.loads(Path(path).read_text(encoding="utf-8")) for name, path in pairs}
        wanted = given.only.split(",") if given.only else [] if fresh else list(PARTS)
        if unknown := sorted({*wanted, *fresh} - set(PARTS)):
            raise InputError(f"There is no part {', '.join(unknown)}", fix=f"Use {', '.join(PARTS)}")
        fresh |= {name: _run(name) for name in wanted}
    except ImageRAGError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    parts = {name: each for name, each in {**before, **fresh}.items() if name in PARTS}
    record = make_record(
        TABLE,
        {"rows": rows_of(parts)},
        commit=commit,
        command="python -m benchmarks.speed_ingest",
        data={"other": ["scenes of one texture, repeated (`benchmarks/make_repeated_scene.py`)"], "parts": parts},
        seconds=None,
    )
    write_json(file, record)
    print(json.dumps(record["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
