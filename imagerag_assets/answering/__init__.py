"""Answers from a multimodal LLM: load the one that the settings name.  Back ends have modules of their own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.types import CueView, Finding, Mllm, Prompt, Reply, box_of
from imagerag_assets.encoders.one_at_a_time import LOADING
from imagerag_assets.errors import ModelError
from imagerag_assets.settings import Settings, is_server, load_settings

if TYPE_CHECKING:
    from imagerag_assets.answering.transformers_backend import TransformersMllm

__all__ = ["CueView", "Finding", "Mllm", "MllmOptions", "Prompt", "Reply", "box_of", "load_mllm", "open_mllm"]


def load_mllm(settings: Settings) -> Mllm:
    """Load the multimodal LLM that the settings name, once per process.

    Raises:
        ModelError: it cannot be loaded, or its server cannot be reached.
    """
    with LOADING:
        return _load(settings.mllm, MllmOptions.of(settings))


@lru_cache(maxsize=2)
def _load(model: str, options: MllmOptions) -> Mllm:
    if not is_server(model):
        return open_mllm(model, options)
    if options.adapter is not None:
        raise ModelError(
            "a server loads its own adapters", fix="Unset IMAGERAG_MLLM_ADAPTER, and name it to the server"
        )
    from imagerag_assets.answering.openai_backend import ServedMllm

    return ServedMllm(model, options)


def open_mllm(model: str, options: MllmOptions) -> TransformersMllm:
    """Load a model into this process, anew each time; `demo` is the one that ships, which is put together first.

    Raises:
        ModelError: it cannot be loaded.
    """
    from imagerag_assets.answering.transformers_backend import TransformersMllm

    if model != "demo":
        return TransformersMllm(model, options)
    from imagerag_assets.answering.demo_model import assemble

    cache = Path(options.cache) if options.cache else load_settings().mllm_cache_folder
    return TransformersMllm(str(assemble(cache)), options, name="mllm-demo")
