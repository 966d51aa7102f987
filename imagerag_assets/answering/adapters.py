"""LoRA adapters: attach one to the model that it was trained on, and to no other.

`training.finetune` makes adapters.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from imagerag_assets.errors import ModelError

CONFIG, WEIGHTS, NOTES = "adapter_config.json", "adapter_model.safetensors", "imagerag.json"
"""PEFT's files, and ours: ``{"base": NAME, "base_revision": REVISION, ...}``."""
_FIX = "Set IMAGERAG_MLLM_ADAPTER to a folder that `imagerag train lora` made for this IMAGERAG_MLLM, or unset it"


def attach(model: Any, folder: str, *, base: str, revision: str) -> Any:
    """Attach an adapter to a model, and return the result.

    Args:
        model: As returned by `from_pretrained`.
        folder: Of the adapter.
        base: Name of the model, for errors.
        revision: Which version of the model it is.

    Raises:
        ModelError: the adapter does not exist, cannot be read, or belongs to another model.
    """
    try:
        from peft import PeftModel
    except ImportError:
        raise ModelError(
            "an adapter needs peft, which is not installed", fix="Run: pip install 'imagerag-assets[train]'"
        ) from None
    path = Path(folder)
    if not (path / CONFIG).is_file() or not (path / WEIGHTS).is_file():
        raise ModelError(f"there is no adapter in {folder}", fix=_FIX)
    notes = _notes(path)
    if notes.get("base_revision", revision) != revision:
        raise ModelError(
            f"the adapter was trained on {notes.get('base')} {notes['base_revision']}, not on this {revision}",
            fix=_FIX,
            adapter=folder,
            model=base,
        )
    try:
        with warnings.catch_warnings():
            # Layers that the file lacks would keep the random weights they were made with.
            warnings.filterwarnings("error", message=".*missing adapter keys")
            return PeftModel.from_pretrained(model, folder).eval()
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError, UserWarning) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"the adapter does not fit the model: {reason}", fix=_FIX, adapter=folder, model=base
        ) from error


def adapter_digest(folder: str | Path) -> str:
    """Return 16 hex digits that change with the adapter's configuration or weights.

    Raises:
        OSError: a file cannot be read.
    """
    total = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        total.update((Path(folder) / name).read_bytes())
    return total.hexdigest()[:16]


def _notes(folder: Path) -> dict[str, Any]:
    """Read what our training noted about an adapter; empty for an adapter made elsewhere."""
    try:
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}
