"""What an encoder's scores for a word do on the user's own scenes, next to those for words that mean nothing.

For encoders whose words were not measured on pictures.  A word that the encoder can tell has patches that are more like
it than like everything else, or at least than patches are like nonsense.  `recognition.py` uses it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.background import BACKGROUND_VERSION, applies, background_vectors
from imagerag_assets.retrieval.calibration import default_calibration
from imagerag_assets.retrieval.scoring import features
from imagerag_assets.retrieval.things import thing_of

if TYPE_CHECKING:
    from imagerag_assets.objects.store import ObjectStore

NEAREST = 8
"""Patches whose best margin is a word's reach."""
NONSENSE = 60
"""Nonsense words that are looked for."""
_BETTER_THAN = 0.95
"""Share of the nonsense words that a word must reach beyond."""


@dataclass(frozen=True)
class Reaches:
    """How far nonsense words reach among the patches of an installation."""

    fingerprint: str
    """Of the encoder."""
    patches: int
    """Patches that were searched."""
    nonsense: tuple[float, ...]
    """Margins, ascending."""
    background: int = BACKGROUND_VERSION

    @property
    def level(self) -> float:
        """The margin that a word must reach beyond."""
        return float(np.quantile(self.nonsense, _BETTER_THAN))

    def share_below(self, reach: float) -> float:
        """Return the share of the nonsense words that reach less far."""
        return float(np.mean(np.array(self.nonsense) < reach))


_STORED = TypeAdapter(Reaches)


def nonsense_words(count: int = NONSENSE) -> tuple[str, ...]:
    """Return words without a meaning, always the same: shuffled letters of words for what overhead imagery shows."""
    rng = random.Random(0)  # nosec B311 # nonsense words
    words = sorted({word for name in thing_of() for word in name.split() if len(word) > 3 and word.isalpha()})
    found: dict[str, None] = {}
    while len(found) < count:
        letters = list(rng.choice(words))
        rng.shuffle(letters)
        if (made := "".join(letters)) not in words:
            found[made] = None
    return tuple(found)


def reaches(deps: Deps, texts: Sequence[str], *, collection: str = "patches") -> NDArray[np.float64]:
    """Return how far each text reaches: the best margin of its nearest patches over the background.

    Args:
        deps: The installation.
        texts: What is looked for.
        collection: Name or alias of a patch collection of its encoder.

    Returns:
        float64, (n,): margins at the scale of `default_calibration`; minus infinity in an empty collection.

    Raises:
        StoreError: Milvus fails.
        EncoderError: a text cannot be embedded.
    """
    queries, background = deps.encoder.encode_texts(texts), background_vectors(deps.encoder)
    masks, scale = applies(texts, deps.sentences), default_calibration(deps.encoder.logit_scale).scale
    found = []
    near = deps.vectors.search(collection, queries, limit=NEAREST, fields=["embedding"])
    for query, mask, hits in zip(queries, masks, near, strict=True):
        if not hits:
            found.append(-np.inf)
            continue
        seen = np.stack([hit.fields["embedding"] for hit in hits])
        found.append(float(features(seen @ query, seen @ background[mask].T, scale)[:, 0].max()))
    return np.array(found, dtype=np.float64)


def measure_nonsense(deps: Deps, *, collection: str = "patches") -> Reaches:
    """Measure how far nonsense words reach.

    Raises:
        As :func:`reaches`.
    """
    found = np.sort(reaches(deps, nonsense_words(), collection=collection))
    return Reaches(deps.encoder.fingerprint, deps.vectors.count(collection), tuple(found.tolist()))


def save_reaches(store: ObjectStore, made: Reaches) -> str:
    """Store the reaches of nonsense words for their encoder, whole or not at all; return the key."""
    key = _key(made.fingerprint)
    value: dict[str, Any] = asdict(made)
    store.write_json(key, value)
    return key


def load_reaches(store: ObjectStore, fingerprint: str) -> Reaches | None:
    """Return what :func:`save_reaches` stored for an encoder, as far as it still applies.

    Raises:
        StoreError: it cannot be read.
    """
    key = _key(fingerprint)
    if not store.exists(key):
        return None
    try:
        found = _STORED.validate_python(store.read_json(key))
    except ValidationError:
        raise StoreError("Not the reaches of words", fix="Run: imagerag calibrate", object=store.url(key)) from None
    fits = found.fingerprint == fingerprint and found.background == BACKGROUND_VERSION and found.nonsense
    return found if fits else None


def _key(fingerprint: str) -> str:
    return f"calibrations/{fingerprint[:16]}/words.json"
