"""Measure which words an encoder tells from others, on chips whose class is known, and write the table that ships.

    python -m imagerag_assets.demo.models.measure_words --encoder demo --chips DIR --split train \
        --out imagerag_assets/weights/recognition/encoder-demo.json

With a twin of the encoder that has not seen the chips (--by), they are measured as they are.

For each word that is true of a class of chips: the area under the ROC curve (AUC) of its similarity to those chips
against its similarity to all chips that it is not true of, and its offset (`word_offsets.py`).  Words come from
`retrieval/things.toml`.  Classes without real chips are measured on drawn ones.  What reads the table is
`retrieval/measured_words.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from imagerag_assets.demo.models.chips import Chips, draw_chips, load_chips
from imagerag_assets.demo.models.word_offsets import offsets
from imagerag_assets.encoders.registry import encoder_fingerprint, load_encoder
from imagerag_assets.encoders.sentence import sentence_encoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.objects.aside import replace_text
from imagerag_assets.retrieval.calibration import Calibration, packaged_calibration
from imagerag_assets.retrieval.things import things, write_vectors
from imagerag_assets.settings import load_settings


@dataclass(frozen=True)
class Truth:
    """What a thing's words are true of."""

    classes: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Classes that may show it too: neither for nor against it."""


DIVISION = "pyramid"
"""Division of the scenes whose calibration tells what an offset is worth."""
_HOMES = ("dense residential", "medium residential", "sparse residential", "mobile home park")
_ROADS = ("freeway", "intersection", "overpass", "road", "roundabout")
TRUE_OF: Mapping[str, Truth] = {
    "forest": Truth(("forest",), ("sparse residential", "river", "golf course")),
    "agricultural land": Truth(("agricultural",), ("grassland",)),
    "grassland": Truth(("grassland",), ("golf course", "agricultural", "baseball diamond")),
    "shrubland": Truth(("chaparral",)),
    "river": Truth(("river",), ("water",)),
    "lake": Truth(("water",), ("river", "harbor", "beach", "ship")),
    "beach": Truth(("beach",)),
    "sea": Truth(("beach",), ("water", "harbor", "ship")),
    "residential area": Truth(_HOMES),
    "suburb": Truth(("medium residential", "dense residential"), _HOMES),
    "dense residential area": Truth(("dense residential",), ("mobile home park", "medium residential")),
    "sparse residential area": Truth(("sparse residential",), ("medium residential",)),
    "house": Truth(("sparse residential",), _HOMES),
    "apartment building": Truth(("buildings",), ("dense residential",)),
    "large building": Truth(("buildings", "warehouse"), ("dense residential", "stadium")),
    "skyscraper": Truth(("buildings",)),
    "mobile home park": Truth(("mobile home park",)),
    "swimming pool": Truth(("swimming pool",), _HOMES),
    "tennis court": Truth(("tennis court",)),
    "baseball diamond": Truth(("baseball diamond",)),
    "stadium": Truth(("stadium",), ("baseball diamond",)),
    "golf course": Truth(("golf course",)),
    "sand bunker": Truth(("golf course",)),
    "road": Truth(_ROADS, ("runway", "parking lot", *_HOMES)),
    "freeway": Truth(("freeway",), ("overpass",)),
    "road intersection": Truth(("intersection",), ("overpass", "roundabout")),
    "roundabout": Truth(("roundabout",)),
    "overpass": Truth(("overpass",)),
    "parking lot": Truth(("parking lot",)),
    "cars": Truth(("parking lot",), ("freeway", "overpass", "intersection", "road", "buildings", *_HOMES)),
    "airplane": Truth(("airplane",)),
    "runway": Truth(("runway",)),
    "helipad": Truth(("helipad",)),
    "solar farm": Truth(("solar farm",)),
    "ship": Truth(("ship",), ("harbor",)),
    "harbor": Truth(("harbor",), ("ship",)),
    "warehouse": Truth(("warehouse",), ("buildings",)),
    "storage tank": Truth(("storage tank",)),
}
"""The things of `retrieval/things.toml` that the classes of chips show."""


def measure(encoder: Encoder, real: Chips, drawn: Chips) -> dict[str, Any]:
    """Return the table: each word's thing, AUC, number of chips that it is true of, and whether those are drawn."""
    seen = np.concatenate([encoder.encode_images(real.images), encoder.encode_images(drawn.images)])
    names = np.array([*real.names, *drawn.names])
    is_real = np.arange(len(names)) < len(real)
    words: dict[str, dict[str, Any]] = {}
    for thing, truth in TRUE_OF.items():
        on_drawings = not np.isin(names[is_real], truth.classes).any()
        used = ~is_real if on_drawings else is_real
        yes = np.isin(names, truth.classes) & used
        no = ~np.isin(names, (*truth.classes, *truth.also)) & used
        judged = yes | no
        own = (thing, *things()[thing])
        for word, vector in zip(own, encoder.encode_texts(own), strict=True):
            alike: NDArray[np.float32] = seen[judged] @ vector
            words[word] = {
                "thing": thing,
                "auc": round(float(roc_auc_score(yes[judged], alike)), 3),
                "chips": int(yes.sum()),
                "drawn": bool(on_drawings),
            }
    return words


