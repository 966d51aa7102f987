"""Measure questions against a collection of many patches in a Milvus server, and what its index misses.

    python -m benchmarks.speed_server --rows 1000000
    python -m benchmarks.speed_server --rows 50000 --lite

The rows are not of imagery: unit vectors of the demo encoder's length that lie in clusters, half of them around the
texts that are asked for.  They are written by our own stores, in scenes of 20,000, and asked by our own retrieval, from
phrases to cues, without a second look.  A server is started for it, unless one is named; with --lite the rows go to a
Milvus Lite file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.speed import keep, percentiles, timed
from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, target_of
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Search
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter
from imagerag_assets.stores.shard_columns import patch_table
from tests.milvus_server import serve_milvus

_OF_SCENE, _AT_ONCE, _CLUSTERS, _NOISE, _TRUE = 20_000, 10_000, 500, 0.9, 10
Floats = NDArray[np.float32]


def vectors(rng: np.random.Generator, middles: Floats, count: int) -> Floats:
    """Return unit vectors around the middles of clusters, float32 (count, dim); the noise is nearly as long as they."""
    dim = middles.shape[1]
    drawn = middles[rng.integers(0, len(middles), count)]
    drawn = drawn + _NOISE / np.sqrt(dim) * rng.standard_normal((count, dim), dtype=np.float32)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def batches(rows: int, middles: Floats) -> Iterator[tuple[pa.Table, Floats]]:
    """Yield rows of patches, and their vectors again."""
    rng = np.random.default_rng(18)
    for start in range(0, rows, _AT_ONCE):
        number = np.arange(start, min(start + _AT_ONCE, rows))
        scene, own = number // _OF_SCENE, number % _OF_SCENE
        row, col = own // 200, own % 200
        made = vectors(rng, middles, len(number))
        names = [f"made-{each:04d}" for each in scene]
        columns = {
            "patch_id": [_id(each) for each in number.tolist()],
            "scene_key": names,
            "acquired_at": np.full(len(number), 1_700_000_000_000),
            "level": np.zeros(len(number), np.int8),
            "row": row.astype(np.int32),
            "col": col.astype(np.int32),
            "x0": (col * 64).astype(np.int32),
            "y0": (row * 64).astype(np.int32),
            "x1": (col * 64 + 128).astype(np.int32),
            "y1": (row * 64 + 128).astype(np.int32),
            "valid_fraction": np.ones(len(number), np.float32),
            "modality": ["optical"] * len(number),
        }
        yield patch_table(columns, made), made


def measure(platform: Platform, rows: int, tries: int) -> dict[str, Any]:
    """Fill a new collection and ask."""
    encoder, target = platform.encoder, target_of(platform)
    texts = encoder.encode_texts(list(CHIP_CLASSES.values()))
    rng = np.random.default_rng(1)
    middles = np.concatenate([texts, rng.standard_normal((_CLUSTERS, encoder.dim), dtype=np.float32)])
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    store = platform.vectors
    collection = store.ensure_patches(target.fingerprint, encoder.dim, target.recipe)
    every: list[Floats] = []

    def filled() -> None:
        for table, made in batches(rows, middles):
            store.upsert(collection, [table])
            every.append(made)
            print(f"{sum(map(len, every)):,} rows", flush=True)

    written_s, _ = timed(filled)
    indexed_s, kind = timed(lambda: store.build_index(collection))
    store.point_alias(ALIAS, collection)
    _settled(platform, collection)
    known = np.concatenate(every)
    every.clear()
    calibration = load_calibration(platform.store, target.fingerprint, target.recipe.division_key)
    figures: dict[str, Any] = {
        "rows": rows, "dim": encoder.dim, "index": kind, "write_s": written_s, "index_s": indexed_s,
    }  # fmt: skip
    phrases = list(CHIP_CLASSES.values())
    one = min(3, rows // _OF_SCENE - 1)
    for name, where in (("all", EVERYTHING), ("one scene", Filter().scene_in([f"made-{one:04d}"]))):
        search = Search(calibration=calibration, where=where, collection=collection, path="fast")
        seconds = []
        for number in range(tries + 1):
            asked = Analysis("?", (phrases[number % len(phrases)],), "position", wants_all=False)
            took, _ = timed(lambda asked=asked, search=search: retrieve(platform, asked, search))  # type: ignore[misc]
            seconds.append(took)
        lo, hi = (0, rows) if where is EVERYTHING else (one * _OF_SCENE, (one + 1) * _OF_SCENE)
        recall, brute_ms = _recall(platform, collection, texts, known[lo:hi], lo, where)
        figures[name] = percentiles(seconds[1:]) | {"recall": recall, "brute_p50_ms": brute_ms}
    return figures


def _settled(platform: Platform, collection: str) -> None:
    """Wait until the server has indexed what was written: its own work beside would be timed."""
    client = platform.vectors.client
    for _ in range(720):
        state = client.describe_index(collection, client.list_indexes(collection)[0])
        if not state or int(state.get("pending_index_rows", 0)) == 0:
            return
        time.sleep(5)


def _recall(
    platform: Platform, collection: str, texts: Floats, known: Floats, first: int, where: Filter
) -> tuple[float, float]:
    """Return the share of the 10 nearest rows that a question's search finds, and how long a brute search takes."""
    right, took = 0, []
    for text in texts:
        found = platform.vectors.search(collection, text[None], condition=where, limit=128)[0][:_TRUE]
        seconds, order = timed(lambda text=text: np.argpartition(-(known @ text), _TRUE)[:_TRUE])  # type: ignore[misc]
        took.append(seconds)
        names = {_id(each) for each in (order + first).tolist()}
        right += sum(hit.id in names for hit in found)
    return right / (_TRUE * len(texts)), float(np.median(took) * 1000)


def _id(number: int) -> str:
    scene, own = divmod(number, _OF_SCENE)
    return f"made-{scene:04d}:pyramid:0:{own // 200}:{own % 200}"


def main() -> None:
    """Read the options, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tries", type=int, default=100, help="questions of each kind")
    parser.add_argument("--milvus", help="URL of a server without our collections; default: one is started")
    parser.add_argument("--lite", action="store_true", help="a Milvus Lite file instead of a server")
    given = parser.parse_args()
    started = time.perf_counter()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="imagerag-bench-")))
        url = None if given.lite else given.milvus or opened.enter_context(serve_milvus(folder / "milvus"))
        settings = load_settings(home=folder / "home", store=None, milvus_uri=url)
        platform = opened.enter_context(Platform(settings))
        figures = measure(platform, given.rows, given.tries)
        version = platform.vectors.back_end.version
    data = [f"{given.rows:,} made vectors of {figures['dim']} in scenes of {_OF_SCENE:,}"]
    data.append(f"Milvus {'Lite' if given.lite else 'server'} {version[0]}.{version[1]}, index {figures['index']}")
    table = "speed_lite" if given.lite else "speed_server"
    keep(table, figures, data=data, seconds=time.perf_counter() - started, module="speed_server")


if __name__ == "__main__":
    main()
