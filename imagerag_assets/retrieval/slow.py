"""The slow path: a phrase to labels or captions by text, those to exemplar prototypes, those to patches by image.

It finds things that the image-text encoder has no words for, if the knowledge base has pictures of them.  `retrieve.py`
decides whether a cue is confident enough, and which path is tried when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.search import exemplars, live, own_names, search_texts
from imagerag_assets.knowledge.types import PROTOTYPE, Current, KnowledgeKind
from imagerag_assets.retrieval.background import SAME_THING
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.fast import CANDIDATES, Found, Neighbours, neighbours, suppressed_cues
from imagerag_assets.retrieval.scoring import Floats, features
from imagerag_assets.retrieval.second_look import Scorer
from imagerag_assets.retrieval.types import Cue, PathName, Reducer, Search

LABELS_MATCHED = 3
TEXTS_PER_LABEL = 12
"""Texts looked up for each label that may match: any of its names and sentences leads to a label."""
CAPTIONS_MATCHED = 8
LABEL_FLOOR = 0.45
"""Least sentence similarity of a phrase and a label: "marina full of yachts" and "harbor" have .48."""
CAPTION_FLOOR = 0.5
LABEL_SLACK, CAPTION_SLACK = 0.07, 0.15
"""How far below the best match another may lie.  If the very word is in the knowledge base ("harbor", 1.0), a
neighbouring meaning ("beach", .52) must not count as that thing."""
CAPTION_SAME_THING = 0.35
"""As `SAME_THING`, for a phrase and a whole sentence."""
MARGIN_CAP = 5.0
"""Largest margin that counts, so that it cannot outweigh that a patch is unlike every exemplar: among few labels, one
always wins by a wide margin."""
COHERENCE_PRIOR, COHERENCE_WEIGHT = 0.7, 2.0
"""Assumed cosine of an exemplar with the mean of the others before any is seen, and how much that counts."""


@dataclass(frozen=True)
class _Kind:
    path: PathName
    matched: int
    texts: int
    """Texts looked at."""
    floor: float
    slack: float
    same_thing: float


_KINDS: dict[KnowledgeKind, _Kind] = {
    "knowledge_labels": _Kind(
        "slow-labels", LABELS_MATCHED, LABELS_MATCHED * TEXTS_PER_LABEL, LABEL_FLOOR, LABEL_SLACK, SAME_THING
    ),
    "knowledge_captions": _Kind(
        "slow-captions", CAPTIONS_MATCHED, CAPTIONS_MATCHED, CAPTION_FLOOR, CAPTION_SLACK, CAPTION_SAME_THING
    ),
}


@dataclass(frozen=True)
class Prototype:
    """What a group of exemplars looks like."""

    labels: tuple[str, ...]
    vector: NDArray[np.float32]
    """float32, (dim,), of length 1."""
    coherence: float
    """Cosine of a typical exemplar with the mean of the others: what to expect of a patch that shows the thing."""


def search_slow(
    deps: Deps,
    phrases: Sequence[str],
    search: Search,
    *,
    knowledge: Current,
    limit: int = CANDIDATES,
) -> Found:
    """Look for each phrase through a knowledge base.

    Args:
        deps: The installation.
        phrases: What to look for.
        search: Where to look, and how exemplars become a prototype.
        knowledge: From :func:`open_knowledge`.
        limit: Neighbours scored for each prototype.

    Raises:
        StoreError: Milvus fails.
    """
    start = perf_counter()
    name = knowledge.kind.removeprefix("knowledge_")
    if not deps.vectors.has_rows(knowledge.texts, live(knowledge)):
        return Found({}, notes=(f"The knowledge base of {name} is empty; run: imagerag knowledge build {name} SOURCE",))
    sentences = deps.sentences.encode(list(phrases))
    encoded = perf_counter()
    cues: dict[str, list[Cue]] = {}
    scorers: dict[str, Scorer] = {}
    notes = []
    for phrase, sentence in zip(phrases, sentences, strict=True):
        prototypes, against = phrase_prototypes(deps, knowledge, phrase, sentence, search.reducer)
        if not prototypes:
            notes.append(f"No {name} of the knowledge base match {phrase!r}")
            continue
        near, values = prototype_neighbours(deps, prototypes, against, search, limit)
        scorers[phrase] = prototype_scorer(prototypes, against, search.calibration)
        cues[phrase] = suppressed_cues(near, values, search.calibration.slow, phrase, _KINDS[knowledge.kind].path)
    return Found(cues, 1000 * (encoded - start), 1000 * (perf_counter() - encoded), tuple(notes), scorers)


def phrase_prototypes(
    deps: Deps, knowledge: Current, phrase: str, sentence: NDArray[np.float32], reducer: Reducer = "mean"
) -> tuple[list[Prototype], NDArray[np.float32]]:
    """Return what a phrase looks like by the knowledge base, and what everything else in it looks like.

    Args:
        deps: The installation.
        knowledge: From :func:`open_knowledge`.
        phrase: What is looked for.
        sentence: Its sentence vector, float32 (384,).
        reducer: How exemplars become a prototype.

    Returns:
        A prototype for each matching label, or one for all matching captions; none if nothing matches.  And the
        background, float32 (b, dim).
    """
    kind = _KINDS[knowledge.kind]
    matched = _matches(deps, knowledge, kind, sentence)
    if not matched:
        return [], np.zeros((0, deps.encoder.dim), dtype=np.float32)
    groups = [matched] if knowledge.kind == "knowledge_captions" else [[label] for label in matched]
    made = [_prototype(deps, knowledge, labels, phrase, reducer) for labels in groups]
    against = _background(deps, knowledge, kind, sentence, exclude=matched)
    return [prototype for prototype in made if prototype is not None], against


def reduce_exemplars(
    vectors: NDArray[np.float32], reducer: Reducer, phrase: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Choose the exemplars that a prototype is the mean of, among the rows of `vectors`, (n, dim), n at least 1.

    Args:
        vectors: float32, each row of length 1.
        reducer: How exemplars become a prototype.
        phrase: Text embedding, (dim,), needed by ``rerank``.
    """
    if reducer == "rerank" and phrase is not None:
        best = np.argsort(-(vectors @ phrase), kind="stable")[:3]
        return np.take(vectors, best, axis=0)
    if reducer == "cluster":
        from sklearn.cluster import DBSCAN

        groups = DBSCAN(eps=0.3, min_samples=2, metric="cosine").fit_predict(vectors)
        if (groups >= 0).any():
            return vectors[groups == np.bincount(groups[groups >= 0]).argmax()]
    return vectors