def word_offsets(encoder: Encoder, real: Chips, calibration: Calibration, seed: int) -> dict[str, float]:
    """Return the offset of each word of a thing that real chips show; 0 in the middle over these things."""
    true_of = {
        word: (truth.classes, truth.also)
        for thing, truth in TRUE_OF.items()
        if set(real.names) & set(truth.classes)
        for word in (thing, *things()[thing])
    }
    own = offsets(encoder, sentence_encoder(), real, true_of, calibration, seed)
    middle = float(np.mean([own[thing] for thing in TRUE_OF if thing in own]))
    return {word: round(offset - middle, 4) for word, offset in own.items()}


def disturbed(chips: Chips, rng: np.random.Generator) -> Chips:
    """Return chips turned by any angle, enlarged up to 1.7 times, blurred up to 0.8 m and in another light.

    The encoder knows the chips that it was trained on too well.  On these the shipped encoder has a zero-shot accuracy
    of .87, and of .88 on chips that it has not seen (.998 on its own chips as they are).
    """
    from PIL import ImageEnhance

    pictures = []
    for picture in chips.images:
        side = picture.shape[0]
        around = np.pad(picture, ((side // 2,) * 2, (side // 2,) * 2, (0, 0)), mode="reflect")
        turned = Image.fromarray(around).rotate(rng.uniform(0, 360), resample=Image.Resampling.BICUBIC)
        part = int(side / rng.uniform(1.0, 1.7))
        left, top = (side // 2 + int(rng.integers(0, side - part + 1)) for _ in range(2))
        blurred = int(side / rng.uniform(1.0, 2.6))
        image = turned.crop((left, top, left + part, top + part)).resize((side, side), Image.Resampling.BICUBIC)
        image = image.resize((blurred, blurred), Image.Resampling.BOX).resize((side, side), Image.Resampling.BICUBIC)
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.2, 1.4))
        image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.5, 1.4))
        pictures.append(np.asarray(ImageEnhance.Brightness(image).enhance(rng.uniform(0.65, 1.35))))
    return Chips(np.stack(pictures), chips.names, chips.finer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="demo", help="name in the registry of encoders")
    parser.add_argument("--by", help="its twin, which has not seen the chips: the words are measured with it")
    parser.add_argument("--chips", type=Path, required=True, help="folder with one sub-folder of chips a class")
    parser.add_argument("--index", type=Path, help="index.csv with a split column; default: beside the folder")
    parser.add_argument("--split", default="train")
    parser.add_argument("--drawn", type=int, default=1200, help="drawn chips")
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--as-they-are", action="store_true", help="do not disturb the chips")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    settings = load_settings()
    encoder = load_encoder(given.by or given.encoder, settings)
    real = load_chips(given.chips, given.split, given.index)
    if not (given.as_they_are or given.by):
        real = disturbed(real, np.random.default_rng(given.seed))
    how = "that a twin has not seen" if given.by else "as they are" if given.as_they_are else "disturbed"
    words = measure(encoder, real, draw_chips(given.drawn, given.seed))
    fingerprint = encoder_fingerprint(given.encoder, settings)
    calibration = packaged_calibration(fingerprint, DIVISION)
    if calibration is not None:
        for word, offset in word_offsets(encoder, real, calibration, given.seed).items():
            words[word]["offset"] = offset
    table = {
        "fingerprint": fingerprint,
        "data": f"{len(real)} UC Merced {given.split} chips, {how}, and {given.drawn} drawn ones, seed {given.seed}",
        "words": words,
    }
    replace_text(given.out, json.dumps(table, indent=1) + "\n")
    write_vectors(given.out.parent, sentence_encoder())
    print(f"{len(words)} words, {sum(word['auc'] >= 0.85 for word in words.values())} with an AUC of at least .85")


if __name__ == "__main__":
    main()
