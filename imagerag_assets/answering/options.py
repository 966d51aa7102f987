"""The settings of the multimodal LLM as one hashable value, so that a model is loaded once for it."""

from __future__ import annotations

from dataclasses import dataclass

from imagerag_assets.settings import Settings


@dataclass(frozen=True)
class MllmOptions:
    """How a model is loaded and asked; each field but the first is the setting of the same name."""

    cache: str | None = None
    """Folder in which the demo model is put together; None: as `load_settings` says."""
    revision: str | None = None
    adapter: str | None = None
    name: str | None = None
    family: str = "auto"
    choices: str = "auto"
    dtype: str = "auto"
    device: str = "auto"
    context: int | None = None
    max_new_tokens: int = 64
    reasoning_max_tokens: int = 256
    timeout_s: float = 120.0
    retries: int = 3

    @classmethod
    def of(cls, settings: Settings) -> MllmOptions:
        """Return the options in the settings."""
        return cls(
            cache=str(settings.mllm_cache_folder),
            revision=settings.mllm_revision,
            adapter=settings.mllm_adapter,
            name=settings.mllm_name,
            family=settings.mllm_family,
            choices=settings.mllm_choices,
            dtype=settings.mllm_dtype,
            device=settings.device,
            context=settings.mllm_context,
            max_new_tokens=settings.mllm_max_new_tokens,
            reasoning_max_tokens=settings.reasoning_max_tokens,
            timeout_s=settings.mllm_timeout_s,
            retries=settings.mllm_retries,
        )