def make_prototype(labels: Sequence[str], vectors: NDArray[np.float32]) -> Prototype:
    """Make the prototype of exemplar vectors, float32 (n, dim), n at least 1: their normalised mean and coherence."""
    total = vectors.astype(np.float64).sum(axis=0)
    others = total - vectors
    lengths = np.linalg.norm(others, axis=1)
    alike = (vectors * others).sum(axis=1)[lengths > 1e-9] / lengths[lengths > 1e-9]
    coherence = (alike.sum() + COHERENCE_WEIGHT * COHERENCE_PRIOR) / (len(alike) + COHERENCE_WEIGHT)
    mean = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
    return Prototype(tuple(labels), mean, float(coherence))


def _matches(deps: Deps, knowledge: Current, kind: _Kind, sentence: NDArray[np.float32]) -> list[str]:
    """Return the labels with a text that means the phrase, best first, each once."""
    (hits,) = search_texts(deps, knowledge, sentence[None], kind.texts)
    floor = max(kind.floor, hits[0].score - kind.slack) if hits else 0.0
    return list(dict.fromkeys(str(hit.fields["label"]) for hit in hits if hit.score >= floor))[: kind.matched]


def _prototype(
    deps: Deps, knowledge: Current, labels: Sequence[str], phrase: str, reducer: Reducer
) -> Prototype | None:
    found = exemplars(deps, knowledge, labels)
    if len(found) == 0:
        return None
    text = deps.encoder.encode_texts([phrase])[0] if reducer == "rerank" else None
    return make_prototype(labels, reduce_exemplars(found, reducer, text))


