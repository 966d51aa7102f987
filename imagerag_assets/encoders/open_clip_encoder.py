"""The encoder that runs open_clip models: batching, precision, normalisation, the text cache, the fingerprint.

`weights` finds and loads the weights; `registry` lists the encoders.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from threading import Lock
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from imagerag_assets.encoders import precision
from imagerag_assets.encoders.cells import Cells, find_cells
from imagerag_assets.encoders.kept_texts import LEAST, kept
from imagerag_assets.encoders.preprocess import PREPROCESS_VERSION, preprocess
from imagerag_assets.encoders.templates import expand
from imagerag_assets.encoders.types import EncoderSpec, Vectors
from imagerag_assets.encoders.weights import (
    Architecture,
    build_model,
    find_checkpoint,
    padding_of,
    read_architecture,
)
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings

_CACHED_PHRASES = 8192
_TEXT_BATCH = 256
_WIDTH = 16
"""Texts go through the tower in widths of a multiple of so many tokens: their own, whatever they are asked with."""


class OpenClipEncoder:
    """An :class:`~imagerag_assets.encoders.types.Encoder` on an open_clip model.

    The fingerprint covers what decides which vectors can be compared: architecture (activation included), every weight
    of both towers, preprocessing, normalisation and text templates.  Precision, device and batch size are left out on
    purpose: they move a vector by about 0.01, less than one pixel's shift of a patch does, and an index filled by a
    GPU in bfloat16 must serve a question from a laptop in float32.
    """

    def __init__(self, spec: EncoderSpec, settings: Settings) -> None:
        """Load the model.

        Raises:
            EncoderError: no weights, or weights that do not fit.
            SettingsError: the device does not exist.
        """
        architecture = read_architecture(spec)
        checkpoint = find_checkpoint(spec, settings)
        self._device = precision.choose_device(settings)
        self._bfloat16 = precision.use_bfloat16(self._device, settings.precision, spec.precision)
        model, self._tokenizer = build_model(spec, architecture, checkpoint)
        self._padding = padding_of(model)
        self._fingerprint = fingerprint_of(spec, architecture, model)
        self._spec, self._pre = spec, architecture.preprocessing
        self._dim = int(architecture.config["embed_dim"])
        self._batch = settings.batch_size
        self._folder = settings.cache_folder / "texts"
        self._logit_scale = math.exp(float(cast(torch.Tensor, model.logit_scale)))
        bias = cast("torch.Tensor | None", getattr(model, "logit_bias", None))
        self._logit_bias = None if bias is None else float(bias)
        # convolutions and patch embeddings run faster with channels last
        self._model: Any = model.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._phrases: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

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
        return self._pre.size

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

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._model is None

    def encode_images(self, images: NDArray[np.uint8]) -> Vectors:
        """See :meth:`imagerag_assets.encoders.types.Encoder.encode_images`."""
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape[1:3]:
            raise EncoderError(
                f"Patches must be uint8 (n, h, w, 3) with pixels, not {images.dtype} {images.shape}", encoder=self.name
            )
        model = self._loaded()
        out = np.empty((len(images), self._dim), dtype=np.float32)
        for start in range(0, len(images), self._batch):
            block = images[start : start + self._batch]
            with torch.inference_mode():
                pixels = self._pixels(block, self._pre.size)
                with self._autocast():
                    features = model.encode_image(pixels)
            out[start : start + len(block)] = self._normalised(features, "patch", start)
        return out

    @property
    def cell_px(self) -> int | None:
        """See :attr:`imagerag_assets.encoders.types.CellEncoder.cell_px`."""
        return None if self._cells is None else self._cells.cell_px

    def encode_cells(self, images: NDArray[np.uint8], *, side: int) -> NDArray[np.float32]:
        """See :meth:`imagerag_assets.encoders.types.CellEncoder.encode_cells`."""
        self._loaded()
        cells = self._cells
        if cells is None:
            raise EncoderError("The vectors of this encoder are not means of cells", encoder=self.name)
        wrong = images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape[1:3]
        if wrong or side < 1 or side % cells.cell_px:
            raise EncoderError(
                f"Cells need uint8 (n, h, w, 3) and a multiple of {cells.cell_px} px, "
                f"not {images.dtype} {images.shape} and {side} px",
                encoder=self.name,
            )
        number = side // cells.cell_px
        out = np.empty((len(images), number, number, self._dim), dtype=np.float32)
        batch = max(1, self._batch * self._pre.size**2 // side**2)  # as much memory as a batch of patches
        for start in range(0, len(images), batch):
            block = images[start : start + batch]
            with torch.inference_mode(), self._autocast():
                features = cells.encode(self._pixels(block, side))
            out[start : start + len(block)] = features.to(device="cpu", dtype=torch.float32).numpy()
        if not np.isfinite(out).all():
            raise EncoderError(
                "The vectors of cells are not finite",
                encoder=self.name,
                fix="Check the weights, or set IMAGERAG_PRECISION=float32",
            )
        return out

    def _pixels(self, images: NDArray[np.uint8], side: int) -> torch.Tensor:
        """Return what the image tower takes: float32 (n, 3, side, side), channels last."""
        block = np.ascontiguousarray(images)
        if not block.flags.writeable:  # torch cannot wrap read-only memory
            block = block.copy()
        tensor = torch.from_numpy(block).to(self._device)
        pixels = preprocess(tensor, side, self._pre.mean, self._pre.std, self._pre.interpolation)
        return pixels.contiguous(memory_format=torch.channels_last)

    @cached_property
    def _cells(self) -> Cells | None:
        return find_cells(self._loaded().visual, self._pre.size)

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
            by = f"{self._fingerprint} {'bfloat16' if self._bfloat16 else 'float32'}"
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

    def _through_templates(self, phrases: list[str]) -> Vectors:
        self._no_empty(phrases)
        templates = self._spec.templates
        sentences = [sentence for phrase in phrases for sentence in expand(phrase, templates)]
        each = self.encode_raw_texts(sentences).reshape(len(phrases), len(templates), self._dim)
        return self._normalised(torch.from_numpy(each.mean(axis=1)), "phrase", 0)

    def encode_raw_texts(self, texts: Sequence[str], *, normalised: bool = True) -> Vectors:
        """See :meth:`imagerag_assets.encoders.types.Encoder.encode_raw_texts`."""
        self._no_empty(texts)
        self._loaded()
        out = np.empty((len(texts), self._dim), dtype=np.float32)
        for start in range(0, len(texts), _TEXT_BATCH):
            block = list(texts[start : start + _TEXT_BATCH])
            tokens = self._tokenizer(block).to(self._device)
            with torch.inference_mode(), self._autocast():
                features = self._text_features(tokens)
            vectors, lengths = self._measured(features, "text", start)
            out[start : start + len(block)] = vectors / lengths if normalised else vectors
        return out

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """Encode tokens (n, context) without most of the padding, which costs as much time as words.

        The width of a text is its own, not that of its batch: other widths change the last digits in bfloat16, and a
        vector must not depend on what a text is embedded with.
        """
        model = self._loaded()
        if self._padding is None:
            return cast(torch.Tensor, model.encode_text(tokens))
        places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
        lengths = (places * (tokens != self._padding)).amax(dim=1).clamp(min=1)
        widths = (lengths + _WIDTH - 1) // _WIDTH * _WIDTH
        features: torch.Tensor | None = None
        for width in widths.unique().tolist():
            rows = widths == width
            encoded = model.encode_text(tokens[rows, :width])
            if features is None:
                features = encoded.new_empty((len(tokens), encoded.shape[1]))
            features[rows] = encoded
        assert features is not None
        return features

    def close(self) -> None:
        """See :meth:`imagerag_assets.encoders.types.Encoder.close`."""
        self._model = None
        self.__dict__.pop("_cells", None)
        with self._lock:
            self._phrases.clear()

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise EncoderError("The encoder is closed", encoder=self.name)
        return model

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._bfloat16 else nullcontext()

    def _no_empty(self, texts: Sequence[str]) -> None:
        for index, text in enumerate(texts):
            if not text.strip():
                raise EncoderError(f"Text {index} is empty", encoder=self.name, fix="Give a phrase or a sentence")

    def _normalised(self, features: torch.Tensor, what: str, start: int) -> Vectors:
        """Scale rows to length 1 in float32; the index in an error counts from the caller's first input."""
        vectors, lengths = self._measured(features, what, start)
        return cast(Vectors, vectors / lengths)

    def _measured(self, features: torch.Tensor, what: str, start: int) -> tuple[Vectors, Vectors]:
        """Return rows in float32 and their lengths, (n, 1); see :meth:`_normalised`."""
        vectors = features.to(device="cpu", dtype=torch.float32).numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] < 1e-12))
        if len(bad):
            kind = "zero" if np.isfinite(lengths[bad[0], 0]) else "not finite"
            raise EncoderError(
                f"The vector of {what} {start + int(bad[0])} is {kind}",
                encoder=self.name,
                fix="Check the weights, or set IMAGERAG_PRECISION=float32",
            )
        return vectors, lengths


def fingerprint_of(spec: EncoderSpec, architecture: Architecture, model: torch.nn.Module) -> str:
    """Return the sha256, in hexadecimal, of all that decides the vectors but precision, device and batch size."""
    pre = architecture.preprocessing
    described = {
        "architecture": architecture.config,
        "preprocessing": [PREPROCESS_VERSION, pre.size, pre.mean, pre.std, pre.interpolation],
        "normalisation": "l2",
        "templates": spec.templates,
        "weights": _weights_digest(model),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _weights_digest(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
