"""How much GPU memory a LoRA run needs, from a model's configuration alone; nothing is loaded, and nothing measured.

It is the sum of four parts that pencil and paper can work out. `docs/finetuning.md` states the results.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import re
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from imagerag_assets.training.lora_recipe import LoraRecipe

_FOUR_BITS = 4.127 / 8  # bytes a weight: NF4 with doubly quantised constants, in blocks of 64
_ADAPTER = 16  # bytes a weight: float32 with its gradient and Adam's two moments
_CUDA = 1.0  # GiB: context and libraries
_LANGUAGE = "language_model"
GIB = 2.0**30


@dataclass(frozen=True)
class Estimate:
    """GiB of GPU memory."""

    weights: float
    """Of the frozen model."""
    adapter: float
    """Its weights, gradients and optimiser state."""
    activations: float
    """What the backward pass needs of the forward pass."""

    @property
    def total(self) -> float:
        """With what CUDA takes for itself, and a tenth for gaps between allocations."""
        return 1.1 * (self.weights + self.adapter + self.activations) + _CUDA


def estimate(config: Any, recipe: LoraRecipe, tokens: int) -> Estimate:
    """The memory of training a model of this configuration.

    Args:
        config: As `AutoConfig` gives it.
        recipe: What is trained; weights count as bfloat16 unless it says 4bit or float32.
        tokens: Of the longest prompt with its reply.
    """
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    parameters = sum(each.numel() for each in model.parameters())
    linear = {name: each for name, each in model.named_modules() if isinstance(each, torch.nn.Linear)}
    # bitsandbytes leaves the output layer as it is, and embeddings, norms and convolutions.
    quantised = sum(each.weight.numel() for name, each in linear.items() if not name.endswith("lm_head"))
    width = 4.0 if recipe.dtype == "float32" else 2.0
    weights = width * parameters
    if recipe.dtype == "4bit":
        weights = _FOUR_BITS * quantised + width * (parameters - quantised)
    adapted = re.compile(rf".*{_LANGUAGE}.*\.({'|'.join(recipe.targets)})")
    sides = sum(sum(each.weight.shape) for name, each in linear.items() if adapted.fullmatch(name))
    text = config.get_text_config()
    # A layer keeps the inputs of its norms and linear layers, and of those with an adapter the dropped-out copy too.
    one_layer = width * 2 * (6 * text.hidden_size + 3 * text.intermediate_size)
    between = width * text.hidden_size * text.num_hidden_layers
    kept = between + one_layer if recipe.checkpointing else one_layer * text.num_hidden_layers
    return Estimate(weights / GIB, _ADAPTER * recipe.rank * sides / GIB, kept * tokens * recipe.batch / GIB)
