"""The fixed background a phrase is scored against: what else overhead imagery shows.

Only the prompts, their vectors, and which of them apply to a phrase.  `scoring.py` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.plans.lexicon import singular
from imagerag_assets.retrieval.same_meaning import entry, meanings

if TYPE_CHECKING:
    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.encoders.types import Encoder, Vectors

BACKGROUND_VERSION = 2
"""Raise when prompts change, or what is left out for phrases that calibrations are fitted on: these no longer apply
then."""

BACKGROUND: dict[str, tuple[str, ...]] = {
    "forest": ("woodland",), "grassland": ("meadow",), "crop fields": ("farmland",), "orchard": ("plantation",),
    "bare soil": (), "desert": ("dunes",), "sandy ground": ("beach", "dunes"), "shrubland": ("bushes",),
    "wetland": ("marsh", "swamp"), "river": ("stream", "canal", "water"), "lake": ("pond", "reservoir", "water"),
    "open sea": ("ocean", "coast", "water"), "beach": ("coast",), "rocks": ("cliff",), "mountains": ("cliff",),
    "snow": ("glacier",), "clouds": (),
    "houses": ("residential area", "suburb", "village"), "dense residential area": ("suburb", "city"),
    "mobile home park": ("caravan park",),
    "large building": ("warehouse", "factory", "hospital", "school", "shopping mall", "hotel", "hangar"),
    "warehouse": ("large building", "factory", "hangar"),
    "industrial area": ("factory", "power plant", "refinery", "warehouse", "storage tank"),
    "road": ("road intersection", "roundabout", "bridge", "overpass", "flyover"),
    "highway": ("overpass", "flyover", "interchange"), "road intersection": ("road junction", "traffic lights"),
    "roundabout": ("road junction", "traffic circle"), "bridge": ("overpass", "flyover", "viaduct", "interchange"),
    "railway tracks": ("train station", "train"),
    "parking lot": ("parked cars",), "cars": ("parking lot", "vehicles"),
    "airport runway": ("airport", "airfield", "taxiway"), "airplane": ("airport", "terminal"),
    "ship": ("boat", "ferry", "harbor", "port", "marina"), "harbor": ("port", "marina", "dock", "pier"),
    "storage tank": ("refinery", "oil depot", "silo"),
    "sports field": ("tennis court", "baseball diamond", "stadium", "soccer field", "running track"),
    "tennis court": ("sports field",), "baseball diamond": ("sports field",), "swimming pool": ("water park",),
    "golf course": ("putting green",), "stadium": ("sports arena", "running track"),
    "solar panels": ("solar farm",), "greenhouse": ("nursery",), "quarry": ("mine", "gravel pit"),
    "construction site": (), "park": ("garden", "playground"),
}  # fmt: skip
"""Land cover and objects, each at most a few words, which `encode_texts` puts into the encoder's templates; and what
may be said of the same patch without being the same words: kinds of it, its parts, and what it is a part of."""

PROMPTS: tuple[str, ...] = tuple(BACKGROUND)

SAME_THING = 0.58
"""Sentence similarity above which a prompt is the phrase's own thing under another name.

Measured with all-MiniLM-L6-v2: freeway and highway .83, plane and airplane .85, boat and ship .60; but tennis court and
sports field .55, harbor and beach .52.  The image-text encoder's own text similarities would need a threshold for each
encoder.
"""
# Each prompt, followed by what goes with it; and where each prompt stands.
_NAMES: tuple[str, ...] = tuple(chain.from_iterable((prompt, *others) for prompt, others in BACKGROUND.items()))
_STARTS = np.cumsum([0, *(1 + len(others) for others in BACKGROUND.values())])[:-1]
_GOES_WITH = 0.75  # of what goes with a prompt, only the same words count: taxiway and freeway have .61
_LEAST = np.full(len(_NAMES), _GOES_WITH)
_LEAST[_STARTS] = SAME_THING
_MINIMUM = 8  # a softmax against fewer prompts is no longer a background
_BROAD_HEADS = frozenset(("field", "area", "land", "ground", "course", "park", "site", "building", "track"))


def background_vectors(encoder: Encoder) -> Vectors:
    """Return the vectors of the prompts: float32, (len(PROMPTS), dim).  The encoder caches its texts."""
    return encoder.encode_texts(PROMPTS)


def applies(phrases: Sequence[str], sentences: SentenceEncoder) -> NDArray[np.bool_]:
    """Decide which prompts are background to which phrase.

    A prompt that means the same as the phrase ("landing strip" and "airport runway"), shares a telling noun with it
    ("red ship" and "ship"), or may be said of the same patch ("overpass" and "bridge"), is left out.

    Returns:
        bool, (len(phrases), len(PROMPTS)); at least `_MINIMUM` true in each row.
    """
    if not phrases:
        return np.zeros((0, len(PROMPTS)), dtype=bool)
    # A name is compared as the phrase that it stands for, too, so that all names of a thing have one background.
    names = {name: at for at, name in enumerate(dict.fromkeys([*phrases, *map(entry, phrases)]))}
    at = np.array([[names[phrase], names[entry(phrase)]] for phrase in phrases])
    alike: NDArray[np.float32] = sentences.encode(list(names)) @ _name_sentences(sentences).T
    shared = np.array([[bool(_nouns(name) & _nouns(other)) for other in _NAMES] for name in names])
    same = ((alike > _LEAST) | shared)[at].any(axis=1)
    own = np.array([[not meanings(phrase).isdisjoint(meanings(prompt)) for prompt in PROMPTS] for phrase in phrases])
    mask: NDArray[np.bool_] = ~(np.logical_or.reduceat(same, _STARTS, axis=1) | own)
    similarity = alike[at].max(axis=1)[:, _STARTS]
    for row, close in zip(mask, similarity, strict=True):
        if row.sum() < _MINIMUM:
            row[np.argsort(close)[:_MINIMUM]] = True
    return mask


@lru_cache(maxsize=2)
def _name_sentences(sentences: SentenceEncoder) -> Vectors:
    return sentences.encode(_NAMES)


@lru_cache(maxsize=1024)
def _nouns(phrase: str) -> frozenset[str]:
    """Return the words that make two phrases about the same thing: the head noun, unless it says next to nothing."""
    words = [singular(word) for word in phrase.lower().split(" with ")[0].split(" full of ")[0].split()]
    return frozenset(words[-1:]) - _BROAD_HEADS if len(words) > 1 else frozenset(words)
