"""Encoders that run classes of transformers: two towers (SigLIP, CLIP, MetaCLIP 2), or a chat model that embeds.

Files are found by `weights`.  No code of a repository is run, and no pickled weights are read.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip  (before transformers imports torchvision)

import hashlib
import json
import math
from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer

from imagerag_assets.encoders import precision
from imagerag_assets.encoders.base import BaseEncoder, check_dim
from imagerag_assets.encoders.digests import digest_of, weights_digest
from imagerag_assets.encoders.preprocess import PREPROCESS_VERSION, Interpolation, preprocess
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.encoders.weights import Preprocessing, model_folder, quiet_transformers
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings

_DUAL = ("siglip", "clip", "metaclip_2")
_CHAT = ("qwen3_vl",)
_NOT_OF_THE_VECTORS = {"transformers_version", "dtype", "torch_dtype", "_name_or_path", "architectures"}
_TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "vocab.json", "merges.txt", "chat_template.jinja")
_RESAMPLE: dict[int, Interpolation] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which configurations hold
_CHAT_SIZE, _CHAT_BATCH = 256, 16
_INSTRUCTION = "Represent the user's input."
"""What Qwen3-VL-Embedding was taught with where nothing else is asked for."""


def load_transformers(spec: EncoderSpec, settings: Settings) -> BaseEncoder:
    """Load the encoder of an entry by the type of model that its configuration names.

    Raises:
        EncoderError: its files are not here or not downloadable, do not fit, or are of a type that is not supported.
        SettingsError: the device does not exist.
    """
    folder = model_folder(spec, settings)
    try:
        config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)  # nosec B615 # a folder
    except (OSError, ValueError, KeyError) as error:
        raise _unusable(spec, folder, error) from None
    if config.model_type in _DUAL:
        return DualTowerEncoder(spec, settings, folder, config)
    if config.model_type in _CHAT:
        return ChatEncoder(spec, settings, folder, config)
    raise EncoderError(
        f"Models of type {config.model_type!r} cannot be used as encoders, only {', '.join(_DUAL + _CHAT)}",
        encoder=spec.name,
        fix="Serve it (kind served), or choose another model",
    )


class _TransformersEncoder(BaseEncoder):
    """What both kinds share: loading, precision and the fingerprint."""

    def __init__(self, spec: EncoderSpec, settings: Settings, folder: Path, config: Any) -> None:
        super().__init__(spec, settings)
        self._device = precision.choose_device(settings)
        self._bfloat16 = precision.use_bfloat16(self._device, settings.precision, spec.precision)
        self._arithmetic = "bfloat16" if self._bfloat16 else "float32"
        self._config = config
        try:
            with quiet_transformers():
                model, found = AutoModel.from_pretrained(  # nosec B615 # a folder
                    folder,
                    config=config,
                    dtype=torch.float32,
                    trust_remote_code=False,
                    local_files_only=True,
                    use_safetensors=True,
                    output_loading_info=True,
                )
                self._prepare(folder)
        except Exception as error:  # whatever a damaged file makes the libraries raise
            raise _unusable(spec, folder, error) from None
        if found["missing_keys"] or found["mismatched_keys"]:
            key = min([*map(str, found["missing_keys"]), *map(str, found["mismatched_keys"])])
            raise EncoderError(
                f"{folder} does not fit this architecture: {key} is missing or of another shape",
                encoder=spec.name,
                fix="Check which model its entry names",
            )
        model = model.eval()
        described = {name: value for name, value in config.to_dict().items() if name not in _NOT_OF_THE_VECTORS}
        self._fingerprint = digest_of(
            {
                "architecture": _plain(described),
                "tokenizer": _files_digest(folder),
                "normalisation": "l2",
                "templates": spec.templates,
                "weights": weights_digest(model),
                **self._described(),
            }
        )
        self._model: Any = model.to(self._device)
        self._dim = check_dim(spec, self._text_features(["a"]).shape[1])

    @abstractmethod
    def _prepare(self, folder: Path) -> None:
        """Load what belongs to the model: tokenizer, preprocessing."""

    @abstractmethod
    def _described(self) -> dict[str, Any]:
        """Return what else decides the vectors."""

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._model is None

    def _release(self) -> None:
        self._model = None

    def _running(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._bfloat16 else nullcontext()


class DualTowerEncoder(_TransformersEncoder):
    """An image tower and a text tower, such as SigLIP's."""

    def _prepare(self, folder: Path) -> None:
        config, self._sigmoid = self._config, self._config.model_type == "siglip"
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)  # nosec B615 # a folder
        self._context = int(config.text_config.max_position_embeddings)
        self._pre = _preprocessing(self._spec, folder, int(config.vision_config.image_size))
        self._size = self._pre.size

    def _described(self) -> dict[str, Any]:
        pre = self._pre
        return {"preprocessing": [PREPROCESS_VERSION, pre.size, pre.mean, pre.std, pre.interpolation]}

    def __init__(self, spec: EncoderSpec, settings: Settings, folder: Path, config: Any) -> None:
        """Load the model; raises as :func:`load_transformers`."""
        super().__init__(spec, settings, folder, config)
        self._logit_scale = math.exp(self._model.logit_scale.item())
        bias = getattr(self._model, "logit_bias", None)
        self._logit_bias = None if bias is None else float(bias.item())

    def _image_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        pre, native = self._pre, int(self._config.vision_config.image_size)
        pixels = preprocess(torch.tensor(images, device=self._device), pre.size, pre.mean, pre.std, pre.interpolation)
        other: dict[str, Any] = {} if pre.size == native else {"interpolate_pos_encoding": True}
        with torch.inference_mode(), self._running():
            return _as_array(self._model.get_image_features(pixel_values=pixels, **other))

    def _text_features(self, texts: list[str]) -> NDArray[np.float32]:
        # SigLIP was taught with whole contexts whose padding counts.
        tokens = self._tokenizer(
            texts,
            padding="max_length" if self._sigmoid else True,
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        names = ("input_ids",) if self._sigmoid else ("input_ids", "attention_mask")
        given = {name: tokens[name].to(self._device) for name in names}
        with torch.inference_mode(), self._running():
            return _as_array(self._model.get_text_features(**given))


class ChatEncoder(_TransformersEncoder):
    """A chat model whose last token is the vector of what the user said or showed, such as Qwen3-VL-Embedding."""

    def _prepare(self, folder: Path) -> None:
        processor: Any = AutoProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)  # nosec B615 # a folder
        if getattr(processor, "image_processor", None) is None or not getattr(processor, "chat_template", None):
            raise ValueError("its processor has no image processor or no chat template")
        processor.tokenizer.padding_side = "right"  # what follows a token does not change it
        self._processor = processor
        vision = self._config.vision_config
        step = int(vision.patch_size) * int(vision.spatial_merge_size)
        self._size = max(1, round((self._spec.image_size or _CHAT_SIZE) / step)) * step
        self._instruction = self._spec.instruction or _INSTRUCTION

    def _described(self) -> dict[str, Any]:
        images = self._processor.image_processor
        return {
            "preprocessing": ["bicubic", self._size, list(images.image_mean), list(images.image_std)],
            "instruction": self._instruction,
        }

    def _image_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = [Image.fromarray(image) for image in images]
        pictures = [
            picture
            if picture.size == (self._size,) * 2
            else picture.resize((self._size,) * 2, Image.Resampling.BICUBIC)
            for picture in pictures
        ]
        prompt = self._prompt({"type": "image"})
        parts = [
            self._encoded([prompt] * len(some), images=some, do_resize=False)
            for some in (pictures[at : at + _CHAT_BATCH] for at in range(0, len(pictures), _CHAT_BATCH))
        ]
        return np.concatenate(parts)

    def _text_features(self, texts: list[str]) -> NDArray[np.float32]:
        # A text is data: what looks like a control token is none.
        prompts = [self._prompt({"type": "text", "text": text.replace("<|", "< |")}) for text in texts]
        return np.concatenate(
            [self._encoded(prompts[at : at + _CHAT_BATCH]) for at in range(0, len(prompts), _CHAT_BATCH)]
        )

    def _prompt(self, content: dict[str, str]) -> str:
        said = [
            {"role": "system", "content": [{"type": "text", "text": self._instruction}]},
            {"role": "user", "content": [content]},
        ]
        return str(self._processor.apply_chat_template(said, tokenize=False, add_generation_prompt=True))

    def _encoded(self, prompts: list[str], **images: Any) -> NDArray[np.float32]:
        inputs = self._processor(text=prompts, padding=True, return_tensors="pt", **images).to(self._device)
        with torch.inference_mode(), self._running():
            states = self._model(**inputs).last_hidden_state
        last = inputs["attention_mask"].sum(dim=1) - 1
        return _as_array(states[torch.arange(len(prompts), device=states.device), last])


