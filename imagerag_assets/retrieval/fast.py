"""The fast path: a phrase's text embedding against the patch collection.

Also holds what the slow path shares: neighbours with their vectors, and suppressed cues from scored neighbours.
`retrieve.py` applies thresholds and chooses among cues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.background import applies, background_vectors
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.coarseness import too_coarse
from imagerag_assets.retrieval.measured_words import offset_of
from imagerag_assets.retrieval.scoring import Floats, Head, features
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Cue, PathName, Search, Window
from imagerag_assets.stores.milvus import VectorStore

CANDIDATES = 128
"""Nearest patches scored for a phrase.  Up to nine overlapping patches of a level see one target."""
CANDIDATES_ALL = 512
"""The same, where every occurrence matters."""

_FIELDS = ("patch_id", "scene_key", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north", "embedding")


@dataclass(frozen=True)
class Neighbours:
    """Patches nearest to one vector, best first."""

    rows: tuple[dict[str, Any], ...]
    embeddings: NDArray[np.float32]
    """float32, (n, dim)."""
    scores: NDArray[np.float64]
    """(n,), cosine with the vector."""

    @property
    def windows(self) -> NDArray[np.int64]:
        """int64, (n, 4): x0, y0, x1, y1 in native pixels."""
        found = [[row["x0"], row["y0"], row["x1"], row["y1"]] for row in self.rows]
        return np.array(found, dtype=np.int64).reshape(-1, 4)


@dataclass(frozen=True)
class Found:
    """Cues of each phrase, best first, before any threshold, and how long it took to find them."""

    cues: dict[str, list[Cue]]
    encode_ms: float = 0.0
    search_ms: float = 0.0
    notes: tuple[str, ...] = ()
    scorers: dict[str, Scorer] = field(default_factory=dict)
    """How each phrase's candidates were scored, for a second look at them."""


def neighbours(
    vectors: VectorStore, queries: NDArray[np.float32], search: Search, limit: int = CANDIDATES
) -> list[Neighbours]:
    """Find the patches nearest to each query vector, (n, dim), of those that are searched.

    Patches too coarse for the calibration's `coarsest_m` are left out (`coarseness.too_coarse`); the filter should have
    left out most of them already (`coarseness.fine_enough`).
    """
    found: list[Neighbours] = []
    coarsest_m = search.calibration.coarsest_m
    for near in vectors.search(search.collection, queries, condition=search.where, limit=limit, fields=_FIELDS):
        finest = None if search.look is None else search.look.finest_level
        hits = [hit for hit in near if coarsest_m is None or not too_coarse(hit.fields, coarsest_m, finest)]
        hits = [hit for hit in hits if search.keeps(hit.fields["scene_key"], _window(hit.fields))]
        stored = [hit.fields["embedding"] for hit in hits]
        embeddings = np.stack(stored) if stored else np.zeros((0, queries.shape[1]), dtype=np.float32)
        # Computed from the vectors: the distance that Milvus returns is only approximate with a quantising index.
        scores = (embeddings @ queries[len(found)]).astype(np.float64)
        found.append(Neighbours(tuple(hit.fields for hit in hits), embeddings, scores))
    return found


def phrase_scorers(
    deps: Deps, phrases: Sequence[str], calibration: Calibration, words: Mapping[str, str] | None = None
) -> dict[str, Scorer]:
    """Return how embeddings are scored for each phrase, against the background that applies to it.

    Args:
        deps: The installation.
        phrases: What to look for.
        calibration: Of this encoder and the collection's division.
        words: Other words to give to the encoder for a phrase.

    Raises:
        EncoderError: a phrase cannot be embedded.
    """
    texts = _put(phrases, words)
    queries, background = deps.encoder.encode_texts(texts), background_vectors(deps.encoder)

    def scorer(text: str, query: NDArray[np.float32], against: NDArray[np.float32]) -> Scorer:
        offset = offset_of(deps.encoder.fingerprint, text)

        def score(seen: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            alike = (seen @ query).astype(np.float64)
            return alike, features(alike + offset, seen @ against.T, calibration.scale)

        return Scorer(score, calibration.second or calibration.fast)

    masks = applies(texts, deps.sentences)
    return {
        phrase: scorer(text, query, background[mask])
        for phrase, text, query, mask in zip(phrases, texts, queries, masks, strict=True)
    }


def _put(phrases: Sequence[str], words: Mapping[str, str] | None) -> list[str]:
    """Return the words that the encoder gets for each phrase."""
    return [(words or {}).get(phrase, phrase) for phrase in phrases]


def suppressed_cues(near: Neighbours, values: Floats, head: Head, phrase: str, path: PathName) -> list[Cue]:
    """Return the cues of scored neighbours (features (n, 2)), best first, with overlapping ones suppressed."""
    if not near.rows:
        return []
    confidence = head.confidence(values)
    keep = suppress(near.windows, head.logit(values), [row["scene_key"] for row in near.rows])
    return [_cue(near.rows[i], phrase, float(near.scores[i]), float(confidence[i]), path) for i in keep]


def search_fast(
    deps: Deps,
    phrases: Sequence[str],
    search: Search,
    *,
    limit: int = CANDIDATES,
    words: Mapping[str, str] | None = None,
) -> Found:
    """Look for each phrase among the patches that are searched.

    Args:
        deps: The installation.
        phrases: What to look for.
        search: Where to look.
        limit: Neighbours scored for each phrase.
        words: Other words to give to the encoder for a phrase; its cues keep the phrase.

    Raises:
        StoreError: Milvus fails.
        EncoderError: a phrase cannot be embedded.
    """
    if not phrases:
        return Found({})
    start = perf_counter()
    scorers = phrase_scorers(deps, phrases, search.calibration, words)
    encoded = perf_counter()
    queries = deps.encoder.encode_texts(_put(phrases, words))  # cached: the scorers were made of them
    found: dict[str, list[Cue]] = {}
    for phrase, near in zip(phrases, neighbours(deps.vectors, queries, search, limit), strict=True):
        _, values = scorers[phrase].score(near.embeddings)
        found[phrase] = suppressed_cues(near, values, search.calibration.fast, phrase, "fast")
    return Found(found, 1000 * (encoded - start), 1000 * (perf_counter() - encoded), scorers=scorers)


def ranked(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Return the cues with ranks 1, 2, ... in the order given."""
    return tuple(replace(cue, rank=rank) for rank, cue in enumerate(cues, start=1))


def _cue(row: dict[str, Any], phrase: str, score: float, confidence: float, path: PathName) -> Cue:
    bbox = None
    if row.get("west") is not None:
        bbox = (float(row["west"]), float(row["south"]), float(row["east"]), float(row["north"]))
    return Cue(
        patch_id=row["patch_id"],
        scene=row["scene_key"],
        window=_window(row),
        bbox=bbox,
        level=int(row["level"]),
        phrase=phrase,
        score=score,
        confidence=confidence,
        rank=0,
        path=path,
    )


def _window(row: dict[str, Any]) -> Window:
    return int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])