def _background(
    deps: Deps, knowledge: Current, kind: _Kind, sentence: NDArray[np.float32], *, exclude: Sequence[str]
) -> NDArray[np.float32]:
    """Return the prototypes of everything else in the knowledge base: float32, (n, dim)."""
    rows = deps.vectors.query(
        knowledge.images, live(knowledge).one_of("image", [PROTOTYPE]), ["label", "embedding"], limit=2048
    )
    rows = [row for row in rows if row["label"] not in exclude]
    # Compare labels by their own names: among many names, one is like almost anything.
    said = own_names(knowledge) if knowledge.kind == "knowledge_labels" else live(knowledge)
    named = said.one_of("label", [row["label"] for row in rows])
    texts = deps.vectors.query(knowledge.texts, named, ["label", "embedding"]) if rows else []
    same = {text["label"] for text in texts if float(text["embedding"] @ sentence) > kind.same_thing}
    other = [row["embedding"] for row in rows if row["label"] not in same]
    return np.stack(other) if other else np.zeros((0, deps.encoder.dim), dtype=np.float32)


def prototype_neighbours(
    deps: Deps,
    prototypes: Sequence[Prototype],
    against: NDArray[np.float32],
    search: Search,
    limit: int = CANDIDATES,
) -> tuple[Neighbours, NDArray[np.float64]]:
    """Find patches near any of the prototypes, each once, with the features (n, 2) of the prototype it fits best."""
    queries = np.stack([prototype.vector for prototype in prototypes])
    found = neighbours(deps.vectors, queries, search, limit)
    calibration = search.calibration
    values = [
        slow_features(near.embeddings, near.scores, prototype, against, calibration.scale)
        for prototype, near in zip(prototypes, found, strict=True)
    ]
    rows = [row for near in found for row in near.rows]
    merged = np.concatenate(values)
    best: dict[str, int] = {}
    for index in np.argsort(-calibration.slow.logit(merged), kind="stable"):
        best.setdefault(rows[index]["patch_id"], int(index))
    order = np.array(list(best.values()), dtype=np.intp)
    embeddings = np.concatenate([near.embeddings for near in found])[order]
    scores = np.concatenate([near.scores for near in found])[order]
    return Neighbours(tuple(rows[index] for index in order), embeddings, scores), merged[order]


def prototype_scorer(prototypes: Sequence[Prototype], against: NDArray[np.float32], calibration: Calibration) -> Scorer:
    """Return how embeddings are scored, each against the prototype that it fits best."""

    def score(seen: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        alike = np.stack([(seen @ prototype.vector).astype(np.float64) for prototype in prototypes])
        values = np.stack(
            [
                slow_features(seen, scores, prototype, against, calibration.scale)
                for prototype, scores in zip(prototypes, alike, strict=True)
            ]
        )
        best = np.stack([calibration.slow.logit(each) for each in values]).argmax(axis=0)
        each_one = np.arange(len(seen))
        return alike[best, each_one], values[best, each_one]

    return Scorer(score, calibration.slow)


def slow_features(
    seen: NDArray[np.float32], scores: Floats, prototype: Prototype, against: NDArray[np.float32], scale: float
) -> NDArray[np.float64]:
    """Return features, float64 (n, 2): capped margin over other prototypes, and similarity relative to an exemplar's.

    Args:
        seen: Embeddings, (n, dim).
        scores: (n,), their cosines with the prototype.
        prototype: What they are compared with.
        against: Prototypes of everything else, (b, dim).
        scale: As in `scoring.features`.
    """
    if len(against) == 0:  # nothing else is known: no margin, only similarity
        likeness = (np.asarray(scores, dtype=np.float64) - prototype.coherence) * scale
        return np.stack([np.zeros_like(likeness), likeness], axis=1)
    values = features(scores, seen @ against.T, scale, reference=prototype.coherence)
    values[:, 0] = np.minimum(values[:, 0], MARGIN_CAP)
    return values
