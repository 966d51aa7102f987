"""Look up texts and exemplars in the knowledge bases that are live for an encoder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import FingerprintError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.types import PROTOTYPE, Current, KnowledgeKind, read_current, text_fingerprint
from imagerag_assets.stores.milvus import Hit
from imagerag_assets.stores.milvus_filter import Filter

SAME_WORDS = 0.9
"""Sentence similarity from which a phrase is a label's other name, but for its inflection: "marina berth" and "marina
berths" have .95, "tank farms" and "tank farm" .91; but "bridge" and "road bridge" .89."""
NAMES = 10_000
"""Names that words of a question are compared with, at most."""
EXEMPLARS = 256
"""Exemplars of a label that its prototype is made of, at most."""


def open_knowledge(deps: Deps, kind: KnowledgeKind) -> Current | None:
    """Open the live knowledge base of a kind for the installation's encoder; None if none was built.

    It is found by the encoder's fingerprint and not through the alias.  So a question keeps using the knowledge base of
    its own encoder while an encoder switch moves the aliases one by one.

    Raises:
        FingerprintError: only another encoder has one.
        StoreError: Milvus or the object store fails.
    """
    current = read_current(deps.store, kind, deps.encoder.fingerprint)
    if current is None or not deps.vectors.exists(current.images):
        if (target := deps.vectors.alias_target(kind)) is not None:
            deps.vectors.verify(target, deps.encoder.fingerprint)
        return None
    deps.vectors.verify(current.images, deps.encoder.fingerprint)
    if not deps.vectors.exists(current.texts):
        return None
    deps.vectors.verify(current.texts, text_fingerprint())
    return current


def search_texts(
    deps: Deps, knowledge: Current, sentences: NDArray[np.float32], limit: int, *, by_name: bool = False
) -> list[list[Hit]]:
    """Find the texts about labels, or captions, nearest to each sentence vector: ``label`` and ``text``, best first.

    Args:
        deps: The installation.
        knowledge: From :func:`open_knowledge`.
        sentences: float32, (n, 384).
        limit: Texts for each vector.
        by_name: Search only the own names of labels.
    """
    condition = own_names(knowledge) if by_name and knowledge.kind == "knowledge_labels" else live(knowledge)
    return deps.vectors.search(knowledge.texts, sentences, condition=condition, limit=limit, fields=["label", "text"])


def names_of(deps: Deps, knowledge: Current, phrases: Sequence[str]) -> dict[str, str]:
    """Return the own name of the label that a phrase is another name of, e.g. "storage tank" for "tank farm".

    Args:
        deps: The installation.
        knowledge: Of labels, from :func:`open_knowledge`.
        phrases: What to look for.  A phrase that is an own name, or no name of a label, is left out of the result.
    """
    found = search_texts(deps, knowledge, deps.sentences.encode(list(phrases)), 1)
    return {
        phrase: str(hits[0].fields["label"])
        for phrase, hits in zip(phrases, found, strict=True)
        if hits and hits[0].score >= SAME_WORDS and hits[0].fields["text"] != hits[0].fields["label"]
    }


class KnownNames(Collection[str]):
    """The names of all labels, own and other ones, `NAMES` at most; none where only another encoder has any.

    They are read when they are first used: few questions have a word that is in no dictionary.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @cached_property
    def _names(self) -> frozenset[str]:
        try:
            knowledge = open_knowledge(self._deps, "knowledge_labels")
        except FingerprintError:
            return frozenset()
        if knowledge is None:
            return frozenset()
        rows = self._deps.vectors.query(knowledge.texts, live(knowledge), ["text"], limit=NAMES)
        return frozenset(str(row["text"]) for row in rows)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def exemplars(deps: Deps, knowledge: Current, labels: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors of the labels' exemplar images, float32 (n, dim), at most `EXEMPLARS`; n may be 0."""
    rows = deps.vectors.query(
        knowledge.images, live(knowledge).one_of("label", labels), ["image", "embedding"], limit=EXEMPLARS
    )
    found = [row["embedding"] for row in rows if row["image"] != PROTOTYPE]
    return np.stack(found) if found else np.zeros((0, deps.encoder.dim), dtype=np.float32)


def own_names(knowledge: Current) -> Filter:
    """Return the filter of the texts that are a label's own name."""
    return live(knowledge).one_of("image", [PROTOTYPE])


def live(knowledge: Current) -> Filter:
    """Return the filter of the rows of the live version."""
    return Filter().one_of("kb_version", [knowledge.version[:16]])
