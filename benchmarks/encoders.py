"""Measure how many chips the shipped encoders classify correctly, without training on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from imagerag_assets.demo.models.chips import load_chips
from imagerag_assets.demo.models.vocabulary import PHRASES
from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.evaluation.metrics import share
from imagerag_assets.settings import Settings

ENCODERS = ("demo", "demo-lite")


def measure(settings: Settings, images: Path, split: str | None, index: Path | None = None) -> dict[str, Any]:
    """Return the top-1 accuracy of each encoder, with the mean embedding of each class's phrases and with bare names.

    Args:
        settings: Settings with the registry of encoders.
        images: Folder with one sub-folder of chips per class.
        split: Use only chips of this split of the index.
        index: CSV with the columns file and split; default: `index.csv` beside `images`.
    """
    chips = load_chips(images, split, index)
    classes = sorted(set(chips.names))
    figures: dict[str, Any] = {"classes": len(classes)}
    for name in ENCODERS:
        encoder = load_encoder(name, settings)
        vectors = encoder.encode_images(chips.images)

        def top1(texts: Iterable[Iterable[str]], encoder: Any = encoder, vectors: Any = vectors) -> dict[str, Any]:
            means = np.stack([encoder.encode_texts(list(each)).mean(0) for each in texts])
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            guesses = (vectors @ means.T).argmax(1)
            return share(classes[g] == truth for g, truth in zip(guesses, chips.names, strict=True)).to_dict()

        figures[name] = {"phrases": top1(PHRASES[each] for each in classes), "names": top1([each] for each in classes)}
    return figures
