"""Load a multimodal LLM with `transformers`: device, number format, and what is missing in a folder.

`transformers_backend.py` asks it.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

from imagerag_assets.answering.adapters import adapter_digest, attach
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.encoders.precision import multiplies_bfloat16
from imagerag_assets.encoders.weights import commit_of
from imagerag_assets.errors import ModelError


@dataclass(frozen=True)
class Loaded:
    """A model with what belongs to it.  Typed loosely: the classes behind the auto classes share no useful type."""

    config: Any
    processor: Any
    model: Any
    device: torch.device
    revision: str
    """The commit of a hub id, or the digest of a folder's weights; followed by ``+`` and the digest of an adapter."""
    in_words: bool
    """Whether it names its choice in words, not by letter."""
    denial_odds: float | None = None
    """See `Mllm`."""


def load(model: str, options: MllmOptions) -> Loaded:
    """Load a folder or a hub id.

    Raises:
        ModelError: the model is missing or unusable, does not fit the device, or needs another device.
    """
    device = _device(options.device)
    how = _number_format(options.dtype, device)
    try:
        # A branch may move on between two downloads, and be another commit by the next answer.
        commit = _hub_commit(model, options.revision) or options.revision
        config = AutoConfig.from_pretrained(model, revision=commit, trust_remote_code=False)
        processor = AutoProcessor.from_pretrained(model, revision=commit, trust_remote_code=False)
        _require_complete(processor, model)
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            model, revision=commit, trust_remote_code=False, **how
        )
        if "quantization_config" not in how:
            loaded = loaded.to(device)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"the multimodal LLM cannot be loaded: {first_line(error)}",
            fix="Set IMAGERAG_MLLM to a model folder with its processor, or to a hub id that can be reached",
            model=model,
        ) from error
    except (RuntimeError, MemoryError) as error:
        why = "does not fit the memory" if out_of_memory(error) else "cannot be loaded"
        raise ModelError(
            f"the multimodal LLM {why}: {first_line(error)}",
            fix="Set IMAGERAG_MLLM_DTYPE=4bit, or use a smaller model or another IMAGERAG_DEVICE",
            model=model,
        ) from error
    notes = _folder_notes(model)
    revision = commit or notes.get("revision") or _folder_revision(model)
    if options.adapter is not None:
        loaded = attach(loaded, options.adapter, base=model, revision=revision)
        revision = f"{revision}+{adapter_digest(options.adapter)}"
    in_words = options.choices == "words" or (options.choices == "auto" and notes.get("choices") == "words")
    return Loaded(config, processor, loaded.eval(), device, revision, in_words, _denial_odds(notes))


def out_of_memory(error: Exception) -> bool:
    """Return whether a device, or the machine, ran out of memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def first_line(error: Exception) -> str:
    """Return the first line of what a library's error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _require_complete(processor: Any, model: str) -> None:
    """Raise ModelError if only a part of a processor exists: `AutoProcessor` takes what it finds."""
    tokenizer = getattr(processor, "tokenizer", None)
    missing = [
        what
        for what, there in (
            ("image processor", getattr(processor, "image_processor", None) is not None),
            ("tokenizer", tokenizer is not None and bool(tokenizer.encode("A", add_special_tokens=False))),
            ("chat template", bool(getattr(processor, "chat_template", None))),
        )
        if not there
    ]
    if missing:
        raise ModelError(
            f"the multimodal LLM's processor has no {' and no '.join(missing)}",
            fix="Complete the folder: processor_config.json or preprocessor_config.json, tokenizer, chat template",
            model=model,
        )


def _number_format(dtype: str, device: torch.device) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a number format.

    Raises:
        ModelError: it is 4bit, and bitsandbytes or a CUDA device is missing.
    """
    if dtype == "auto":
        return {"dtype": "auto" if device.type != "cpu" else torch.bfloat16 if multiplies_bfloat16() else torch.float32}
    if dtype != "4bit":
        return {"dtype": getattr(torch, dtype)}
    if device.type != "cuda" or find_spec("bitsandbytes") is None:
        lacking = "bitsandbytes" if device.type == "cuda" else "a CUDA device"
        raise ModelError(
            f"4-bit weights need {lacking}", fix="Install bitsandbytes and use a GPU, or set IMAGERAG_MLLM_DTYPE=auto"
        )
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"dtype": torch.bfloat16, "quantization_config": four, "device_map": {"": device}}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ModelError(
            f"there is no device {name!r}", fix="Set IMAGERAG_DEVICE to auto, cpu, cuda or cuda:1"
        ) from error


def _hub_commit(model: str, revision: str | None) -> str | None:
    """Return the commit that a hub id stands for now; None of a local folder, or where that cannot be told.

    transformers resolves it while it downloads, and keeps it nowhere.
    """
    if Path(model).is_dir():
        return None
    try:
        return commit_of(Path(hf_hub_download(model, "config.json", revision=revision)))
    except (OSError, ValueError):  # the download says what is wrong
        return None


def _denial_odds(notes: dict[str, str]) -> float | None:
    """Return what a model's denial is worth by the notes of its folder; None: they do not say."""
    try:
        odds = float(notes.get("denial_odds", ""))
    except ValueError:
        return None
    return odds if 1 <= odds < float("inf") else None


def _folder_notes(model: str) -> dict[str, str]:
    """Read `imagerag.json` in a model folder: `choices` ("words": how it names one), `denial_odds`, `revision`.

    A folder that was put together from parts has the parts' digest as its revision: the weights' own differs between
    processors in their last bits.
    """
    try:
        notes = json.loads((Path(model) / "imagerag.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in notes.items() if isinstance(value, str)} if isinstance(notes, dict) else {}


def _folder_revision(model: str) -> str:
    """Return the digest of a local folder's weights; `unknown` if there are none."""
    weights = sorted(Path(model).glob("*.safetensors")) if Path(model).is_dir() else []
    total = hashlib.sha256()
    for path in weights:
        with path.open("rb") as stream:
            while block := stream.read(1 << 22):
                total.update(block)
    return total.hexdigest()[:16] if weights else "unknown"
