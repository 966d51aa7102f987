"""Train an adapter (LoRA, arXiv 2106.09685) on the small language model: the layers, what is kept, and what ships."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from imagerag_assets.answering.small_language_model import LORA_RANK, LORA_SCALE


class LoraLinear(nn.Module):
    """A linear layer kept as it is, with a low-rank change that is learned."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(LORA_RANK, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, LORA_RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low = functional.linear(x, self.down.to(x.dtype))
        return self.base(x) + functional.linear(low, (LORA_SCALE * self.up).to(x.dtype))


def add_adapter(language: nn.Module) -> dict[str, LoraLinear]:
    """Put an adapter on every linear layer of the language model's blocks; return them by the layer's name."""
    names = [name for name, module in language.named_modules() if isinstance(module, nn.Linear)]
    made = {}
    for name in names:
        parent, _, child = name.rpartition(".")
        made[name] = LoraLinear(language.get_submodule(name))  # type: ignore[arg-type]
        setattr(language.get_submodule(parent), child, made[name])
    return made


def learned_of(adapters: Mapping[str, LoraLinear]) -> list[nn.Parameter]:
    """Return what is learned."""
    return [parameter for each in adapters.values() for parameter in (each.down, each.up)]


def both_of(adapters: Mapping[str, LoraLinear]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return both tensors of each layer, for a checkpoint."""
    return {name: (each.down.data, each.up.data) for name, each in adapters.items()}


def restore(adapters: Mapping[str, LoraLinear], kept: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Put back what :func:`both_of` returned."""
    for name, each in adapters.items():
        each.down.data, each.up.data = kept[name]


def tensors_of(adapters: Mapping[str, LoraLinear]) -> dict[str, torch.Tensor]:
    """Return what ships: `LAYER.lora_A` (rank, in) and `LAYER.lora_B` (out, rank) of each layer."""
    return {
        f"{name}.{key}": value
        for name, each in adapters.items()
        for key, value in (("lora_A", each.down.data), ("lora_B", each.up.data))
    }
