"""The encoder that runs open_clip models: precision, widths of texts, cells, the fingerprint.

`weights` finds and loads the weights; `registry` lists the encoders.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from imagerag_assets.encoders import precision
from imagerag_assets.encoders.base import BaseEncoder, check_dim
from imagerag_assets.encoders.cells import Cells, find_cells
from imagerag_assets.encoders.digests import digest_of, weights_digest
from imagerag_assets.encoders.preprocess import PREPROCESS_VERSION, preprocess
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.encoders.weights import (
    Architecture,
    build_model,
    find_checkpoint,
    padding_of,
    read_architecture,
)
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings

_WIDTH = 16
"""Texts go through the tower in widths of a multiple of so many tokens: their own, whatever they are asked with."""


class OpenClipEncoder(BaseEncoder):
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
        super().__init__(spec, settings)
        architecture = read_architecture(spec)
        checkpoint = find_checkpoint(spec, settings)
        self._device = precision.choose_device(settings)
        self._bfloat16 = precision.use_bfloat16(self._device, settings.precision, spec.precision)
        self._arithmetic = "bfloat16" if self._bfloat16 else "float32"
        model, self._tokenizer = build_model(spec, architecture, checkpoint)
        self._padding = padding_of(model)
        self._fingerprint = fingerprint_of(spec, architecture, model)
        self._pre = architecture.preprocessing
        self._size = self._pre.size
        self._dim = check_dim(spec, int(architecture.config["embed_dim"]))
        self._logit_scale = math.exp(float(cast(torch.Tensor, model.logit_scale)))
        bias = cast("torch.Tensor | None", getattr(model, "logit_bias", None))
        self._logit_bias = None if bias is None else float(bias)
        # convolutions and patch embeddings run faster with channels last
        self._model: Any = model.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._model is None

    def _image_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            pixels = self._pixels(images, self._size)
            with self._autocast():
                features = self._loaded().encode_image(pixels)
        return _as_array(features)

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

    def _text_features(self, texts: list[str]) -> NDArray[np.float32]:
        tokens = self._tokenizer(texts).to(self._device)
        with torch.inference_mode(), self._autocast():
            return _as_array(self._token_features(tokens))

    def _token_features(self, tokens: torch.Tensor) -> torch.Tensor:
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

    def _release(self) -> None:
        self._model = None
        self.__dict__.pop("_cells", None)

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise EncoderError("The encoder is closed", encoder=self.name)
        return model

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._bfloat16 else nullcontext()


def _as_array(features: torch.Tensor) -> NDArray[np.float32]:
    return cast("NDArray[np.float32]", features.to(device="cpu", dtype=torch.float32).numpy())


def fingerprint_of(spec: EncoderSpec, architecture: Architecture, model: torch.nn.Module) -> str:
    """Return the sha256, in hexadecimal, of all that decides the vectors but precision, device and batch size."""
    pre = architecture.preprocessing
    described = {
        "architecture": architecture.config,
        "preprocessing": [PREPROCESS_VERSION, pre.size, pre.mean, pre.std, pre.interpolation],
        "normalisation": "l2",
        "templates": spec.templates,
        "weights": weights_digest(model),
    }
    return digest_of(described)