def _preprocessing(spec: EncoderSpec, folder: Path, native: int) -> Preprocessing:
    """Return how patches are prepared: by the entry, else by the folder's own configuration."""
    stored: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            said = json.loads((folder / name).read_text(encoding="utf-8"))
            stored = said.get("image_processor", said)
            if "image_mean" in stored:
                break
    if not {"image_mean", "image_std"} <= stored.keys() and (spec.mean is None or spec.std is None):
        raise ValueError("preprocessor_config.json with image_mean and image_std is missing")
    mean, std = spec.mean or tuple(stored["image_mean"]), spec.std or tuple(stored["image_std"])
    how = spec.interpolation or _RESAMPLE.get(int(stored.get("resample", 3)), "bicubic")
    return Preprocessing(spec.image_size or native, mean, std, how)


def _files_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _TOKENIZER_FILES:
        if (folder / name).is_file():
            digest.update(name.encode() + b"\n" + (folder / name).read_bytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return a configuration without what tells nothing of the vectors, at any depth, as JSON holds it."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items() if name not in _NOT_OF_THE_VECTORS}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _as_array(features: Any) -> NDArray[np.float32]:
    features = getattr(features, "pooler_output", features)
    return cast("NDArray[np.float32]", features.to(device="cpu", dtype=torch.float32).numpy())


def _unusable(spec: EncoderSpec, folder: Path, error: Exception) -> EncoderError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return EncoderError(
        f"{folder} cannot be loaded: {said}", encoder=spec.name, fix="Check that all of the model's files are there"
    )
