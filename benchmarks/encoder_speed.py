"""Compare the settings under which an encoder runs with open_clip's own float32: patches a second, and cosine.

    python -m benchmarks.encoder_speed [--encoder ViT-B-32] [--patches 32] [--settings ours-float32,compiled-float32]

`open_clip` is the model as open_clip makes it, in float32, with its tensors already in memory.  The others are ours:
`ours` is what an ingest runs; `compiled` is the same tower through `torch.compile`; bfloat16 is measured where the
processor multiplies it, and elsewhere only if it is named.  A setting is exact if no cosine to open_clip's vectors is
below .999.  Seconds are of the processor, divided by the threads; each setting takes turns, and its quickest counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.random_encoder import VIT, add_random_encoder
from benchmarks.record import describe_machine
from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder
from imagerag_assets.encoders.precision import multiplies_bfloat16
from imagerag_assets.encoders.registry import encoder_spec
from imagerag_assets.encoders.types import Vectors
from imagerag_assets.settings import load_settings

EXACT = 0.999
REFERENCE = "open_clip-float32"
SETTINGS = (REFERENCE, "ours-float32", "compiled-float32", "ours-bfloat16", "compiled-bfloat16")
Encode = Callable[[NDArray[np.uint8]], Vectors]


def measure(name: str, patches: int, settings: tuple[str, ...], *, rounds: int = 2) -> dict[str, Any]:
    """Encode the same patches under each setting.

    Args:
        name: An architecture of open_clip, with random weights, or a registry name.
        patches: How many, in one batch.
        settings: Some of `SETTINGS`; the reference is always measured.
        rounds: How often.
    """
    images = np.random.default_rng(0).integers(0, 256, (patches, 256, 256, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory(prefix="imagerag-bench-") as home:
        if name == VIT:
            add_random_encoder(Path(home), name)
        ways = {each: _way(each, name, Path(home), patches) for each in dict.fromkeys((REFERENCE, *settings))}
        vectors = {each: encode(images) for each, encode in ways.items()}  # warm, compiled
        seconds: dict[str, list[float]] = {each: [] for each in ways}
        for _ in range(rounds):
            for each, encode in ways.items():
                before = time.process_time()
                encode(images)
                seconds[each].append((time.process_time() - before) / torch.get_num_threads())
    base = min(seconds[REFERENCE])
    found = [
        {
            "setting": each,
            "milliseconds": 1000 * min(seconds[each]) / patches,
            "ratio": base / min(seconds[each]),
            "cosine": float((vectors[each] * vectors[REFERENCE]).sum(axis=1).min()),
        }
        for each in ways
    ]
    exact = [each for each in found if float(each["cosine"]) >= EXACT]  # type: ignore[arg-type]
    return {
        "model": name,
        "patches": patches,
        "threads": torch.get_num_threads(),
        "bfloat16": multiplies_bfloat16(),
        "settings": found,
        "best": max(exact, key=lambda each: float(each["ratio"])),  # type: ignore[arg-type]
        "machine": describe_machine(),
    }


def _way(setting: str, name: str, home: Path, patches: int) -> Encode:
    which, precision = setting.split("-")
    settings = load_settings(home=home, precision=precision, batch_size=patches)
    encoder = OpenClipEncoder(encoder_spec(name, settings), settings)
    if which == "ours":
        return encoder.encode_images
    model = encoder._loaded()
    if which == "compiled":
        model.visual = torch.compile(model.visual)
        return encoder.encode_images
    model.to(memory_format=torch.contiguous_format)

    def as_open_clip(images: NDArray[np.uint8]) -> Vectors:
        with torch.inference_mode():
            pixels = encoder._pixels(images, encoder.image_size).contiguous()
            found: Vectors = model.encode_image(pixels, normalize=True).numpy()
        return found

    return as_open_clip


def main() -> None:
    """Parse the command line, measure, print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=VIT, help="ViT-B-32 with random weights, or a registry name")
    parser.add_argument("--patches", type=int, default=32, help="patches in one batch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--settings", help=f"separated by commas; of {', '.join(SETTINGS)}")
    given = parser.parse_args()
    usual = tuple(each for each in SETTINGS if multiplies_bfloat16() or not each.endswith("bfloat16"))
    wanted = tuple(given.settings.split(",")) if given.settings else usual
    print(json.dumps(measure(given.encoder, given.patches, wanted, rounds=given.rounds), indent=1))


if __name__ == "__main__":
    main()
