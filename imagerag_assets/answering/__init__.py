"""Answers from a multimodal LLM: which one is loaded. Prompts, data types and the back end are in their own modules."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from imagerag_assets.answering.types import CueView, Finding, Mllm, Prompt, Reply, box_of
from imagerag_assets.errors import ModelError
from imagerag_assets.settings import Settings

__all__ = ["CueView", "Finding", "Mllm", "Prompt", "Reply", "box_of", "load_mllm"]

DEMO_FOLDER = Path(__file__).parents[1] / "demo" / "weights" / "mllm-demo"


def load_mllm(settings: Settings) -> Mllm:
    """The multimodal LLM that the settings name, loaded once a process.

    Raises:
        ModelError: it cannot be loaded.
    """
    return _load(settings.mllm, settings.mllm_revision, settings.device, settings.mllm_max_new_tokens)


@lru_cache(maxsize=2)
def _load(model: str, revision: str | None, device: str, max_new_tokens: int) -> Mllm:
    from imagerag_assets.answering.transformers_backend import TransformersMllm

    if model == "demo":
        if not DEMO_FOLDER.is_dir():
            raise ModelError("the demo model is not installed", fix="Reinstall the package with its data files")
        return TransformersMllm(str(DEMO_FOLDER), name="mllm-demo", device=device, max_new_tokens=max_new_tokens)
    return TransformersMllm(model, revision=revision, device=device, max_new_tokens=max_new_tokens)
