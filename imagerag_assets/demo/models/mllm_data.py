"""Make the training data of the demo's multimodal model: overviews, two worlds of objects, and samples as text.

`cue_data.py` makes the samples, and `train_mllm.py` trains on them.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from PIL import Image

from imagerag_assets.answering.prompts import FAMILIES, build_parts
from imagerag_assets.answering.types import Prompt
from imagerag_assets.demo.models.chips import Chips
from imagerag_assets.demo.models.cue_data import Sample, World
from imagerag_assets.demo.models.mllm_folder import CONTEXT, END, IMAGE_TOKENS, START
from imagerag_assets.demo.sprites import OBJECT_CLASSES
from imagerag_assets.demo.terrain import draw_terrain, finish

_BACKGROUNDS = ("agricultural", "chaparral", "forest", "medium residential", "river", "grassland", "road", "water")
# Classes of chips to ask for, with their plurals.
CHIP_TARGETS = {
    "airplane": "airplanes",
    "baseball diamond": "baseball diamonds",
    "beach": "beaches",
    "large building": "large buildings",
    "freeway": "freeways",
    "golf course": "golf courses",
    "harbor": "harbors",
    "road intersection": "road intersections",
    "mobile home park": "mobile home parks",
    "overpass": "overpasses",
    "parking lot": "parking lots",
    "runway": "runways",
    "storage tank": "storage tanks",
    "tennis court": "tennis courts",
}
_CHIP_NAMES = {"large building": "buildings", "road intersection": "intersection"}


def draw_overviews(count: int, seed: int, workers: int = 2) -> list[np.ndarray]:
    """Draw overviews of land: uint8 RGB, with a longest side of 384 px."""
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(_draw_overview, seed), range(count), chunksize=8))


def _draw_overview(seed: int, number: int) -> np.ndarray:
    rng = np.random.default_rng((seed, 77, number))
    width, height = (int(rng.integers(1600, 2400)) for _ in range(2))
    picture = finish(draw_terrain(width, height, rng).image, rng)
    picture.thumbnail((384, 384), Image.Resampling.BOX)
    return np.asarray(picture)


def build_overviews(real: Chips, drawn: int, stitched: int, seed: int) -> tuple[list[np.ndarray], int]:
    """Draw overviews and stitch others from background chips; return both, drawn ones first, and the number drawn."""
    overviews = draw_overviews(drawn, seed)
    rng = np.random.default_rng((seed, 78))
    pool = [i for i, name in enumerate(real.names) if name in _BACKGROUNDS]
    for _ in range(stitched):
        rows, columns = (int(v) for v in rng.integers(14, 26, 2))
        cells = real.images[rng.choice(pool, rows * columns)][:, 7::16, 7::16]
        grid = cells.reshape(rows, columns, 16, 16, 3).transpose(0, 2, 1, 3, 4)
        overviews.append(np.ascontiguousarray(grid.reshape(rows * 16, columns * 16, 3)))
    return overviews, drawn


def build_worlds(real: Chips, drawn: Chips, drawn_overviews: int, overviews: int) -> tuple[World, World]:
    """Build the world of drawn objects and the world of chip mosaics; picture indices count the real chips first."""

    def where(chips: Chips, name: str, finer: str | None, offset: int) -> np.ndarray:
        keep = [i for i, n in enumerate(chips.names) if n == name and (finer is None or chips.finer[i] == finer)]
        return np.asarray(keep) + offset

    objects = OBJECT_CLASSES.values()
    first = World(
        {c.name: c.plural for c in objects},
        {c.name: c.colours for c in objects},
        {
            (c.name, k): where(drawn, c.name, f"{k} {c.name}" if k else None, len(real))
            for c in objects
            for k in (c.colours or (None,))
        },
        np.concatenate([where(drawn, name, None, len(real)) for name in _BACKGROUNDS if name in drawn.names]),
        np.arange(drawn_overviews),
    )
    second = World(
        CHIP_TARGETS,
        {},
        {(name, None): where(real, _CHIP_NAMES.get(name, name), None, 0) for name in CHIP_TARGETS},
        np.concatenate([where(real, name, None, 0) for name in _BACKGROUNDS if name in real.names]),
        np.arange(drawn_overviews, overviews),
    )
    return first, second


def render(one: Sample, images: bool, overview_tokens: int) -> str:
    """Return the text of a sample as the processor would make it, with its image tokens in place."""
    overview = Image.new("RGB", (1, 1)) if one.overview is not None else None
    prompt = Prompt(one.question, one.choices, overview, one.views(), one.found)
    parts = build_parts(prompt, FAMILIES["internvl"], in_words=True)
    counts = iter([*([overview_tokens] if overview else []), *[IMAGE_TOKENS] * len(one.cues)])
    text = "".join(
        p if isinstance(p, str) else f"{START}{CONTEXT * (next(counts) if images else 0)}{END}" for p in parts
    )
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
