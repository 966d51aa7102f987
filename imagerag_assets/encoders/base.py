"""What every encoder does, whatever runs its model: checks, batches, templates, the cache of phrases, unit length.

A subclass runs the two towers on one batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.kept_texts import LEAST, kept
from imagerag_assets.encoders.templates import expand
from imagerag_assets.encoders.types import EncoderSpec, Vectors
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings

_CACHED_PHRASES = 8192
_TEXT_BATCH = 256


class BaseEncoder(ABC):
    """An :class:`~imagerag_assets.encoders.types.Encoder` without a model."""

    _fingerprint: str
    _dim: int
    _size: int
    _arithmetic = "float32"
    """What else the vectors depend on, where it moves their last digits only."""
    _fix = "Check the weights, or set IMAGERAG_PRECISION=float32"
    """What to do about vectors that are not usable."""

    def __init__(self, spec: EncoderSpec, settings: Settings) -> None:
        self._spec = spec
        self._batch = settings.batch_size
        self._folder = settings.cache_folder / "texts"
        self._logit_scale, self._logit_bias = 100.0, cast("float | None", None)
        self._phrases: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    @abstractmethod
    def _image_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors (n, dim), of any length, of at most a batch of pictures, uint8 (n, h, w, 3)."""

    @abstractmethod
    def _text_features(self, texts: list[str]) -> NDArray[np.float32]:
        """Return the vectors (n, dim), of any length, of some texts."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the model."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def image_size(self) -> int:
        return self._size

    @property
    def logit_scale(self) -> float:
        return self._logit_scale

    @property
    def logit_bias(self) -> float | None:
        return self._logit_bias

    @property
    def spec(self) -> EncoderSpec:
        """Registry entry that it was loaded from."""
        return self._spec

    def close(self) -> None:
        """See :meth:`imagerag_assets.encoders.types.Encoder.close`."""
        self._release()
        with self._lock:
            self._phrases.clear()

    def encode_images(self, images: NDArray[np.uint8]) -> Vectors:
        """See :meth:`imagerag_assets.encoders.types.Encoder.encode_images`."""
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape[1:3]:
            raise EncoderError(
                f"Patches must be uint8 (n, h, w, 3) with pixels, not {images.dtype} {images.shape}", encoder=self.name
            )
        self._no_closed()
        out = np.empty((len(images), self._dim), dtype=np.float32)
        for start in range(0, len(images), self._batch):
            block = images[start : start + self._batch]
            out[start : start + len(block)] = self._normalised(self._image_features(block), "patch", start)
        return out

    def encode_texts(self, phrases: Sequence[str]) -> Vectors:
        """See :meth:`imagerag_assets.encoders.types.Encoder.encode_texts`."""
        with self._lock:
            known = {phrase: self._phrases[phrase] for phrase in phrases if phrase in self._phrases}
        asked = list(dict.fromkeys(phrases))
        missing = [phrase for phrase in asked if phrase not in known]
        if missing:
            # A long list is kept whole, whatever of it is in memory already, so that it is found again.
            texts = asked if len(asked) >= LEAST else missing
            # What decides the vectors; bfloat16 moves them by about 0.01.
            by = f"{self._fingerprint} {self._arithmetic}"
            vectors = kept(self._folder, texts, self._dim, by, lambda: self._through_templates(texts))
            known |= dict(zip(texts, vectors, strict=True))
        with self._lock:
            for phrase in known:
                self._phrases[phrase] = known[phrase]
                self._phrases.move_to_end(phrase)
            while len(self._phrases) > _CACHED_PHRASES:
                self._phrases.popitem(last=False)
        if not phrases:
            return np.zeros((0, self._dim), dtype=np.float32)
        return np.stack([known[phrase] for phrase in phrases])

    def encode_raw_texts(self, texts: Sequence[str], *, normalised: bool = True) -> Vectors:
        """See :meth:`imagerag_assets.encoders.types.Encoder.encode_raw_texts`."""
        self._no_empty(texts)
        self._no_closed()
        out = np.empty((len(texts), self._dim), dtype=np.float32)
        for start in range(0, len(texts), _TEXT_BATCH):
            block = list(texts[start : start + _TEXT_BATCH])
            vectors, lengths = self._measured(self._text_features(block), "text", start)
            out[start : start + len(block)] = vectors / lengths if normalised else vectors
        return out

    def _through_templates(self, phrases: list[str]) -> Vectors:
        self._no_empty(phrases)
        templates = self._spec.templates
        sentences = [sentence for phrase in phrases for sentence in expand(phrase, templates)]
        each = self.encode_raw_texts(sentences).reshape(len(phrases), len(templates), self._dim)
        return self._normalised(each.mean(axis=1), "phrase", 0)

    def _no_closed(self) -> None:
        if self.closed:
            raise EncoderError("The encoder is closed", encoder=self.name)

    def _no_empty(self, texts: Sequence[str]) -> None:
        for index, text in enumerate(texts):
            if not text.strip():
                raise EncoderError(f"Text {index} is empty", encoder=self.name, fix="Give a phrase or a sentence")

    def _normalised(self, features: NDArray[Any], what: str, start: int) -> Vectors:
        """Scale rows to length 1 in float32; the index in an error counts from the caller's first input."""
        vectors, lengths = self._measured(features, what, start)
        return cast(Vectors, vectors / lengths)

    def _measured(self, features: NDArray[Any], what: str, start: int) -> tuple[Vectors, Vectors]:
        """Return rows in float32 and their lengths, (n, 1); see :meth:`_normalised`."""
        vectors = features.astype(np.float32, copy=False)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] < 1e-12))
        if len(bad):
            kind = "zero" if np.isfinite(lengths[bad[0], 0]) else "not finite"
            raise EncoderError(
                f"The vector of {what} {start + int(bad[0])} is {kind}", encoder=self.name, fix=self._fix
            )
        return vectors, lengths


def check_dim(spec: EncoderSpec, dim: int) -> int:
    """Return the length of a model's vectors.

    Raises:
        EncoderError: the registry says another one, so that these are not the weights that it means.
    """
    if spec.dim is not None and spec.dim != dim:
        raise EncoderError(
            f"Its vectors have {dim} dimensions, and the registry says {spec.dim}",
            encoder=spec.name,
            fix="Check which weights or which model it names, or correct dim in its entry",
        )
    return dim
