"""Measure the published retrieval on a scene that it has not seen, against our question to an indexed scene.

    python -m benchmarks.speed_paper --work DIR

The published one cuts and embeds the scene at each question; ours searches vectors that are there.  Both run in one
process with the encoder loaded, from phrases to cues.  Besides, the time in which the encoder takes 100 patches.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.make_mosaic import make_mosaics
from benchmarks.mosaics import SAMPLES, ingest
from benchmarks.speed import keep, percentiles, timed
from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.retrieval.paper import PaperSearch, retrieve_paper
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Search
from imagerag_assets.settings import load_settings

_SEED, _PATCHES = 9002, 100


def measure(platform: Platform, tries: int) -> dict[str, Any]:
    """Ask for kinds of things, by our retrieval with and without a second look and by the published one."""
    serving = find_serving(platform)
    assert serving is not None
    own, target = serving.platform, serving.target
    calibration = load_calibration(own.store, target.fingerprint, target.recipe.division_key)
    names = list(CHIP_CLASSES.values())
    asked = [Analysis("?", (name,), "position", wants_all=False) for name in names]
    figures: dict[str, Any] = {}
    images = np.random.default_rng(0).integers(0, 256, (_PATCHES, 224, 224, 3), dtype=np.uint8)
    own.encoder.encode_images(images[:8])  # warm
    with Viewer(own) as viewer:
        for name, look in (("without second look", None), ("with second look", viewer)):
            search = Search(calibration=calibration, collection=serving.collection, path="fast", look=look)
            retrieve(own, asked[-1], search)  # warm
            every = [timed(lambda each=each, search=search: retrieve(own, each, search)) for each in asked[:tries]]  # type: ignore[misc]
            figures[name] = percentiles([seconds for seconds, _ in every])
            figures[f"cues, {name}"] = sum(len(found.cues) for _, found in every)
            figures[f"100 patches, {name}"] = percentiles([timed(lambda: own.encoder.encode_images(images))[0]])
    for shard in own.store.list("embeddings"):
        if "/cc" in shard:
            own.store.delete(shard)
    paper = PaperSearch(division="cc", collection=serving.collection, path="fast")
    seconds, found = timed(lambda: retrieve_paper(own, asked[0], paper))
    figures["paper, cold"] = percentiles([seconds])
    figures["paper, notes"] = list(found.notes)
    figures["paper, again"] = percentiles([timed(lambda: retrieve_paper(own, asked[0], paper))[0]])
    return figures


def main() -> None:
    """Read the options, measure, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=lambda text: Path(text).absolute(), default=Path(".imagerag/speed").absolute())
    parser.add_argument("--cells", type=int, default=10, help="cells of 256 px a side of the scene")
    parser.add_argument("--tries", type=int, default=10)
    given = parser.parse_args()
    started, catalog = time.perf_counter(), given.work / "mosaic" / "catalog.json"
    if not catalog.exists():
        make_mosaics(SAMPLES, given.work / "mosaic", rows=given.cells, cols=given.cells, seed=_SEED)
    settings = load_settings(home=given.work / "home")
    ingest(settings, catalog)
    with Platform(settings) as platform:
        figures = measure(platform, given.tries)
    side = given.cells * 256
    data = [
        f"a mosaic of {side:,} x {side:,} px, Milvus Lite; the published division `cc` makes 661 patches of any scene"
    ]
    keep("speed_paper", figures, data=data, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
