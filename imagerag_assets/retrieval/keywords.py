"""Keywords by meaning: KeyBERT with our sentence encoder.

Which words are candidates, and when keywords are needed at all, is decided in `phrases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.encoders.types import Vectors

_DIVERSITY = 0.7


def extract_keywords(text: str, ngrams: tuple[int, int], sentences: SentenceEncoder) -> list[str]:
    """Return up to five keywords that occur in a text, the most telling first.

    Args:
        text: Words separated by blanks.
        ngrams: Least and greatest number of words of a keyword.
        sentences: The sentence encoder.
    """
    from keybert import KeyBERT
    from keybert.backend import BaseEmbedder

    class Embedder(BaseEmbedder):
        def embed(self, documents: Sequence[str], verbose: bool = False) -> Vectors:
            return sentences.encode(list(documents))

    try:
        found = KeyBERT(model=Embedder()).extract_keywords(
            text, keyphrase_ngram_range=ngrams, stop_words=None, top_n=5, use_mmr=True, diversity=_DIVERSITY
        )
    except ValueError:  # its vectorizer finds no word, e.g. single letters only
        return []
    return [str(phrase) for phrase, _ in found]


def most_telling(text: str, phrases: list[str], limit: int, sentences: SentenceEncoder) -> list[str]:
    """Return the phrases that say most about the text and least about each other, in the order given.

    Args:
        text: The whole question.
        phrases: Candidates, which need not occur in it word for word.
        limit: Phrases at most.
        sentences: The sentence encoder.
    """
    vectors = sentences.encode([text, *phrases])
    kept = set(_mmr(vectors[:1], vectors[1:], phrases, limit))
    return [phrase for phrase in phrases if phrase in kept]


def _mmr(text: NDArray[np.float32], vectors: NDArray[np.float32], phrases: list[str], limit: int) -> list[str]:
    """Choose by maximal marginal relevance.

    KeyBERT's public `extract_keywords(candidates=...)` only considers candidates that occur in the text word for word,
    and our phrases have their head noun in the singular.  So its private function is called, here and nowhere else.
    """
    from keybert._mmr import mmr

    return [phrase for phrase, _ in mmr(text, vectors, phrases, limit, _DIVERSITY)]
