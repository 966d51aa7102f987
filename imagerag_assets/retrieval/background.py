"""The fixed background a phrase is scored against: what else overhead imagery shows.

Only the prompts, their vectors and which of them apply to a phrase.  The arithmetic is in `scoring.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.retrieval.lexicon import singular

if TYPE_CHECKING:
    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.encoders.types import Encoder, Vectors

BACKGROUND_VERSION = 1
"""Raise when prompts or exclusion change: calibrations fitted before then no longer apply."""

PROMPTS: tuple[str, ...] = (
    "forest", "grassland", "crop fields", "orchard", "bare soil", "desert", "sandy ground", "shrubland", "wetland",
    "river", "lake", "open sea", "beach", "rocks", "mountains", "snow", "clouds",
    "houses", "dense residential area", "mobile home park", "large building", "warehouse", "industrial area",
    "road", "highway", "road intersection", "roundabout", "bridge", "railway tracks", "parking lot", "cars",
    "airport runway", "airplane", "ship", "harbor", "storage tank", "sports field", "tennis court",
    "baseball diamond", "swimming pool", "golf course", "stadium", "solar panels", "greenhouse", "quarry",
    "construction site", "park",
)  # fmt: skip
"""Land cover and objects, each at most a few words; `encode_texts` puts them into the encoder's templates."""

SAME_THING = 0.58
"""Sentence similarity above which a prompt is the phrase's own thing under another name.

Measured with all-MiniLM-L6-v2: freeway and highway .83, plane and airplane .85, boat and ship .60; but tennis court and
sports field .55, harbor and beach .52.  The image-text encoder's own text similarities would need a threshold for each
encoder.
"""
_MINIMUM = 8  # a softmax against fewer is no background any more
_BROAD_HEADS = frozenset(("field", "area", "land", "ground", "course", "park", "site", "building", "track"))


def background_vectors(encoder: Encoder) -> Vectors:
    """The prompts as `encoder` sees them: float32, (len(PROMPTS), dim).  The encoder caches its texts."""
    return encoder.encode_texts(PROMPTS)


def applies(phrases: Sequence[str], sentences: SentenceEncoder) -> NDArray[np.bool_]:
    """Which prompts are background to which phrase.

    A prompt that means the same as the phrase, or shares a telling noun with it ("red ship" and "ship"), is left out.

    Returns:
        bool, (len(phrases), len(PROMPTS)); at least `_MINIMUM` true in each row.
    """
    if not phrases:
        return np.zeros((0, len(PROMPTS)), dtype=bool)
    similarity: NDArray[np.float32] = sentences.encode(list(phrases)) @ _prompt_sentences(sentences).T
    shared = np.array([[bool(_nouns(phrase) & _nouns(prompt)) for prompt in PROMPTS] for phrase in phrases])
    mask: NDArray[np.bool_] = (similarity <= SAME_THING) & ~shared
    for row, close in zip(mask, similarity, strict=True):
        if row.sum() < _MINIMUM:
            row[np.argsort(close)[:_MINIMUM]] = True
    return mask


@lru_cache(maxsize=2)
def _prompt_sentences(sentences: SentenceEncoder) -> Vectors:
    return sentences.encode(PROMPTS)


@lru_cache(maxsize=1024)
def _nouns(phrase: str) -> frozenset[str]:
    """Words by which two phrases are about the same thing: the head noun, unless it says next to nothing."""
    words = [singular(word) for word in phrase.lower().split(" with ")[0].split(" full of ")[0].split()]
    return frozenset(words[-1:]) - _BROAD_HEADS if len(words) > 1 else frozenset(words)
